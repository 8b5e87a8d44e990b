#pragma once
// The files a worker keeps open because they are asked for again: opening, closing and describing them costs more than
// the rest of a request. Such a file is looked at (fstat) for every request, so that a change of it, another put in its
// place and its end are seen at once; the way to it is walked again after a second, so that a directory or a link put in
// place of another is seen then. Who has not been asked for for a second is closed. One worker's.
#include <sys/stat.h>

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/body.hh"
#include "core/http/encoding.hh"
#include "core/loop/worker.hh"
#include "proxy/config.hh"

namespace portolan::proxy {

// A regular file as it was when it was opened, and what answers say of it.
struct OpenFile {
  OpenFile(UniqueFd fd, const struct stat& as, std::string_view name);
  // In that coding where it is there, else itself.
  const OpenFile& in(http::Coding coding) const;
  FileRef file;
  struct stat status;
  std::string etag;  // of inode, modification time and size: strong
  std::string content_type;
  std::string last_modified;
  std::vector<std::pair<http::Coding, std::shared_ptr<const OpenFile>>> coded;  // beside it
};

class OpenFiles {
 public:
  static constexpr size_t most = 256;
  static constexpr int64_t walk_again_ms = 1000;

  explicit OpenFiles(loop::Worker& worker)
      : worker_(worker), sweep_(worker, this, &loop::Calls<&OpenFiles::sweep>::call) {}
  // What `path`, as asked for, led to; null: not kept, or no longer so.
  std::shared_ptr<const OpenFile> find(const FilesConfig& config, std::string_view path);
  void keep(const FilesConfig& config, std::string_view path, std::shared_ptr<const OpenFile> file);
  void clear() { files_.clear(); }  // the configurations are others now
  size_t size() const { return files_.size(); }

 private:
  struct Key {
    const FilesConfig* config;
    std::string_view path;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    size_t operator()(const Key& key) const noexcept;
  };
  struct Kept {
    std::unique_ptr<const std::string> path;  // the key's
    std::shared_ptr<const OpenFile> file;
    int64_t walked_ms = 0;
    bool asked_for = true;  // since the last sweep
  };
  void sweep();
  loop::Worker& worker_;
  std::unordered_map<Key, Kept, Hash> files_;
  loop::Timer sweep_;
};

}  // namespace portolan::proxy
