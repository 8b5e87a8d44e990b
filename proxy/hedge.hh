#pragma once
// A second request to another server when the first has not answered within a while: the first answer wins, the other
// request is cancelled. Takes from the retry budget; never waits for a server with room. Owned by the first request.
#include <memory>

#include "core/base/recycled.hh"
#include "proxy/origin_request.hh"

namespace portolan::proxy {

// Without a body, and safe to be sent twice.
inline bool may_hedge(const http::RequestHead& head) {
  return head.framing == http::Framing::none && head.upgrade.empty() && http::is_idempotent(head.method);
}

class Hedge final : public OriginRequest::Consumer, public Recycled {
 public:
  Hedge(Proxy& proxy, OriginRequest& first, OriginRequest::Consumer& consumer);
  ~Hedge();
  void first_answered();
  // The first request has failed; true: the second goes on, and what it says counts.
  bool covers(const OriginFailure& failure);
  OriginRequest* winner() const { return won_ ? second_.get() : nullptr; }
  int tries() const { return second_ ? second_->tries() : 0; }

 private:
  void on_time();
  void observe();
  void on_interim(const http::ResponseHead&) override {}
  void on_head(http::ResponseHead& head) override;
  void on_body(Slice bytes) override { consumer_.on_body(std::move(bytes)); }
  void on_end(const http::Fields& trailers) override { consumer_.on_end(trailers); }
  void on_failure(const OriginFailure& failure, bool amid_body) override;
  bool wants_more() override { return consumer_.wants_more(); }

  Proxy& proxy_;
  OriginRequest& first_;
  OriginRequest::Consumer& consumer_;
  std::shared_ptr<health::PoolState> pool_;
  int64_t began_us_;
  bool won_ = false;
  bool second_failed_ = false;
  bool first_failed_ = false;
  OriginFailure failure_;  // the first's
  loop::Timer timer_;
  std::unique_ptr<OriginRequest> second_;
};

}  // namespace portolan::proxy
