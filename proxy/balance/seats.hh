#pragma once
// The members of a tier as a pick needs them, side by side, and what policies that draw lots share.
#include <memory>
#include <vector>

#include "proxy/balance/balancer.hh"

namespace portolan::proxy {

struct Seat {
  health::ServerState* state;  // the pool owns it
  uint32_t member;             // of Pool::members
  int max_connections;
  int64_t share;  // health::Member::share
  int64_t in_flight() const { return state->in_flight.load(std::memory_order_relaxed); }
};

class Seats {
 public:
  Seats(std::shared_ptr<const health::Pool> pool, const std::vector<size_t>& members);
  size_t size() const { return seats_.size(); }
  const Seat& operator[](size_t i) const { return seats_[i]; }
  std::vector<int64_t> shares() const;
  const health::Pool& pool() const { return *pool_; }
  size_t seat_of(size_t member) const;      // size(): it has none
  std::string drawn_at(size_t seat) const;  // for people: its part of all draws
  // May take it, as far as a look tells: not tried, not full.
  bool open(const Seat& seat, const Tried& tried) const {
    return !was_tried(tried, seat.member) && (seat.max_connections == 0 || seat.in_flight() < seat.max_connections);
  }
  // Counts the request in: the member, or none where it was tried or is full.
  size_t enter(const Seat& seat, const Tried& tried) const {
    bool entered =
        !was_tried(tried, seat.member) && health::try_count_in(*pool_->state, *seat.state, seat.max_connections);
    return entered ? seat.member : Balancer::none;
  }
  // The first that can be entered from seat `first` on: where luck has found nobody.
  size_t enter_any(size_t first, const Tried& tried) const;

 private:
  std::shared_ptr<const health::Pool> pool_;
  std::vector<Seat> seats_;
};

// Draws a seat by its share in constant time (Walker's alias method, as Vose builds it).
class Lots {
 public:
  explicit Lots(const std::vector<int64_t>& shares);
  // `random`: 64 bits nobody else uses.
  size_t draw(uint64_t random) const {
    auto at = static_cast<size_t>((random >> 32) * count_ >> 32);
    if (slots_.empty()) return at;  // all alike
    const Slot& slot = slots_[at];
    return static_cast<uint32_t>(random) < slot.own ? at : slot.other;
  }

 private:
  struct Slot {
    uint32_t own = UINT32_MAX;  // of 2^32: how often the slot stands for itself
    uint32_t other = 0;
  };
  uint64_t count_;
  std::vector<Slot> slots_;
};

// The better of two drawn by their shares: the power of two choices. `better`: of two seats, whether the first is; where
// neither is, the draw stands, and with it the shares. Draws a few times more where what it drew is full or tried, then takes anybody.
template <class Better>
size_t pick_of_two(const Seats& seats, const Lots& lots, const Pick& ask, Better better) {
  constexpr int most_draws = 4;
  if (seats.size() == 0) return Balancer::none;
  for (int i = 0; i < most_draws; ++i) {
    size_t a = lots.draw(ask.rng.next());
    size_t b = lots.draw(ask.rng.next());
    for (int again = 0; a == b && again < most_draws && seats.size() > 1; ++again) b = lots.draw(ask.rng.next());
    if (a == b && seats.size() > 1) b = a + 1 < seats.size() ? a + 1 : 0;
    bool b_open = seats.open(seats[b], ask.tried);
    const Seat& chosen =
        b_open && (!seats.open(seats[a], ask.tried) || better(seats[b], seats[a])) ? seats[b] : seats[a];
    if (size_t m = seats.enter(chosen, ask.tried); m != Balancer::none) return m;
  }
  return seats.enter_any(lots.draw(ask.rng.next()), ask.tried);
}

}  // namespace portolan::proxy
