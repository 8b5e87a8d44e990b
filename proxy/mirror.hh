#pragma once
// A copy of a request for another pool, whose answer is thrown away. It belongs to the worker: the client's exchange hands
// it the body as it comes and never waits for it; where it can't keep up within its buffer it is given up, and an answer
// that is longer or takes longer than its limits is cut.
#include <memory>
#include <string_view>

#include "core/base/metrics.hh"
#include "proxy/origin_request.hh"

namespace portolan::proxy {

class MirrorFeed;

class Mirror final : public OriginRequest::Consumer, public loop::Mortal, public loop::Runnable {
 public:
  Mirror(Proxy& proxy, std::shared_ptr<Cluster> cluster, OriginRequest::Ask ask, const MirrorConfig& limits);
  ~Mirror() override;
  // What feeds it; destroyed early, the request is given up. Call it once, then start().
  std::unique_ptr<MirrorFeed> feed();
  void start();

 private:
  friend class MirrorFeed;
  void on_head(http::ResponseHead&) override {}
  void on_body(Slice bytes) override;
  void on_end(const http::Fields& trailers) override;
  void on_failure(const OriginFailure& failure, bool amid_body) override;
  bool wants_more() override { return true; }
  void on_upload_room() override;
  void run() override { flush(); }
  void on_timeout() { end("cut"); }
  void flush();
  void end(std::string_view result);

  Proxy& proxy_;
  const uint64_t most_buffered_, most_answered_;
  const int64_t answer_ms_;
  uint64_t answered_ = 0;  // bytes of the answer's body
  MirrorFeed* feed_ = nullptr;
  Body waiting_;
  bool body_whole_ = false;
  bool over_ = false;
  loop::Timer timer_;  // from the request's end to the answer's
  OriginRequest origin_;
};

class MirrorFeed : public Recycled {
 public:
  explicit MirrorFeed(Mirror& mirror) : mirror_(&mirror) {}
  ~MirrorFeed();
  MirrorFeed(const MirrorFeed&) = delete;
  MirrorFeed& operator=(const MirrorFeed&) = delete;
  void send_body(Slice bytes);
  void end_body();  // trailers are not mirrored

 private:
  friend class Mirror;
  Mirror* mirror_;  // null: it is over
};

// How mirrored requests ended: answered, failed, dropped as the client's broke off, the body didn't fit the buffer, or
// too many were under way, or cut as the answer was beyond its limits.
extern const metrics::Family mirrored_total;  // pool, result

}  // namespace portolan::proxy
