#pragma once
// A copy of a request for another pool, whose answer is thrown away. It belongs to the worker: the client's exchange hands
// it the body as it comes and never waits for it; where it can't keep up within its buffer it is given up.
#include <memory>
#include <string_view>

#include "core/base/metrics.hh"
#include "proxy/origin_request.hh"

namespace portolan::proxy {

class MirrorFeed;

class Mirror final : public OriginRequest::Consumer, public loop::Mortal, public loop::Runnable {
 public:
  // `most_buffered`: bytes of the body that may wait for the server.
  Mirror(Proxy& proxy, std::shared_ptr<Cluster> cluster, OriginRequest::Ask ask, uint64_t most_buffered);
  ~Mirror() override;
  // What feeds it; destroyed early, the request is given up. Call it once, then start().
  std::unique_ptr<MirrorFeed> feed();
  void start();

 private:
  friend class MirrorFeed;
  void on_head(http::ResponseHead&) override {}
  void on_body(Slice) override {}
  void on_end(const http::Fields& trailers) override;
  void on_failure(const OriginFailure& failure, bool amid_body) override;
  bool wants_more() override { return true; }
  void on_upload_room() override;
  void run() override { flush(); }
  void flush();
  void end(std::string_view result);

  Proxy& proxy_;
  uint64_t most_buffered_;
  MirrorFeed* feed_ = nullptr;
  Body waiting_;
  bool body_whole_ = false;
  bool over_ = false;
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

// How mirrored requests ended: answered, failed, or dropped as the client's broke off, the body didn't fit the buffer, or
// too many were under way.
extern const metrics::Family mirrored_total;  // pool, result

}  // namespace portolan::proxy
