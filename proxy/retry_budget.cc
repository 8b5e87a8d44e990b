#include "proxy/retry_budget.hh"

#include <algorithm>

namespace portolan::proxy {
namespace {

constexpr int64_t window_ms = 5000;
constexpr double always_allowed = 100;  // over two windows

void turn_window(health::PoolState& pool, int64_t now_ms) {
  int64_t start = pool.window_start_ms.load(std::memory_order_relaxed);
  if (now_ms - start < window_ms) return;
  if (!pool.window_start_ms.compare_exchange_strong(start, now_ms, std::memory_order_relaxed)) return;
  bool long_ago = now_ms - start >= 2 * window_ms;
  pool.window_requests[1] = long_ago ? 0 : pool.window_requests[0].load();
  pool.window_retries[1] = long_ago ? 0 : pool.window_retries[0].load();
  pool.window_requests[0] = 0;
  pool.window_retries[0] = 0;
}

}  // namespace

void count_request(health::PoolState& pool, int64_t now_ms) {
  turn_window(pool, now_ms);
  pool.window_requests[0].fetch_add(1, std::memory_order_relaxed);
}

bool take_retry(health::PoolState& pool, int64_t now_ms, double share) {
  turn_window(pool, now_ms);
  double requests = static_cast<double>(pool.window_requests[0] + pool.window_requests[1]);
  double retries = static_cast<double>(pool.window_retries[0] + pool.window_retries[1]);
  if (retries >= std::max(requests * share, always_allowed)) return false;
  pool.window_retries[0].fetch_add(1, std::memory_order_relaxed);
  return true;
}

}  // namespace portolan::proxy
