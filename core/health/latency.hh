#pragma once
// How long a server takes to answer, as `fastest` remembers it: an average of latencies to the first byte that jumps to
// a longer one at once and falls back slowly (peak EWMA, as Finagle has it), and that fades while nothing is heard, so
// that who was slow is tried again. Kept in ServerState by relaxed atomics: of two updates at one moment one may be lost.
#include <cstdint>

#include "core/health/server_state.hh"

namespace portolan::health {

// Any worker. `now_us` is monotonic.
void note_latency(ServerState& server, int64_t latency_us, int64_t now_us);
// A request that failed after so long counts as a slow one, however soon it failed.
void note_failure(ServerState& server, int64_t after_us, int64_t now_us);
// 0: nothing is known.
double expected_latency_us(const ServerState& server, int64_t now_us);

}  // namespace portolan::health
