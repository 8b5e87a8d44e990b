#include "proxy/balance/balancer.hh"

namespace portolan::proxy {

bool try_enter(const health::Member& member) {
  auto& in_flight = member.state->in_flight;
  if (member.max_connections == 0) {
    in_flight.fetch_add(1, std::memory_order_relaxed);
    return true;
  }
  int64_t now = in_flight.load(std::memory_order_relaxed);
  while (now < member.max_connections)
    if (in_flight.compare_exchange_weak(now, now + 1, std::memory_order_relaxed)) return true;
  return false;
}

}  // namespace portolan::proxy
