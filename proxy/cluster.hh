#pragma once
// A pool as one worker sees it: the board's latest state of its members, a balancer over those that serve, and one over
// the backups. Immutable but for the balancers' own state; replaced when the board or the configuration changes.
//
// Where servers stand in several datacentres, each has a balancer of its own. The nearest serves all while 71 % of its
// weight is healthy; below that the rest goes to the next in proportion (as Envoy's priorities do, with their factor of
// 1.4), so that a half-dead datacentre isn't overrun. Backups serve when nobody else can.
#include <memory>

#include "core/health/board.hh"
#include "core/loop/tls_connector.hh"
#include "proxy/balance/balancer.hh"
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
  bool by_latency() const { return by_latency_; }  // its servers' latencies are asked for: health::note_latency
  bool by_key() const { return by_key_; }          // Pick::key counts
  const Sticky* sticky() const;                    // nullptr: its clients have no server of their own
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
  struct Tier {
    std::unique_ptr<Balancer> balancer;
    uint64_t until = 0;  // of 2^32 requests, those below this begin here
  };
  void build();
  void spread(const double (&healthy)[health::most_tiers]);
  size_t pick_named(const Pick& ask);
  size_t first_tier(Rng& rng) const;

  std::shared_ptr<const health::Pool> pool_;
  std::shared_ptr<const PoolConfig> config_;
  std::shared_ptr<loop::TlsConnector> tls_;
  std::vector<Tier> tiers_;                 // in the order they are asked
  mutable std::unique_ptr<Sticky> sticky_;  // made when it is first asked for
  bool spread_ = false;                     // not all requests begin in the first tier
  bool by_latency_ = false;
  bool by_key_ = false;
  uint64_t id_;
  bool retired_ = false;
};

}  // namespace portolan::proxy
