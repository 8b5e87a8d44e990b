#include "proxy/cluster.hh"

#include <fmt/format.h>

#include <algorithm>

#include "proxy/shards.hh"
#include "proxy/steering.hh"

namespace portolan::proxy {

Cluster::Cluster(std::shared_ptr<const health::Pool> pool, std::shared_ptr<const PoolConfig> config, uint64_t id,
                 std::shared_ptr<loop::TlsConnector> tls)
    : pool_(std::move(pool)), config_(std::move(config)), tls_(std::move(tls)), id_(id) {
  const BalancerKind* kind = Registration<BalancerKind>::find(config_->balance);
  if (!kind) return;
  chosen_ = kind->chosen;
  by_latency_ = kind->by_latency;
  by_key_ = kind->by_key;
  std::vector<size_t> all(pool_->members.size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = i;
  tiers_ = Tiers(*kind, pool_, all);
  if (config_->shards) divide(*kind);
}

void Cluster::divide(const BalancerKind& kind) {
  shard_of_slot_.resize(ShardsConfig::slots);
  for (const ShardConfig& shard : config_->shards->map) {
    for (const SlotRange& range : shard.slots)
      std::fill(shard_of_slot_.begin() + range.first, shard_of_slot_.begin() + range.last + 1,
                static_cast<uint32_t>(shards_.size()));
    std::vector<size_t> members;
    for (size_t i = 0; i < pool_->members.size(); ++i) {
      const std::string& written = pool_->members[i].configured;
      if (std::find(shard.servers.begin(), shard.servers.end(), written) != shard.servers.end()) members.push_back(i);
    }
    shards_.emplace_back(kind, pool_, members);
  }
}

Steer Cluster::steer(const http::RequestHead& request, const IpAddress& client) const {
  Steer to;
  if (by_key_) to.key = key_of(config_->hash, request, client);
  if (const Sticky* s = sticky()) to.named = s->named(request.fields);
  if (shards_.empty()) return to;
  uint32_t slot = slot_of(config_->shards->key, request, client);
  if (slot < ShardsConfig::slots) to.shard = shard_of_slot_[slot];
  return to;
}

size_t Cluster::pick(const Pick& ask) {
  if (ask.to.shard != Steer::none) return shards_[ask.to.shard].pick(ask);
  if (ask.to.named != Steer::none)
    if (size_t index = pick_named(ask); index != Balancer::none) return index;
  return tiers_.pick(ask);
}

size_t Cluster::pick_named(const Pick& ask) {
  const health::Member& m = pool_->members[ask.to.named];
  bool entered = (pool_->takes(m) || m.keeps_clients) && !was_tried(ask.tried, ask.to.named) &&
                 health::try_count_in(*pool_->state, *m.state, m.max_connections);
  return entered ? ask.to.named : Balancer::none;
}

std::string Cluster::standing(size_t index, const Pick& ask) const {
  const health::Member& m = pool_->members[index];
  if (ask.to.shard != Steer::none && !owns(ask.to.shard, m)) return fmt::format("not of shard {}", ask.to.shard);
  if (m.keeps_clients && ask.to.named == index) return "named by the client's cookie, which it keeps while it drains";
  if (!pool_->takes(m)) return fmt::format("out: {}", health::to_string(m.health.state));
  int64_t in_flight = m.state->in_flight.load(std::memory_order_relaxed);
  if (m.max_connections > 0 && in_flight >= m.max_connections)
    return fmt::format("full: {} of {} in flight", in_flight, m.max_connections);
  const Tiers& tiers = ask.to.shard != Steer::none ? shards_[ask.to.shard] : tiers_;
  std::string named = ask.to.named == index ? "named by the client's cookie, " : "";
  return named + tiers.standing(*pool_, index, ask);
}

const Sticky* Cluster::sticky() const {
  if (!config_->sticky) return nullptr;
  if (!sticky_) sticky_ = std::make_unique<Sticky>(*config_->sticky, *pool_);
  return sticky_.get();
}

bool Cluster::owns(size_t shard, const health::Member& member) const {
  const std::vector<std::string>& servers = config_->shards->map[shard].servers;
  return std::find(servers.begin(), servers.end(), member.configured) != servers.end();
}

bool Cluster::may_be_full(const Tried& tried, const Steer& to) const {
  for (size_t i = 0; i < pool_->members.size(); ++i) {
    const health::Member& m = pool_->members[i];
    if (to.shard != Steer::none && !owns(to.shard, m)) continue;
    if (m.max_connections > 0 && pool_->takes(m) && !was_tried(tried, i)) return true;
  }
  return false;
}

}  // namespace portolan::proxy
