#pragma once
// Static files below a root: content types, strong validators, conditionals, ranges, index files; sent by sendfile. No way
// out of the root: the kernel resolves the path beneath it (openat2, RESOLVE_BENEATH), links included. The root itself is
// resolved anew as well, a second later at most, so a link that is swapped deploys a new tree.
#include "core/base/body.hh"
#include "core/base/clock.hh"
#include "core/http/byte_ranges.hh"
#include "proxy/config.hh"
#include "proxy/source/open_files.hh"
#include "proxy/source/source.hh"

namespace portolan::proxy {

class Files final : public Source, public Recycled {
 public:
  // Opens the file, or takes it from `kept` (null: kept nowhere). Never fails: what can't be served is an answer too (404, 403, 405, 301 to a
  // directory's own name).
  static std::unique_ptr<Source> open(const FilesConfig& config, const http::RequestHead& request, int64_t now_s,
                                      Rng& rng, OpenFiles* kept);
  Head head(Answer& answer) override;
  Flow proceed(Body& out, uint64_t most) override;

 private:
  Files(std::shared_ptr<const OpenFile> file, http::Coding coding, bool varies);
  static std::unique_ptr<Source> serve(const FilesConfig& config, std::shared_ptr<const OpenFile> file,
                                       const http::RequestHead& request, int64_t now_s, Rng& rng);
  void choose_range(const http::RequestHead& request, int64_t now_s, Rng& rng);
  uint64_t size() const { return static_cast<uint64_t>(sent_->status.st_size); }
  std::shared_ptr<const OpenFile> file_;
  const OpenFile* sent_;  // it, or what stands beside it
  Text content_range_;
  int status_ = 200;
  uint64_t first_ = 0;
  uint64_t length_ = 0;
  bool bodyless_ = false;
  std::unique_ptr<const http::ByteRanges> several_;  // of a multipart answer
  http::Fields fields_;
};

}  // namespace portolan::proxy
