#include "core/health/utilization.hh"

#include <algorithm>

namespace portolan::health {

std::optional<double> utilization(const Pool& pool) {
  auto of_kind = [](bool backup) {
    return [backup](const Member& m) { return m.backup == backup && serves(m.health.state); };
  };
  if (pool.members.empty()) return std::nullopt;
  bool backups = std::none_of(pool.members.begin(), pool.members.end(), of_kind(false));
  int64_t in_flight = 0, capacity = 0;
  for (const Member& m : pool.members) {
    if (!of_kind(backups)(m)) continue;
    if (m.max_connections == 0) return std::nullopt;
    in_flight += m.state->in_flight.load(std::memory_order_relaxed);
    capacity += m.max_connections;
  }
  return capacity ? static_cast<double>(in_flight) / static_cast<double>(capacity) : 1;
}

}  // namespace portolan::health
