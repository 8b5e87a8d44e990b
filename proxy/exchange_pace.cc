// How fast a client must send its request's body and take its answer: looked at by its connection's timer alone.
#include "proxy/connection.hh"
#include "proxy/exchange.hh"
#include "proxy/grpc.hh"
#include "proxy/proxy.hh"

namespace portolan::proxy {

Exchange::Slow Exchange::too_slow(int64_t now_ms, uint64_t unsent, uint64_t queued, int64_t looked_at_every_ms) {
  if (!head_ || !route_ || tunnel_) return Slow::no;
  Timeouts limits = connection_.listener().timeouts;
  auto pool = snapshot_->pools.find(*pool_);
  if (pool != snapshot_->pools.end()) limits = pool->second->timeouts.over(limits);
  limits = route_->timeouts.over(limits);
  if (!std::exchange(looked_at_pace_, true)) sending_.begin(now_ms - looked_at_every_ms);
  // Who is answered already may go on sending as it likes; what a gRPC client streams has a pace of its own.
  bool sends = !head_sent_ && waits_for_client();
  if (OriginRequest* origin = sends ? source_->upload() : nullptr) sends = origin->starves();
  if (sends && pool != snapshot_->pools.end() && pool->second->http2 && is_grpc(head_->fields)) sends = false;
  if (sending_.too_slow(now_ms, bytes_in_, sends, limits)) return Slow::sending;
  if (!taking_.too_slow(now_ms, bytes_out_ - unsent - queued, unsent > 0, limits)) return Slow::no;
  return Slow::taking;
}

void Exchange::note_slow(Slow slow) {
  note_ = slow == Slow::sending ? "slow request body" : "slow reader";
  proxy_.count_slow(connection_.listener().config.name, slow == Slow::sending ? "request" : "answer");
}

}  // namespace portolan::proxy
