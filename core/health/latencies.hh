#pragma once
// How long answers of a pool took to begin, for percentiles: counts in steps of a fifth, from 100 µs to a minute.
// Relaxed atomics, any thread; older ones fade.
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace portolan::health {

class Latencies {
 public:
  static constexpr uint32_t fewest = 50;  // that say something
  void observe_us(int64_t us);
  // So many microseconds or fewer took `share` (0..1) of the answers; -1: too few were seen. Looked at anew every
  // second.
  int64_t percentile_us(double share, int64_t now_ms);

 private:
  static constexpr size_t steps = 74;
  static constexpr uint32_t most = 20'000;  // then all are halved
  void fade();
  std::array<std::atomic<uint32_t>, steps> counts_{};
  std::atomic<uint32_t> total_{0};
  std::atomic<int64_t> looked_ms_{INT64_MIN / 2};
  std::atomic<double> share_{0};
  std::atomic<int64_t> answer_us_{-1};
};

}  // namespace portolan::health
