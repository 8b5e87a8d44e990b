#pragma once
// How long a server leaves an idle connection open, as far as that is known: said by it (Keep-Alive: timeout=), or
// seen, where two closes of idle connections agree. Shared by all workers: relaxed atomics, none of which must be
// exact. What was learnt is forgotten after ten minutes, for servers are configured anew.
#include <atomic>
#include <cstdint>

namespace portolan::health {

class IdleLimit {
 public:
  static constexpr int64_t forget_ms = 600'000;
  static constexpr int64_t surely_alive_ms = 1'000;

  void said(int64_t limit_ms, int64_t now_ms);
  void closed(int64_t idle_ms, int64_t now_ms);  // the server closed a connection that had idled so long
  void survived(int64_t idle_ms) {               // one that had idled so long still carried a request
    if (idle_ms > survived_ms_.load(std::memory_order_relaxed)) survived_ms_.store(idle_ms, std::memory_order_relaxed);
  }

  // When to close an idle connection before the server does: at 80 % of its limit, `otherwise` where none is known.
  int64_t retire_after_ms(int64_t now_ms, int64_t otherwise) const {
    int64_t limit = limit_ms_.load(std::memory_order_relaxed);
    if (limit == 0 || now_ms >= until_ms_.load(std::memory_order_relaxed)) return otherwise;
    return limit * 4 / 5 < otherwise ? limit * 4 / 5 : otherwise;
  }
  // Whether a request that can't be sent again may take a connection that idled so long: others lived longer, and the
  // server's limit is far.
  bool safe(int64_t idle_ms, int64_t now_ms) const;

 private:
  void learn(int64_t limit_ms, int64_t now_ms);
  std::atomic<int64_t> limit_ms_{0};  // 0: unknown
  std::atomic<int64_t> until_ms_{0};  // when it is forgotten
  std::atomic<int64_t> seen_ms_{0};   // the last close that no other agreed with; 0: none
  std::atomic<int64_t> survived_ms_{0};
};

}  // namespace portolan::health
