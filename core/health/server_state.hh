#pragma once
// What balancing and limits count across workers: relaxed atomics keyed by pool and address,
// outliving every snapshot.
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

namespace portolan::health {

struct alignas(64) ServerState {
  std::atomic<int64_t> in_flight{0};  // requests (or connections) being served now
  std::atomic<uint64_t> requests{0};
  std::atomic<uint64_t> failures{0};           // refused, reset, timed out
  std::atomic<uint32_t> failures_in_a_row{0};  // since the last answer
};

struct PoolState {
  std::atomic<uint64_t> turn{0};  // round robin: one schedule for all workers
  std::mutex exact;               // the one lock a pool may take: least-connections
  // Retry budget: requests and retries of the current and the previous five seconds
  // (proxy/retry_budget).
  std::atomic<int64_t> window_start_ms{0};
  std::atomic<uint64_t> window_requests[2]{};
  std::atomic<uint64_t> window_retries[2]{};
};

}  // namespace portolan::health
