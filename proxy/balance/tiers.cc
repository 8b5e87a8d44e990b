#include "proxy/balance/tiers.hh"

#include <fmt/format.h>

#include <algorithm>

namespace portolan::proxy {

Tiers::Tiers(const BalancerKind& kind, const std::shared_ptr<const health::Pool>& pool,
             const std::vector<size_t>& members) {
  std::vector<size_t> taking[2 * health::most_tiers];  // by rank
  double all[health::most_tiers] = {}, serving[health::most_tiers] = {};
  for (size_t i : members) {
    const health::Member& m = pool->members[i];
    bool takes = pool->takes(m);
    if (takes) taking[m.rank()].push_back(i);
    if (m.backup) continue;
    all[m.tier] += m.weight;
    if (takes) serving[m.tier] += m.weight;
  }
  double healthy[health::most_tiers] = {};
  for (size_t tier = 0; tier < health::most_tiers; ++tier) {
    if (taking[tier].empty()) continue;
    healthy[tiers_.size()] = serving[tier] / all[tier];
    tiers_.push_back({kind.make(pool, std::move(taking[tier])), tier});
  }
  spread(healthy);
  for (size_t rank = health::most_tiers; rank < 2 * health::most_tiers; ++rank)
    if (!taking[rank].empty()) tiers_.push_back({kind.make(pool, std::move(taking[rank])), rank});
}

void Tiers::spread(const double (&healthy)[health::most_tiers]) {
  constexpr double factor = 1.4, whole = 4294967296.0;
  if (tiers_.size() < 2) return;
  double sum = 0;
  for (size_t i = 0; i < tiers_.size(); ++i) sum += std::min(1.0, factor * healthy[i]);
  double so_far = 0;
  for (size_t i = 0; i < tiers_.size(); ++i) {
    so_far = std::min(1.0, so_far + std::min(1.0, factor * healthy[i]) / std::min(1.0, sum));
    tiers_[i].until = static_cast<uint64_t>(so_far * whole);
  }
  tiers_.back().until = uint64_t{1} << 32;
  spread_ = tiers_[0].until < uint64_t{1} << 32;
}

size_t Tiers::first_tier(Rng& rng) const {
  uint64_t at = rng.next() >> 32;
  size_t tier = 0;
  while (tier + 1 < tiers_.size() && tiers_[tier].until <= at) ++tier;
  return tier;
}

std::string Tiers::standing(const health::Pool& pool, size_t member, const Pick& ask) const {
  const health::Member& m = pool.members[member];
  if (!pool.takes(m)) return {};
  auto tier = std::find_if(tiers_.begin(), tiers_.end(), [&](const Tier& t) { return t.rank == m.rank(); });
  if (tier == tiers_.end()) return {};
  std::string text = tier->balancer->standing(member, ask);
  if (spread_) {
    uint64_t from = tier == tiers_.begin() ? 0 : (tier - 1)->until;
    uint64_t until = std::max(from, tier->until);
    text += fmt::format(", in a tier where {:.3g}% of requests begin",
                        100 * static_cast<double>(until - from) / 4294967296.0);
  } else if (tier != tiers_.begin()) {
    text += m.backup ? ", as a backup when no server is left" : ", when no nearer one is left";
  }
  return text;
}

size_t Tiers::pick(const Pick& ask) const {
  if (spread_)
    if (size_t index = tiers_[first_tier(ask.rng)].balancer->pick(ask); index != Balancer::none) return index;
  for (const Tier& tier : tiers_)
    if (size_t index = tier.balancer->pick(ask); index != Balancer::none) return index;
  return Balancer::none;
}

}  // namespace portolan::proxy
