#pragma once
// A pool as one worker sees it: the board's latest state of its members, a balancer over those that serve, and one over
// the backups. Immutable but for the balancers' own state; replaced when the board or the configuration changes.
#include <memory>

#include "core/health/board.hh"
#include "core/loop/tls_connector.hh"
#include "proxy/balance/tiers.hh"
#include "proxy/config.hh"
#include "proxy/sticky.hh"

namespace portolan::proxy {

class Cluster {
 public:
  // `id`: no other cluster of this worker has it.
  // `tls`: how its servers are spoken to; nullptr: plain.
  Cluster(std::shared_ptr<const health::Pool> pool, std::shared_ptr<const PoolConfig> config, uint64_t id = 1,
          std::shared_ptr<loop::TlsConnector> tls = nullptr);
  // Servers first, backups when no server that serves is left. Counts the request in.
  size_t pick(const Pick& ask);
  // How a member stands with this request before the pick, for people. Counts nothing.
  std::string standing(size_t index, const Pick& ask) const;
  std::string_view chosen_as() const { return chosen_; }  // BalancerKind::chosen
  bool by_latency() const { return by_latency_; }         // its servers' latencies are asked for: health::note_latency
  // Where the request belongs, as far as this pool cares.
  Steer steer(const http::RequestHead& request, const IpAddress& client) const;
  const Sticky* sticky() const;  // nullptr: its clients have no server of their own
  // Whether one that serves and was not tried has a limit of what it takes at once: none picked means full, then.
  bool may_be_full(const Tried& tried, const Steer& to) const;
  const health::Member& member(size_t index) const { return pool_->members[index]; }
  std::string_view server_name(size_t index) const { return pool_->members[index].name; }
  uint64_t id() const { return id_; }
  const health::Pool& pool() const { return *pool_; }
  const PoolConfig& config() const { return *config_; }
  const std::shared_ptr<loop::TlsConnector>& tls() const { return tls_; }
  // Whether it is what these make.
  bool is_of(const std::shared_ptr<const health::Pool>& pool, const std::shared_ptr<const PoolConfig>& config,
             const std::shared_ptr<loop::TlsConnector>& tls) const {
    return pool_ == pool && tls_ == tls && (config_ == config || *config_ == *config);
  }
  void retire() { retired_ = true; }  // another stands in its place; requests that began with it go on
  bool retired() const { return retired_; }

 private:
  void divide(const BalancerKind& kind);
  size_t pick_named(const Pick& ask);
  bool owns(size_t shard, const health::Member& member) const;

  std::shared_ptr<const health::Pool> pool_;
  std::shared_ptr<const PoolConfig> config_;
  std::shared_ptr<loop::TlsConnector> tls_;
  Tiers tiers_;
  std::vector<Tiers> shards_;               // of config_->shards->map
  std::vector<uint32_t> shard_of_slot_;     // empty without shards
  mutable std::unique_ptr<Sticky> sticky_;  // made when it is first asked for
  std::string_view chosen_;
  bool by_latency_ = false;
  bool by_key_ = false;
  uint64_t id_;
  bool retired_ = false;
};

}  // namespace portolan::proxy
