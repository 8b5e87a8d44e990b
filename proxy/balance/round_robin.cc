// Smooth weighted round robin: one schedule in which every member stands `weight` times, spread evenly, and one
// counter for all workers that says whose turn it is. Weights whose schedule would be too long are spread by arithmetic.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "proxy/balance/seats.hh"

namespace portolan::proxy {
namespace {

class RoundRobin final : public Balancer {
 public:
  RoundRobin(std::shared_ptr<const health::Pool> pool, const std::vector<size_t>& members)
      : seats_(std::move(pool), members) {
    weigh();
    if (is_whole_tier(seats_.pool(), members))
      turn_ = &seats_.pool().state->turns[seats_.pool().members[members.front()].rank()];
  }

  size_t pick(const Pick& ask) override {
    if (turns_ == 0) return none;
    uint64_t turn = turn_->fetch_add(1, std::memory_order_relaxed);
    size_t at = static_cast<size_t>(turn % turns_);
    if (size_t m = seats_.enter(seat_of(at), ask.tried); m != none) return m;
    // Full, or tried before: on through the turns, each seat once.
    for (size_t i = 1; i < turns_ && i < most_steps; ++i)
      if (size_t m = seats_.enter(seat_of((at + i) % turns_), ask.tried); m != none) return m;
    return seats_.enter_any(0, ask.tried);
  }

  std::string standing(size_t member, const Pick&) const override {
    const size_t now = static_cast<size_t>(turn_->load(std::memory_order_relaxed) % turns_);
    for (size_t i = 0; i < turns_ && i < most_steps; ++i) {
      if (seat_of((now + i) % turns_).member != member) continue;
      return i == 0 ? fmt::format("its turn, of {}", turns_) : fmt::format("its turn in {}, of {}", i, turns_);
    }
    return fmt::format("none of the next {} turns, of {}", most_steps, turns_);
  }

 private:
  static constexpr size_t longest_schedule = 1 << 17;
  static constexpr size_t most_steps = 1 << 10;

  const Seat& seat_of(size_t turn) const {
    if (!schedule_.empty()) return seats_[schedule_[turn]];
    if (ends_.empty()) return seats_[turn];
    // `stride_` has no divisor in common with the turns, so that a round visits every place once.
    uint64_t place = turn * stride_ % turns_;
    return seats_[static_cast<size_t>(std::upper_bound(ends_.begin(), ends_.end(), place) - ends_.begin())];
  }

  void weigh() {
    const std::vector<int64_t> shares = seats_.shares();
    int64_t common = 0;
    for (int64_t share : shares) common = std::gcd(common, share);
    turns_ = 0;
    for (int64_t share : shares) ends_.push_back(turns_ += static_cast<uint64_t>(share / common));
    if (turns_ == seats_.size()) {  // all alike: the seats are the schedule
      ends_.clear();
    } else if (turns_ <= longest_schedule) {
      spread(common);
      ends_.clear();
    } else {  // each visits its part of the turns by strides of the golden section: evenly, if not perfectly so
      stride_ = static_cast<uint64_t>(static_cast<double>(turns_) * 0.6180339887498949) | 1;
      while (std::gcd(stride_, turns_) != 1) stride_ += 2;
    }
  }

  // The k-th turn of a member of weight w belongs at (k + phase) / w of the round; each has a phase of its own, so that
  // members of one weight don't stand side by side.
  void spread(int64_t common) {
    struct Turn {
      double at;
      uint32_t seat;
    };
    std::vector<Turn> turns;
    turns.reserve(turns_);
    for (uint32_t i = 0; i < seats_.size(); ++i) {
      const int64_t times = seats_[i].share / common;  // `common` divides all of them
      const auto weight = static_cast<double>(times);
      double phase = (static_cast<double>(i) + 0.5) / static_cast<double>(seats_.size());
      for (int k = 0; k < times; ++k) turns.push_back({(k + phase) / weight, i});
    }
    std::stable_sort(turns.begin(), turns.end(), [](const Turn& a, const Turn& b) { return a.at < b.at; });
    schedule_.reserve(turns.size());
    for (const Turn& t : turns) schedule_.push_back(t.seat);
  }

  Seats seats_;
  std::atomic<uint64_t> own_turn_{0};
  std::atomic<uint64_t>* turn_ = &own_turn_;  // the pool's, where the whole tier is chosen from
  std::vector<uint32_t> schedule_;            // whose turn it is; empty: the seats in order, or by ends_
  std::vector<uint64_t> ends_;                // by seat: where its part of the turns ends
  uint64_t turns_ = 0;
  uint64_t stride_ = 1;
};

const Registration<BalancerKind> registered{{"round-robin", "whose turn it is", [](auto pool, auto members) {
                                               return std::unique_ptr<Balancer>(
                                                   std::make_unique<RoundRobin>(std::move(pool), members));
                                             }}};

}  // namespace
}  // namespace portolan::proxy
