// Of two members drawn by their weights, the one that will probably answer sooner: by the latency seen lately (peak
// EWMA: core/health/latency), times this one and those who wait there, as its weight bears them. Who was not heard of yet,
// or not for long, is tried.
#include <fmt/format.h>

#include "core/health/latency.hh"
#include "proxy/balance/seats.hh"

namespace portolan::proxy {
namespace {

class Fastest final : public Balancer {
 public:
  Fastest(std::shared_ptr<const health::Pool> pool, const std::vector<size_t>& members)
      : seats_(std::move(pool), members), lots_(seats_.shares()) {
    for (int64_t share : seats_.shares())
      mean_share_ += static_cast<double>(share) / static_cast<double>(seats_.size());
  }

  size_t pick(const Pick& ask) override {
    return pick_of_two(seats_, lots_, ask,
                       [&](const Seat& a, const Seat& b) { return cost(a, ask.now_us) < cost(b, ask.now_us); });
  }

  std::string standing(size_t member, const Pick& ask) const override {
    size_t at = seats_.seat_of(member);
    double latency_us = health::expected_latency_us(*seats_[at].state, ask.now_us);
    double cost_us = cost(seats_[at], ask.now_us);
    std::string seen = latency_us > 0 ? fmt::format("{:.1f} ms lately", latency_us / 1000)
                       : cost_us > 0  ? "not heard of yet, asked already"
                                      : "not heard of yet";
    return fmt::format("{:.1f} ms expected ({}, {} in flight), {}", cost_us / 1000, seen, seats_[at].in_flight(),
                       seats_.drawn_at(at));
  }

 private:
  // One request asks the unknown; whoever comes before its answer prefers those that are known.
  static constexpr double unknown_us = 10e6;

  double cost(const Seat& seat, int64_t now_us) const {
    double latency_us = health::expected_latency_us(*seat.state, now_us);
    double waiting = static_cast<double>(seat.in_flight()) * mean_share_ / static_cast<double>(seat.share);
    if (latency_us == 0) latency_us = waiting > 0 ? unknown_us : 0;
    return latency_us * (waiting + 1);
  }

  Seats seats_;
  Lots lots_;
  double mean_share_ = 0;
};

const Registration<BalancerKind> registered{{"fastest", "the sooner of two drawn by lot",
                                             [](auto pool, auto members) {
                                               return std::unique_ptr<Balancer>(
                                                   std::make_unique<Fastest>(std::move(pool), members));
                                             },
                                             true}};

}  // namespace
}  // namespace portolan::proxy
