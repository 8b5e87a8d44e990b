#include "proxy/source/files.hh"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <utility>

#include "core/base/fd.hh"
#include "core/http/semantics.hh"
#include "proxy/source/respond.hh"

namespace portolan::proxy {
namespace {

using http::FieldId;

int open_beneath(int root, const char* path) {
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(::syscall(SYS_openat2, root, path, &how, sizeof how));
}

// The path below the root without its leading '/', or nullopt when the prefix isn't there.
std::optional<std::string> below_root(const FilesConfig& config, std::string path) {
  std::string_view prefix = config.strip_prefix;
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  if (!prefix.empty()) {
    if (!path.starts_with(prefix)) return std::nullopt;
    path.erase(0, prefix.size());
    if (!path.empty() && path[0] != '/') return std::nullopt;
  }
  return path.empty() ? std::string() : path.substr(1);
}

struct Opened {
  UniqueFd fd;
  struct stat stat {};
  std::string name;  // with the index file's name
  int status = 200;  // 301: a directory without its final '/'
};

Opened open_file(const FilesConfig& config, const std::string& name) {
  Opened o;
  UniqueFd root(::open(config.root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  auto refuse = [&o](int code) {
    o.status = code == EACCES || code == EPERM ? 403 : 404;
    return std::move(o);
  };
  if (!root) return refuse(errno);
  bool names_directory = name.empty() || name.ends_with('/');
  o.name = name;
  o.fd.reset(open_beneath(root.get(), name.empty() ? "." : name.c_str()));
  if (!o.fd) return refuse(errno);
  if (::fstat(o.fd.get(), &o.stat) != 0) return refuse(errno);
  if (S_ISDIR(o.stat.st_mode)) {
    if (!names_directory) {
      o.status = 301;
      return o;
    }
    for (const std::string& index : config.index) {
      o.name = name + index;
      o.fd.reset(open_beneath(root.get(), o.name.c_str()));
      if (o.fd && ::fstat(o.fd.get(), &o.stat) == 0 && S_ISREG(o.stat.st_mode)) return o;
    }
    return refuse(ENOENT);
  }
  if (!S_ISREG(o.stat.st_mode) || names_directory) return refuse(ENOENT);
  return o;
}

// What stands beside a file, already compressed. An older one is of an older file.
void open_coded(const FilesConfig& config, const std::string& name, OpenFile& file) {
  UniqueFd root(::open(config.root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return;
  for (http::Coding coding : config.precompressed) {
    UniqueFd fd(open_beneath(root.get(), (name + std::string(http::coding_suffix(coding))).c_str()));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    if (status.st_mtim.tv_sec < file.status.st_mtim.tv_sec) continue;
    file.coded.emplace_back(coding, std::make_shared<const OpenFile>(std::move(fd), status, name));
  }
}

// Of those that are there.
http::Coding choose_coding(const OpenFile& file, const http::RequestHead& request) {
  if (file.coded.empty()) return http::Coding::identity;
  std::array<http::Coding, http::coding_count> there{};
  size_t count = 0;
  for (const auto& [coding, other] : file.coded) there[count++] = coding;
  return http::AcceptedCodings(request.fields).choose({there.data(), count});
}

std::unique_ptr<Source> error(int status) {
  return Respond::error(status);
}

}  // namespace

std::unique_ptr<Source> Files::open(const FilesConfig& config, const http::RequestHead& request, int64_t now_s,
                                    Rng& rng, OpenFiles* kept) {
  if (request.method != http::Method::get && request.method != http::Method::head) {
    auto answer = Respond::error(405);
    answer->add("Allow", "GET, HEAD");
    return answer;
  }
  if (kept)
    if (auto file = kept->find(config, request.path)) return serve(config, std::move(file), request, now_s, rng);
  auto path = http::decode_path(request.path);
  if (!path) return error(400);
  auto name = below_root(config, *path);
  if (!name) return error(404);
  Opened opened = open_file(config, *name);
  if (opened.status == 301) {
    std::string query = request.has_query ? "?" + std::string(request.query) : std::string();
    std::string_view own = request.path;
    while (own.starts_with("//")) own.remove_prefix(1);  // "//name/" would be another host
    return Respond::redirect(301, std::string(own) + "/" + query);
  }
  if (opened.status != 200) return error(opened.status);
  auto opened_file = std::make_shared<OpenFile>(std::move(opened.fd), opened.stat, opened.name);
  if (!config.precompressed.empty()) open_coded(config, opened.name, *opened_file);
  std::shared_ptr<const OpenFile> file = std::move(opened_file);
  if (kept) kept->keep(config, request.path, file);
  return serve(config, std::move(file), request, now_s, rng);
}

Files::Files(std::shared_ptr<const OpenFile> file, http::Coding coding, bool varies)
    : file_(std::move(file)), sent_(&file_->in(coding)), length_(size()) {
  fields_.add("Server", "Portolan");
  fields_.add("Content-Type", sent_->content_type);
  fields_.add("Last-Modified", sent_->last_modified);
  fields_.add("ETag", sent_->etag);
  fields_.add("Accept-Ranges", "bytes");
  if (coding != http::Coding::identity) fields_.add("Content-Encoding", http::coding_name(coding));
  if (varies) fields_.add("Vary", "Accept-Encoding");
}

std::unique_ptr<Source> Files::serve(const FilesConfig& config, std::shared_ptr<const OpenFile> file,
                                     const http::RequestHead& request, int64_t now_s, Rng& rng) {
  http::Coding coding = choose_coding(*file, request);
  const OpenFile& sent = file->in(coding);
  auto make = [&] { return std::unique_ptr<Files>(new Files(std::move(file), coding, !config.precompressed.empty())); };
  switch (http::evaluate_conditions(request.fields, sent.etag, sent.status.st_mtim.tv_sec, request.method, now_s)) {
    case http::Condition::precondition_failed:
      return error(412);
    case http::Condition::not_modified: {
      std::unique_ptr<Files> files = make();
      files->status_ = 304;
      files->bodyless_ = true;
      return files;
    }
    case http::Condition::proceed:
      break;
  }
  std::unique_ptr<Files> files = make();
  files->choose_range(request, now_s, rng);
  return files;
}

void Files::choose_range(const http::RequestHead& request, int64_t now_s, Rng& rng) {
  http::RangeSet set =
      http::asked_ranges(request.fields, request.method, size(), sent_->etag, sent_->status.st_mtim.tv_sec, now_s);
  if (set.kind == http::RangeKind::ignore) return;
  if (set.kind == http::RangeKind::unsatisfiable) {
    status_ = 416;
    bodyless_ = true;
    length_ = 0;
    content_range_ = "bytes */" + std::to_string(size());
  } else if (set.ranges.size() > 1) {
    status_ = 206;
    several_ = std::make_unique<http::ByteRanges>(std::move(set.ranges), size(), sent_->content_type, rng.next());
    length_ = several_->length();
    fields_.remove(FieldId::content_type);
    fields_.add("Content-Type", several_->content_type());
    return;
  } else {
    status_ = 206;
    first_ = set.ranges[0].first;
    length_ = set.ranges[0].length;
    content_range_ = http::content_range(set.ranges[0], size());
  }
  fields_.add("Content-Range", content_range_);
}

Source::Head Files::head(Answer& answer) {
  answer.status = status_;
  answer.reason = http::reason_phrase(status_);
  answer.fields = &fields_;
  if (status_ != 304) answer.length = length_;
  return Head::ready;
}

Source::Flow Files::proceed(Body& out, uint64_t) {
  if (std::exchange(bodyless_, true)) return Flow::end;
  if (!several_) {
    out.append(sent_->file, static_cast<off_t>(first_), length_);
    return Flow::end;
  }
  size_t i = 0;
  for (const http::ByteRange& range : several_->ranges()) {
    out.append(Slice::copy_of(several_->head(i++)));
    out.append(sent_->file, static_cast<off_t>(range.first), range.length);
  }
  out.append(Slice::copy_of(several_->tail()));
  return Flow::end;
}

}  // namespace portolan::proxy
