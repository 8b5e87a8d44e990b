// Smooth weighted round robin: one schedule in which every member stands `weight` times, spread evenly, and one
// counter for all workers that says whose turn it is. Weights whose schedule would be too long are spread by arithmetic.
#include <algorithm>
#include <numeric>

#include "proxy/balance/balancer.hh"

namespace portolan::proxy {
namespace {

class RoundRobin final : public Balancer {
 public:
  RoundRobin(std::shared_ptr<const health::Pool> pool, const std::vector<size_t>& members) : pool_(std::move(pool)) {
    for (size_t m : members) {
      const health::Member& member = pool_->members[m];
      seats_.push_back({member.state.get(), static_cast<uint32_t>(m), member.max_connections});
    }
    weigh(members);
  }

  size_t pick(const Tried& tried) override {
    if (seats_.empty()) return none;
    uint64_t turn = pool_->state->turn.fetch_add(1, std::memory_order_relaxed);
    size_t at = static_cast<size_t>(turn % turns_);
    if (size_t m = enter(seat_of(at), tried); m != none) return m;
    // Full, or tried before: on through the turns, each seat once.
    for (size_t i = 1; i < turns_ && i < most_steps; ++i)
      if (size_t m = enter(seat_of((at + i) % turns_), tried); m != none) return m;
    for (const Seat& seat : seats_)
      if (size_t m = enter(seat, tried); m != none) return m;
    return none;
  }

 private:
  struct Seat {                  // a member, with what a pick needs of it side by side
    health::ServerState* state;  // pool_ owns it
    uint32_t member;
    int max_connections;
  };
  static constexpr size_t longest_schedule = 1 << 17;
  static constexpr size_t most_steps = 1 << 10;

  size_t enter(const Seat& seat, const Tried& tried) {
    bool entered =
        !was_tried(tried, seat.member) && health::try_count_in(*pool_->state, *seat.state, seat.max_connections);
    return entered ? seat.member : none;
  }

  const Seat& seat_of(size_t turn) const {
    if (!schedule_.empty()) return seats_[schedule_[turn]];
    if (ends_.empty()) return seats_[turn];
    // `stride_` has no divisor in common with the turns, so that a round visits every place once.
    uint64_t place = turn * stride_ % turns_;
    return seats_[static_cast<size_t>(std::upper_bound(ends_.begin(), ends_.end(), place) - ends_.begin())];
  }

  void weigh(const std::vector<size_t>& members) {
    int common = 0;
    for (size_t m : members) common = std::gcd(common, pool_->members[m].weight);
    turns_ = 0;
    for (size_t m : members) ends_.push_back(turns_ += static_cast<uint64_t>(pool_->members[m].weight / common));
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
  void spread(int common) {
    struct Turn {
      double at;
      uint32_t seat;
    };
    std::vector<Turn> turns;
    turns.reserve(turns_);
    for (uint32_t i = 0; i < seats_.size(); ++i) {
      int weight = pool_->members[seats_[i].member].weight / common;
      double phase = (static_cast<double>(i) + 0.5) / static_cast<double>(seats_.size());
      for (int k = 0; k < weight; ++k) turns.push_back({(k + phase) / weight, i});
    }
    std::stable_sort(turns.begin(), turns.end(), [](const Turn& a, const Turn& b) { return a.at < b.at; });
    schedule_.reserve(turns.size());
    for (const Turn& t : turns) schedule_.push_back(t.seat);
  }

  std::shared_ptr<const health::Pool> pool_;
  std::vector<Seat> seats_;
  std::vector<uint32_t> schedule_;  // whose turn it is; empty: the seats in order, or by ends_
  std::vector<uint64_t> ends_;      // by seat: where its part of the turns ends
  uint64_t turns_ = 0;
  uint64_t stride_ = 1;
};

const Registration<BalancerKind> registered{{"round-robin", [](auto pool, auto members) {
                                               return std::unique_ptr<Balancer>(
                                                   std::make_unique<RoundRobin>(std::move(pool), members));
                                             }}};

}  // namespace
}  // namespace portolan::proxy
