#include "proxy/cluster.hh"

namespace portolan::proxy {
namespace {

std::unique_ptr<Balancer> build(const PoolConfig& config, const std::shared_ptr<const health::Pool>& pool,
                                bool backup) {
  std::vector<size_t> members;
  for (size_t i = 0; i < pool->members.size(); ++i) {
    const health::Member& m = pool->members[i];
    if (m.backup == backup && health::serves(m.health.state)) members.push_back(i);
  }
  const BalancerKind* kind = Registration<BalancerKind>::find(config.balance);
  if (members.empty() || !kind) return nullptr;
  return kind->make(pool, std::move(members));
}

}  // namespace

Cluster::Cluster(std::shared_ptr<const health::Pool> pool, std::shared_ptr<const PoolConfig> config, uint64_t id,
                 std::shared_ptr<loop::TlsConnector> tls)
    : pool_(std::move(pool)),
      config_(std::move(config)),
      tls_(std::move(tls)),
      servers_(build(*config_, pool_, false)),
      backups_(build(*config_, pool_, true)),
      id_(id) {}

size_t Cluster::pick(const Tried& tried) {
  if (servers_)
    if (size_t index = servers_->pick(tried); index != Balancer::none) return index;
  return backups_ ? backups_->pick(tried) : Balancer::none;
}

}  // namespace portolan::proxy
