#include "proxy/request_meter.hh"

namespace portolan::proxy {

using metrics::Family;
using metrics::Type;

const Family requests_total{
    "portolan_requests_total", "Requests answered.", Type::counter, {"listener", "route", "pool", "server", "status"}};

namespace {

const Family request_seconds{"portolan_request_duration_seconds",
                             "From a request's first byte to the last byte of its answer.",
                             Type::histogram,
                             {"listener", "route"}};
const Family request_bytes{
    "portolan_request_bytes_total", "Body bytes received from clients.", Type::counter, {"listener", "route"}};
const Family response_bytes{
    "portolan_response_bytes_total", "Body bytes sent to clients.", Type::counter, {"listener", "route"}};

}  // namespace

size_t RequestMeter::Hash::operator()(const RequestKey& k) const {
  constexpr uint64_t odd = 0x9e3779b97f4a7c15;
  uint64_t h = (k.listener ^ k.snapshot << 20 ^ k.server.cluster << 40) * odd;
  h = (h ^ h >> 32 ^ k.route ^ uint64_t{k.share} << 24 ^ uint64_t{k.server.member} << 32) * odd;
  return (h ^ h >> 29 ^ static_cast<uint64_t>(k.status)) * odd >> 16;
}

void RequestMeter::count(const RequestKey& key, const RequestLabels& labels, int64_t duration_us, uint64_t bytes_in,
                         uint64_t bytes_out) {
  auto found = series_.find(key);
  if (found == series_.end()) found = series_.emplace(key, make(labels)).first;
  Series& s = found->second;
  s.requests->add();
  s.seconds->observe_us(static_cast<uint64_t>(duration_us));
  if (bytes_in) s.bytes_in->add(bytes_in);
  if (bytes_out) s.bytes_out->add(bytes_out);
}

RequestMeter::Series RequestMeter::make(const RequestLabels& l) {
  std::string status = std::to_string(l.status);
  return {&shard_.counter(requests_total, {l.listener, l.route, l.pool, l.server, status}),
          &shard_.histogram(request_seconds, {l.listener, l.route}),
          &shard_.counter(request_bytes, {l.listener, l.route}),
          &shard_.counter(response_bytes, {l.listener, l.route})};
}

}  // namespace portolan::proxy
