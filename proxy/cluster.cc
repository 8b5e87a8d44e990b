#include "proxy/cluster.hh"

#include <algorithm>

namespace portolan::proxy {

Cluster::Cluster(std::shared_ptr<const health::Pool> pool, std::shared_ptr<const PoolConfig> config, uint64_t id,
                 std::shared_ptr<loop::TlsConnector> tls)
    : pool_(std::move(pool)), config_(std::move(config)), tls_(std::move(tls)), id_(id) {
  build();
}

void Cluster::build() {
  const BalancerKind* kind = Registration<BalancerKind>::find(config_->balance);
  if (!kind) return;
  by_latency_ = kind->by_latency;
  by_key_ = kind->by_key;
  std::vector<size_t> members[2 * health::most_tiers];  // by rank
  double all[health::most_tiers] = {}, taking[health::most_tiers] = {};
  for (size_t i = 0; i < pool_->members.size(); ++i) {
    const health::Member& m = pool_->members[i];
    bool takes = pool_->takes(m);
    if (takes) members[m.rank()].push_back(i);
    if (m.backup) continue;
    all[m.tier] += m.weight;
    if (takes) taking[m.tier] += m.weight;
  }
  double healthy[health::most_tiers] = {};
  for (size_t tier = 0; tier < health::most_tiers; ++tier) {
    if (members[tier].empty()) continue;
    healthy[tiers_.size()] = taking[tier] / all[tier];
    tiers_.push_back({kind->make(pool_, std::move(members[tier]))});
  }
  spread(healthy);
  for (size_t rank = health::most_tiers; rank < 2 * health::most_tiers; ++rank)
    if (!members[rank].empty()) tiers_.push_back({kind->make(pool_, std::move(members[rank]))});
}

void Cluster::spread(const double (&healthy)[health::most_tiers]) {
  constexpr double factor = 1.4;
  if (tiers_.size() < 2) return;
  double sum = 0;
  for (size_t i = 0; i < tiers_.size(); ++i) sum += std::min(1.0, factor * healthy[i]);
  double so_far = 0, scale = 1 / std::min(1.0, sum);
  for (size_t i = 0; i < tiers_.size(); ++i) {
    so_far = std::min(1.0, so_far + scale * std::min(1.0, factor * healthy[i]));
    tiers_[i].until = static_cast<uint64_t>(so_far * 4294967296.0);
  }
  tiers_.back().until = uint64_t{1} << 32;
  spread_ = tiers_[0].until < uint64_t{1} << 32;
}

size_t Cluster::first_tier(Rng& rng) const {
  uint64_t at = rng.next() >> 32;
  size_t tier = 0;
  while (tier + 1 < tiers_.size() && tiers_[tier].until <= at) ++tier;
  return tier;
}

size_t Cluster::pick(const Pick& ask) {
  if (ask.named != Pick::none)
    if (size_t index = pick_named(ask); index != Balancer::none) return index;
  if (spread_)
    if (size_t index = tiers_[first_tier(ask.rng)].balancer->pick(ask); index != Balancer::none) return index;
  for (const Tier& tier : tiers_)
    if (size_t index = tier.balancer->pick(ask); index != Balancer::none) return index;
  return Balancer::none;
}

size_t Cluster::pick_named(const Pick& ask) {
  const health::Member& m = pool_->members[ask.named];
  bool entered = pool_->takes(m) && !was_tried(ask.tried, ask.named) &&
                 health::try_count_in(*pool_->state, *m.state, m.max_connections);
  return entered ? ask.named : Balancer::none;
}

const Sticky* Cluster::sticky() const {
  if (!config_->sticky) return nullptr;
  if (!sticky_) sticky_ = std::make_unique<Sticky>(*config_->sticky, *pool_);
  return sticky_.get();
}

}  // namespace portolan::proxy
