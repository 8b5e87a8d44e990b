#include "proxy/balance/seats.hh"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace portolan::proxy {

Seats::Seats(std::shared_ptr<const health::Pool> pool, const std::vector<size_t>& members) : pool_(std::move(pool)) {
  seats_.reserve(members.size());
  for (size_t m : members) {
    const health::Member& member = pool_->members[m];
    seats_.push_back({member.state.get(), static_cast<uint32_t>(m), member.max_connections, member.share()});
  }
}

bool is_whole_tier(const health::Pool& pool, const std::vector<size_t>& members) {
  if (members.empty()) return false;
  size_t rank = pool.members[members.front()].rank();
  auto in_tier = [&](const health::Member& m) { return m.rank() == rank && pool.takes(m); };
  return members.size() == static_cast<size_t>(std::count_if(pool.members.begin(), pool.members.end(), in_tier));
}

std::vector<int64_t> Seats::shares() const {
  std::vector<int64_t> shares;
  shares.reserve(seats_.size());
  for (const Seat& seat : seats_) shares.push_back(seat.share);
  return shares;
}

size_t Seats::seat_of(size_t member) const {
  auto at = std::find_if(seats_.begin(), seats_.end(), [&](const Seat& seat) { return seat.member == member; });
  return static_cast<size_t>(at - seats_.begin());
}

std::string Seats::drawn_at(size_t seat) const {
  double all = 0;
  for (const Seat& s : seats_) all += static_cast<double>(s.share);
  return fmt::format("{:.3g}% of draws", 100 * static_cast<double>(seats_[seat].share) / all);
}

size_t Seats::enter_any(size_t first, const Tried& tried) const {
  for (size_t i = 0; i < seats_.size(); ++i)
    if (size_t m = enter(seats_[(first + i) % seats_.size()], tried); m != Balancer::none) return m;
  return Balancer::none;
}

// Every slot is worth the same; who has less than a slot's worth shares it with one who has more.
Lots::Lots(const std::vector<int64_t>& shares) : count_(shares.size()) {
  if (shares.empty() || std::equal(shares.begin() + 1, shares.end(), shares.begin())) return;
  const double all = static_cast<double>(std::accumulate(shares.begin(), shares.end(), int64_t{0}));
  std::vector<double> worth;
  std::vector<uint32_t> poor, rich;
  for (uint32_t i = 0; i < shares.size(); ++i) {
    worth.push_back(static_cast<double>(shares[i]) * static_cast<double>(count_) / all);
    (worth[i] < 1 ? poor : rich).push_back(i);
  }
  slots_.resize(shares.size());
  while (!poor.empty() && !rich.empty()) {
    uint32_t small = poor.back(), large = rich.back();
    poor.pop_back();
    slots_[small].own = static_cast<uint32_t>(worth[small] * 4294967295.0);
    slots_[small].other = large;
    worth[large] -= 1 - worth[small];
    if (worth[large] >= 1) continue;
    rich.pop_back();
    poor.push_back(large);
  }
  for (uint32_t i : poor) slots_[i].other = i;  // what rounding left
  for (uint32_t i : rich) slots_[i].other = i;
}

}  // namespace portolan::proxy
