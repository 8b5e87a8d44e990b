#pragma once
// An answer straight from a server of a pool, with a bounded buffer between the two speeds.
#include "proxy/origin_request.hh"
#include "proxy/source/source.hh"

namespace portolan::proxy {

class Upstream final : public Source, public OriginRequest::Consumer, public Recycled {
 public:
  // `waiter` is run when something changed; it outlives the source.
  Upstream(Proxy& proxy, std::shared_ptr<Cluster> cluster, OriginRequest::Ask ask, loop::Runnable& waiter);
  void start() { origin_.start(); }

  Head head(Answer& answer) override;
  Flow proceed(Body& out, uint64_t most) override;
  int failure_status() const override { return failure_.status; }
  const http::Fields* trailers() const override { return &trailers_; }
  OriginRequest* upload() override { return &origin_; }
  bool take_interim(std::string& out) override;
  std::string_view server() const override { return origin_.server(); }
  ServerId server_id() const override { return origin_.server_id(); }
  int tries() const override { return origin_.tries(); }
  std::string set_cookie(bool tls) const override { return origin_.set_cookie(tls, head_.fields); }
  const http::ResponseHead* response() const override { return &head_; }

 private:
  void on_interim(const http::ResponseHead& head) override;
  void on_head(http::ResponseHead& head) override;
  void on_body(Slice bytes) override;
  void on_end(const http::Fields& trailers) override;
  void on_failure(const OriginFailure& failure, bool amid_body) override;
  bool wants_more() override;
  void on_upload_room() override;
  void wake();

  Proxy& proxy_;
  loop::Worker& worker_;
  loop::Runnable& waiter_;
  http::ResponseHead head_;
  bool has_head_ = false;
  bool ended_ = false;
  bool failed_ = false;
  bool paused_ = false;
  OriginFailure failure_;
  Body pending_;
  std::string interim_;
  BlockRef trailer_bytes_;
  http::Fields trailers_;
  OriginRequest origin_;  // last: its callbacks use the members above
};

}  // namespace portolan::proxy
