#include "core/health/outlier.hh"

#include <algorithm>
#include <cmath>

namespace portolan::health {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;

uint64_t requests_over(const ServerState& counts) {
  int64_t over = static_cast<int64_t>(counts.requests.load(relaxed)) - counts.in_flight.load(relaxed);
  return static_cast<uint64_t>(std::max<int64_t>(over, 0));
}

}  // namespace

std::string Outlier::judge(const EjectConfig& config, const ServerState& counts, int64_t now_ms) {
  uint32_t in_a_row = counts.failures_in_a_row.load(relaxed);
  if (in_a_row * 2 >= static_cast<uint32_t>(config.failures)) struggled_ms_ = now_ms;
  if (in_a_row >= static_cast<uint32_t>(config.failures)) return std::to_string(in_a_row) + " failed requests in a row";
  if (config.ratio <= 0) return {};
  uint64_t failed = counts.failures.load(relaxed), over = requests_over(counts);
  if (begin_ms_ < 0 || now_ms - begin_ms_ >= config.window_ms) {
    begin_ms_ = now_ms;
    failed_ = failed - std::min<uint64_t>(failed, 1);  // the failure that opens it counts
    ended_ = over - std::min<uint64_t>(over, 1);
    return {};
  }
  uint64_t failures = failed - failed_;
  uint64_t requests = std::max(over > ended_ ? over - ended_ : 0, failures);
  double share = requests ? static_cast<double>(failures) / static_cast<double>(requests) : 0;
  if (requests < static_cast<uint64_t>(config.requests) || share < config.ratio) return {};
  return std::to_string(std::lround(share * 100)) + "% of " + std::to_string(requests) + " requests failed";
}

void Outlier::eject(const EjectConfig& config, ServerState& counts, int64_t now_ms) {
  int64_t served = times_ > 0 ? (now_ms - back_ms_) / config.time_ms : 0;
  times_ = static_cast<int>(std::max<int64_t>(0, times_ - served)) + 1;
  length_ms_ = std::min(config.time_ms * times_, std::max(config.max_time_ms, config.time_ms));
  until_ms_ = now_ms + length_ms_;
  counts.ejections.fetch_add(1, relaxed);
}

void Outlier::restore(ServerState& counts, int64_t now_ms) {
  until_ms_ = begin_ms_ = -1;
  back_ms_ = now_ms;
  counts.failures_in_a_row.store(0, relaxed);
}

}  // namespace portolan::health
