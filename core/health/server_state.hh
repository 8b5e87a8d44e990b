#pragma once
// What balancing and limits count across workers: relaxed atomics keyed by pool and address,
// outliving every snapshot.
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "core/health/idle_limit.hh"
#include "core/health/latencies.hh"
#include "core/health/load_order.hh"
#include "core/health/wait_queue.hh"

namespace portolan::health {

// How many datacentres by their distance are told apart; what is farther counts with the last.
constexpr size_t most_tiers = 4;

struct alignas(64) ServerState {
  std::atomic<int64_t> in_flight{0};  // requests (or connections) being served now
  std::atomic<uint64_t> requests{0};
  std::atomic<uint64_t> failures{0};           // refused, reset, timed out, or a status that counts as one
  std::atomic<uint32_t> failures_in_a_row{0};  // since the last answer
  std::atomic<bool> failure_told{false};       // control was told and has not looked yet
  std::atomic<uint64_t> ejections{0};          // counted by control
  // Where it stands for least-connections, if it does: PoolState::exact.
  LoadOrder* order = nullptr;
  uint32_t place = 0;
  // Of the first byte, as `fastest` goes by it: core/health/latency. 0: unknown.
  std::atomic<int64_t> latency_us{0};
  std::atomic<int64_t> latency_at_us{0};
  IdleLimit idle;
};

struct PoolState {
  // Round robin: one schedule for all workers, by Member::rank.
  std::atomic<uint64_t> turns[2 * most_tiers] = {};
  std::mutex exact;                        // the one lock a pool may take: least-connections
  LoadOrder orders[2 * most_tiers];        // by Member::rank: `exact`
  uint64_t order_of[2 * most_tiers] = {};  // the Pool::generation each stands for: `exact`
  std::atomic<bool> ordered{false};        // they are kept: whoever changes in_flight enters it there
  uint64_t generations = 0;                // of Pool, published so far: control's
  // What is built once for all workers, and a hash of what it was built of: a policy's, by Member::rank, and the
  // cookies' (proxy/sticky). `exact`.
  struct Built {
    uint64_t of = 0;
    std::shared_ptr<const void> it;
  };
  Built built[2 * most_tiers];
  Built cookies;
  // Retry budget: requests and retries of the current and the previous five seconds
  // (proxy/retry_budget).
  std::atomic<int64_t> window_start_ms{0};
  std::atomic<uint64_t> window_requests[2]{};
  std::atomic<uint64_t> window_retries[2]{};
  WaitQueue queue;       // requests that wait for a server with room
  Latencies first_byte;  // of routes that hedge
};

// A server was found for a request, and the request is over: in_flight changes by these alone, so that the orders
// follow, and who waits for room learns of it.
bool try_count_in(PoolState& pool, ServerState& server, int max_connections);  // false: it is full
void count_out(PoolState& pool, ServerState& server);
// As try_count_in, of a caller that holds `exact`.
bool try_count_in_locked(ServerState& server, int max_connections);

}  // namespace portolan::health
