#pragma once
// An answer from the cache: a stored object, or one that is being fetched and is read as it grows. Answers the client's
// conditionals and ranges.
#include "edge/cache.hh"
#include "proxy/fetch.hh"
#include "proxy/source/source.hh"

namespace portolan::proxy {

class Cached final : public Source {
 public:
  // `note` is set for the exchange whose miss began a fetch.
  Cached(loop::Worker& worker, loop::Runnable& waiter, const http::RequestHead& request, edge::Lookup lookup,
         std::string_view node, std::shared_ptr<FetchNote> note);
  ~Cached() override;

  Head head(Answer& answer) override;
  Flow proceed(Body& out, uint64_t most) override;
  int failure_status() const override { return reader_->error_status(); }
  const http::Fields* trailers() const override { return &reader_->trailers(); }
  std::string server() const override { return note_ ? note_->server : std::string(); }
  int tries() const override { return note_ ? note_->tries : 0; }

  bool retry() const { return reader_->retry(); }  // after `released`
  std::string cache_status() const;                // after `ready`

 private:
  void prepare(const edge::Object& object);
  void prepare_range(const edge::Object& object);
  loop::Worker& worker_;
  std::shared_ptr<WorkerWaker> waker_;
  const http::RequestHead& request_;
  edge::Outcome outcome_;
  edge::Forward forward_;
  const char* detail_;
  std::string_view node_;
  std::shared_ptr<FetchNote> note_;
  std::unique_ptr<edge::Reader> reader_;
  bool prepared_ = false;
  bool bodyless_ = false;  // 304, 416
  int status_ = 0;
  std::optional<uint64_t> length_;
  std::string content_range_;
  std::string date_;
  http::Fields fields_;  // the object's, with what a range adds
  edge::ObjectRef object_;
};

}  // namespace portolan::proxy
