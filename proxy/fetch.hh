#pragma once
// A fetch that fills the cache. It belongs to the worker, not to a client: exchanges follow it at their own pace through
// edge::Reader, on this worker or another, and any of them may leave. Of an answer that isn't stored and has several readers,
// one that keeps the others waiting for some two seconds is cut; whoever reads alone takes the time it needs.
#include <memory>

#include "edge/cache.hh"
#include "proxy/origin_request.hh"
#include "proxy/waker.hh"

namespace portolan::proxy {

// What the exchange that began a fetch wants to know of it: for the log, and what its client is told meanwhile.
struct FetchNote {
  std::string server;
  ServerId server_id;
  int tries = 0;
  int status = 0;                      // of the server's answer
  std::string interims;                // 1xx, serialised
  std::shared_ptr<WorkerWaker> asker;  // wakes the exchange; null: there is none
};

class Fetch final : public OriginRequest::Consumer, public loop::Mortal, public loop::Runnable {
 public:
  Fetch(Proxy& proxy, std::shared_ptr<Cluster> cluster, OriginRequest::Ask ask, std::unique_ptr<edge::Writer> writer,
        std::shared_ptr<edge::Cache> cache, std::shared_ptr<FetchNote> note);
  ~Fetch() override;
  void start();

 private:
  void on_interim(const http::ResponseHead& head) override;
  void on_head(http::ResponseHead& head) override;
  void on_body(Slice bytes) override;
  void on_end(const http::Fields& trailers) override;
  void on_failure(const OriginFailure& failure, bool amid_body) override;
  bool wants_more() override;
  void run() override;  // the cache has room again
  void take_notes();
  void look_at_readers();
  void end();

  Proxy& proxy_;
  std::shared_ptr<edge::Cache> cache_;  // outlives the writer, whatever a reload does
  std::unique_ptr<edge::Writer> writer_;
  std::shared_ptr<FetchNote> note_;
  std::shared_ptr<WorkerWaker> waker_;
  loop::Timer look_;  // while an answer that isn't stored waits for its readers
  int held_looks_ = 0;
  int64_t asked_ms_ = 0;
  bool discard_ = false;  // the readers have what they need: the rest of the body is dropped
  bool over_ = false;
  OriginRequest origin_;
};

}  // namespace portolan::proxy
