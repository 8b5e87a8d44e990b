#include "proxy/source/open_files.hh"

#include <fmt/format.h>
#include <xxhash.h>

#include "core/base/fd.hh"
#include "core/http/semantics.hh"

namespace portolan::proxy {
namespace {

bool same_time(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

// A file that is replaced or removed is still the same, but its change time tells.
bool unchanged(const OpenFile& file) {
  for (const auto& [coding, other] : file.coded)
    if (!unchanged(*other)) return false;
  struct stat now {};
  return ::fstat(file.file->fd(), &now) == 0 && now.st_size == file.status.st_size &&
         same_time(now.st_mtim, file.status.st_mtim) && same_time(now.st_ctim, file.status.st_ctim);
}

}  // namespace

OpenFile::OpenFile(UniqueFd fd, const struct stat& as, std::string_view name)
    : file(std::make_shared<FileHandle>(fd.release())),
      status(as),
      etag(fmt::format("\"{:x}-{:x}-{:x}\"", as.st_ino, as.st_mtim.tv_sec * 1'000'000'000 + as.st_mtim.tv_nsec,
                       as.st_size)),
      content_type(http::content_type_of(name)),
      last_modified(http::format_date(as.st_mtim.tv_sec)) {}

const OpenFile& OpenFile::in(http::Coding wanted) const {
  for (const auto& [coding, other] : coded)
    if (coding == wanted) return *other;
  return *this;
}

size_t OpenFiles::Hash::operator()(const Key& key) const noexcept {
  return XXH3_64bits_withSeed(key.path.data(), key.path.size(), reinterpret_cast<uintptr_t>(key.config));
}

std::shared_ptr<const OpenFile> OpenFiles::find(const FilesConfig& config, std::string_view path) {
  auto found = files_.find({&config, path});
  if (found == files_.end()) return nullptr;
  Kept& kept = found->second;
  if (worker_.now_ms() - kept.walked_ms < walk_again_ms && unchanged(*kept.file)) {
    kept.asked_for = true;
    return kept.file;
  }
  files_.erase(found);
  return nullptr;
}

void OpenFiles::keep(const FilesConfig& config, std::string_view path, std::shared_ptr<const OpenFile> file) {
  if (files_.empty()) sweep_.set(walk_again_ms);
  if (files_.size() >= most) files_.erase(files_.begin());
  Kept kept{std::make_unique<const std::string>(path), std::move(file), worker_.now_ms()};
  Key key{&config, *kept.path};
  files_.erase(key);  // its key would be a view of what goes with it
  files_.emplace(key, std::move(kept));
}

void OpenFiles::sweep() {
  for (auto at = files_.begin(); at != files_.end();)
    at = std::exchange(at->second.asked_for, false) ? std::next(at) : files_.erase(at);
  if (!files_.empty()) sweep_.set(walk_again_ms);
}

}  // namespace portolan::proxy
