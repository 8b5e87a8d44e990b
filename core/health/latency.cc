#include "core/health/latency.hh"

#include <algorithm>
#include <cmath>

namespace portolan::health {
namespace {

constexpr double fades_in_us = 5e6;             // to a 1/e-th
constexpr int64_t failure_factor = 10;          // a failure counts as so many times what was expected,
constexpr int64_t least_failure_us = 50'000;    // but as at least
constexpr int64_t most_failure_us = 5'000'000;  // and at most so long
constexpr int64_t most_us = 60'000'000;

double faded(double value, int64_t age_us) {
  return age_us > 0 ? value * std::exp(-static_cast<double>(age_us) / fades_in_us) : value;
}

}  // namespace

double expected_latency_us(const ServerState& server, int64_t now_us) {
  int64_t latency_us = server.latency_us.load(std::memory_order_relaxed);
  if (latency_us == 0) return 0;
  return faded(static_cast<double>(latency_us), now_us - server.latency_at_us.load(std::memory_order_relaxed));
}

void note_latency(ServerState& server, int64_t latency_us, int64_t now_us) {
  auto seen = static_cast<double>(std::clamp<int64_t>(latency_us, 1, most_us));
  auto known = static_cast<double>(server.latency_us.load(std::memory_order_relaxed));
  int64_t age_us = now_us - server.latency_at_us.load(std::memory_order_relaxed);
  double next = seen;
  if (known > seen) {
    double kept = faded(1, age_us);
    next = known * kept + seen * (1 - kept);
  }
  server.latency_us.store(std::max<int64_t>(1, std::llround(next)), std::memory_order_relaxed);
  server.latency_at_us.store(now_us, std::memory_order_relaxed);
}

void note_failure(ServerState& server, int64_t after_us, int64_t now_us) {
  int64_t expected_us = std::llround(expected_latency_us(server, now_us));
  int64_t counts_as_us = std::clamp(expected_us * failure_factor, least_failure_us, most_failure_us);
  note_latency(server, std::max(after_us, counts_as_us), now_us);
}

}  // namespace portolan::health
