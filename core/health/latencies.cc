#include "core/health/latencies.hh"

#include <algorithm>
#include <cmath>

namespace portolan::health {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr double first_us = 100, ratio = 1.2;
constexpr int64_t look_every_ms = 1'000;

int64_t upper_us(size_t step) {
  return std::llround(first_us * std::pow(ratio, static_cast<double>(step)));
}

}  // namespace

void Latencies::observe_us(int64_t us) {
  double step = us <= first_us ? 0 : std::ceil(std::log(static_cast<double>(us) / first_us) / std::log(ratio));
  counts_[std::min(static_cast<size_t>(step), steps - 1)].fetch_add(1, relaxed);
  if (total_.fetch_add(1, relaxed) + 1 == most) fade();
}

// What is counted meanwhile may be lost: these are samples.
void Latencies::fade() {
  uint32_t left = 0;
  for (auto& count : counts_) {
    uint32_t half = count.load(relaxed) / 2;
    count.store(half, relaxed);
    left += half;
  }
  total_.store(left, relaxed);
}

int64_t Latencies::percentile_us(double share, int64_t now_ms) {
  if (now_ms - looked_ms_.load(relaxed) < look_every_ms && share_.load(relaxed) == share)
    return answer_us_.load(relaxed);
  uint64_t all = 0;
  for (auto& count : counts_) all += count.load(relaxed);
  int64_t answer = -1;
  auto wanted = static_cast<uint64_t>(std::ceil(share * static_cast<double>(all)));
  uint64_t below = 0;
  for (size_t i = 0; i < steps && all >= fewest && answer < 0; ++i)
    if ((below += counts_[i].load(relaxed)) >= wanted) answer = upper_us(i);
  looked_ms_.store(now_ms, relaxed);
  share_.store(share, relaxed);
  answer_us_.store(answer, relaxed);
  return answer;
}

}  // namespace portolan::health
