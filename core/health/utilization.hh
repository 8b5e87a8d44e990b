#pragma once
// How much of a pool is in use: for an autoscaler.
#include <optional>

#include "core/health/board.hh"

namespace portolan::health {

// Requests in flight to the servers that serve, by what they take at once (max_connections). Backups count where no
// other server serves. More than 1 is possible for a moment after a limit became lower; 1 where none serves. Nothing
// where that can't be known: no server, or one that serves without a limit.
std::optional<double> utilization(const Pool& pool);

}  // namespace portolan::health
