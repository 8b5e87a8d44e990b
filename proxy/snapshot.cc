#include "proxy/snapshot.hh"

namespace portolan::proxy {

Timeouts Snapshot::timeouts_of(const ListenerConfig& listener, const RouteConfig& route) const {
  Timeouts t = listener.timeouts.over(timeouts);
  if (auto pool = pools.find(route.pool); pool != pools.end()) t = pool->second.timeouts.over(t);
  return route.timeouts.over(t);
}

}  // namespace portolan::proxy
