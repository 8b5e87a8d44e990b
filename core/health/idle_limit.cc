#include "core/health/idle_limit.hh"

#include <algorithm>
#include <cstdlib>

namespace portolan::health {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr int64_t clock_play_ms = 20;  // timers here and there

}  // namespace

void IdleLimit::learn(int64_t limit_ms, int64_t now_ms) {
  limit_ms_.store(std::max<int64_t>(limit_ms, 1), relaxed);
  until_ms_.store(now_ms + forget_ms, relaxed);
}

void IdleLimit::said(int64_t limit_ms, int64_t now_ms) {
  if (limit_ms_.load(relaxed) == limit_ms && until_ms_.load(relaxed) - now_ms > forget_ms / 2) return;
  learn(limit_ms, now_ms);
}

// One close may be a restart's. Two after the same time are the server's habit.
void IdleLimit::closed(int64_t idle_ms, int64_t now_ms) {
  survived_ms_.store(std::min(survived_ms_.load(relaxed), idle_ms / 2), relaxed);
  int64_t seen = seen_ms_.exchange(std::max<int64_t>(idle_ms, 1), relaxed);
  if (seen == 0 || std::abs(seen - idle_ms) > std::max(seen / 10, clock_play_ms)) return;
  learn(std::min(seen, idle_ms), now_ms);
}

bool IdleLimit::safe(int64_t idle_ms, int64_t now_ms) const {
  if (idle_ms > std::max(surely_alive_ms, survived_ms_.load(relaxed))) return false;
  int64_t limit = limit_ms_.load(relaxed);
  return limit == 0 || now_ms >= until_ms_.load(relaxed) || idle_ms <= limit / 2;
}

}  // namespace portolan::health
