// What the log and the metrics say of an exchange.
#include <algorithm>

#include "proxy/connection.hh"
#include "proxy/exchange.hh"
#include "proxy/grpc.hh"

namespace portolan::proxy {

using http::FieldId;

std::string_view Exchange::grpc_result() const {
  if (!grpc_status_.empty()) return grpc_status_;
  const http::Fields* trailers = source_ ? source_->trailers() : nullptr;
  return trailers ? grpc_status(*trailers) : std::string_view();
}

void Exchange::log() {
  if (std::exchange(logged_, true)) return;
  int64_t duration_us = std::max<int64_t>(0, proxy_.worker().precise_us() - downstream_.request_started_us());
  LogEntry entry;
  entry.listener = connection_.listener().config.name;
  entry.status = status_;
  RequestKey key;
  key.listener = connection_.listener().id;
  key.snapshot = snapshot_->version;
  key.status = status_;
  if (route_) {
    key.route = static_cast<uint32_t>(route_ - snapshot_->routes.data());
    entry.route = route_->name;
    entry.pool = *pool_;
    for (const PoolShare& share : route_->pools)
      if (&share.pool == pool_) key.share = static_cast<uint32_t>(&share - route_->pools.data());
  }
  if (source_) {
    entry.server = source_->server();
    key.server = source_->server_id();
    entry.tries = source_->tries();
  }
  RequestLabels labels{entry.listener, entry.route, entry.pool, entry.server, status_};
  proxy_.meter().count(key, labels, duration_us, bytes_in_, bytes_out_);
  if (grpc_) proxy_.count_grpc(entry.route, entry.pool, grpc_result());
  if (!proxy_.logs()) return;
  if (grpc_) entry.grpc_status = grpc_result();
  entry.wall_ms = proxy_.worker().wall_ms() - duration_us / 1000;
  entry.duration_us = duration_us;
  entry.client = client_.address;
  if (admission_) entry.user = admission_->user();
  entry.bytes = bytes_out_;
  entry.cache = cache_status_;
  entry.note = note_;
  if (connection_.tls()) entry.tls = connection_.tls()->version();
  if (head_) {
    entry.method = head_->method_text;
    entry.target = head_->target;
    entry.host = head_->authority;
    entry.protocol = head_->http2 ? "HTTP/2.0" : head_->minor_version == 1 ? "HTTP/1.1" : "HTTP/1.0";
    entry.referer = head_->fields.find(FieldId::referer).value_or("");
    entry.user_agent = head_->fields.find(FieldId::user_agent).value_or("");
  }
  proxy_.log(entry, snapshot_->log_format);
}

}  // namespace portolan::proxy
