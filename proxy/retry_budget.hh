#pragma once
// How many retries a pool may make: a share of the requests of the last five to ten seconds, and always ten a second, so
// that retries can't amplify an outage. Shared by all workers; approximate where a window turns.
#include <cstdint>

#include "core/health/server_state.hh"

namespace portolan::proxy {

void count_request(health::PoolState& pool, int64_t now_ms);
// True, and counted, when one more retry is within `share` (0..1).
bool take_retry(health::PoolState& pool, int64_t now_ms, double share);

}  // namespace portolan::proxy
