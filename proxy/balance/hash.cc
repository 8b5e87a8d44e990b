// Requests with one key go to one server: a Maglev table, with bounded loads (Mirrokni, Thorup, Zadimoghaddam 2016). A
// member that has more than 1.25 times the average in flight is passed over for the next in the key's own sequence.
//
// A few requests at once are nobody's burden, and moving them would cost what hashing is for: up to `always_allowed`
// none is passed over. The average is kept up by looking at a few members with each pick: it lags by size / 4 picks.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "proxy/balance/maglev.hh"
#include "proxy/balance/seats.hh"

namespace portolan::proxy {
namespace {

constexpr double most_of_average = 1.25;
constexpr double always_allowed = 4;
constexpr size_t looked_at = 4;
constexpr int most_steps = 64;

// The next of a key's own sequence (splitmix64).
uint64_t next_of(uint64_t key) {
  uint64_t z = key + 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

class Hash final : public Balancer {
 public:
  Hash(std::shared_ptr<const health::Pool> pool, const std::vector<size_t>& members)
      : seats_(std::move(pool), members) {
    if (seats_.size() == 0) return;
    for (size_t i = 0; i < seats_.size(); ++i) {
      shares_ += static_cast<double>(seats_[i].share);
      seen_.push_back(seats_[i].in_flight());
      in_flight_ += seen_.back();
    }
    table_ = shared_table();
  }

  size_t pick(const Pick& ask) override {
    if (seats_.size() == 0) return none;
    look();
    uint64_t key = ask.to.key;
    for (int i = 0; i < most_steps; ++i, key = next_of(key)) {
      uint32_t at = table_->find(key);
      const Seat& seat = seats_[at];
      if (static_cast<double>(seat.in_flight()) >= bound_of(seat)) continue;
      if (size_t m = enter(at, ask.tried); m != none) return m;
    }
    // Nearly all are tried, full, or above what seems to be the average.
    for (size_t i = 0; i < seats_.size(); ++i)
      if (size_t m = enter((ask.to.key % seats_.size() + i) % seats_.size(), ask.tried); m != none) return m;
    return none;
  }

  std::string standing(size_t member, const Pick& ask) const override {
    const Seat& seat = seats_[seats_.seat_of(member)];
    std::string load = fmt::format("{} in flight, passed over at {:.3g}", seat.in_flight(), std::ceil(bound_of(seat)));
    std::vector<uint32_t> before;
    uint64_t key = ask.to.key;
    for (int i = 0; i < most_steps; ++i, key = next_of(key)) {
      uint32_t at = table_->find(key);
      if (std::find(before.begin(), before.end(), at) != before.end()) continue;
      before.push_back(at);
      if (seats_[at].member == member) return fmt::format("place {} in the key's order; {}", before.size(), load);
    }
    return fmt::format("beyond the key's first {}; {}", before.size(), load);
  }

 private:
  double bound_of(const Seat& seat) const {
    const double a_share = most_of_average * static_cast<double>(in_flight_ + 1) / shares_;
    return std::max(a_share * static_cast<double>(seat.share), always_allowed);
  }

  void look() {
    for (size_t i = 0; i < looked_at; ++i) {
      if (++looking_at_ >= seats_.size()) looking_at_ = 0;
      if (looking_at_ + 2 * looked_at < seats_.size()) __builtin_prefetch(seats_[looking_at_ + 2 * looked_at].state);
      int64_t now = seats_[looking_at_].in_flight();
      in_flight_ += now - std::exchange(seen_[looking_at_], now);
    }
  }

  size_t enter(size_t at, const Tried& tried) {
    size_t m = seats_.enter(seats_[at], tried);
    if (m == none) return m;
    ++seen_[at];
    ++in_flight_;
    return m;
  }

  // Made once for all workers: it takes milliseconds where servers are many.
  std::shared_ptr<const Maglev> shared_table() const {
    std::vector<Maglev::Entry> entries;
    for (size_t i = 0; i < seats_.size(); ++i)
      entries.push_back({seats_.pool().members[seats_[i].member].name, seats_[i].share});
    uint64_t of = Maglev::digest(entries);
    health::PoolState& state = *seats_.pool().state;
    std::lock_guard lock(state.exact);
    health::PoolState::Built& built = state.built[seats_.pool().members[seats_[0].member].rank()];
    if (built.of != of || !built.it) built = {of, std::make_shared<const Maglev>(entries)};
    return std::static_pointer_cast<const Maglev>(built.it);
  }

  Seats seats_;
  std::shared_ptr<const Maglev> table_;  // of seats_
  std::vector<int64_t> seen_;            // in flight, when it was looked at
  int64_t in_flight_ = 0;                // their sum
  double shares_ = 0;
  size_t looking_at_ = 0;
};

const Registration<BalancerKind> registered{{"hash", "the first in the key's order that is not overloaded",
                                             [](auto pool, auto members) {
                                               return std::unique_ptr<Balancer>(
                                                   std::make_unique<Hash>(std::move(pool), members));
                                             },
                                             false, true}};

}  // namespace
}  // namespace portolan::proxy
