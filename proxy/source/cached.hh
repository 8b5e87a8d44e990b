#pragma once
// An answer from the cache: a stored object, or one that is being fetched and is read as it grows. Answers the client's
// conditionals and ranges.
#include <optional>

#include "edge/cache.hh"
#include "proxy/fetch.hh"
#include "proxy/source/source.hh"

namespace portolan::proxy {

class Cached final : public Source, public Recycled {
 public:
  // `note` is set for the exchange whose miss began a fetch.
  Cached(loop::Worker& worker, loop::Runnable& waiter, const http::RequestHead& request, edge::Lookup lookup,
         std::string_view node, std::shared_ptr<FetchNote> note);
  ~Cached() override;

  Head head(Answer& answer) override;
  Flow proceed(Body& out, uint64_t most) override;
  bool take_interim(std::string& out) override;
  int failure_status() const override { return reader().error_status(); }
  const http::Fields* trailers() const override { return &reader().trailers(); }
  std::string_view server() const override { return note_ ? std::string_view(note_->server) : std::string_view(); }
  ServerId server_id() const override { return note_ ? note_->server_id : ServerId{}; }
  int tries() const override { return note_ ? note_->tries : 0; }

  bool retry() const { return reader().retry(); }  // after `released`
  Text cache_status() const;                       // after `ready`

 private:
  void prepare(const edge::Object& object);
  void prepare_range(const edge::Object& object);
  edge::Reader& reader() const { return followed_ ? *followed_ : *own_; }
  const std::shared_ptr<WorkerWaker>& waker();  // made when there is something to wait for
  loop::Worker& worker_;
  loop::Runnable& waiter_;
  std::shared_ptr<WorkerWaker> waker_;
  const http::RequestHead& request_;
  edge::Outcome outcome_;
  edge::Forward forward_;
  const char* detail_;
  std::string_view node_;
  std::shared_ptr<FetchNote> note_;
  mutable std::optional<edge::Reader> own_;  // of a stored object
  std::unique_ptr<edge::Reader> followed_;   // of a fetch
  bool prepared_ = false;
  bool bodyless_ = false;  // 304, 416
  int status_ = 0;
  std::optional<uint64_t> length_;
  std::string content_range_;
  edge::ObjectRef object_;
};

}  // namespace portolan::proxy
