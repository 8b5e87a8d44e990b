#pragma once
// Static files below a root: content types, strong validators, conditionals, ranges, index files; sent by sendfile. No way
// out of the root: the kernel resolves the path beneath it (openat2, RESOLVE_BENEATH), links included. The root itself is
// resolved for each request, so a link that is swapped deploys a new tree.
#include "core/base/body.hh"
#include "proxy/config.hh"
#include "proxy/source/source.hh"

namespace portolan::proxy {

class Files final : public Source, public Recycled {
 public:
  // Opens the file. Never fails: what can't be served is an answer too (404, 403, 405, 301 to a directory's own name).
  static std::unique_ptr<Source> open(const FilesConfig& config, const http::RequestHead& request, int64_t now_s);
  Head head(Answer& answer) override;
  Flow proceed(Body& out, uint64_t most) override;

 private:
  Files() = default;
  void add(std::string_view name, std::string_view value);
  void choose_range(const http::RequestHead& request, int64_t now_s);
  FileRef file_;
  uint64_t size_ = 0;
  int64_t modified_s_ = 0;
  std::string etag_;
  int status_ = 200;
  uint64_t first_ = 0;
  uint64_t length_ = 0;
  bool bodyless_ = false;
  std::vector<Slice, RecycledAllocator<Slice>> values_;
  http::Fields fields_;
};

}  // namespace portolan::proxy
