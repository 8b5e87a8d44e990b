#pragma once
// The balancers of some of a pool's members, nearest first, then the backups.
//
// Where servers stand in several datacentres, the nearest serves all while 71 % of its weight is healthy; below that the
// rest goes to the next in proportion (as Envoy's priorities do, with their factor of 1.4), so that a half-dead datacentre
// isn't overrun. Backups serve when nobody else can.
#include <memory>
#include <vector>

#include "proxy/balance/balancer.hh"

namespace portolan::proxy {

class Tiers {
 public:
  Tiers() = default;
  // Of `members`, those that health lets in; `kind` is how one of them is chosen.
  Tiers(const BalancerKind& kind, const std::shared_ptr<const health::Pool>& pool, const std::vector<size_t>& members);
  size_t pick(const Pick& ask) const;
  // How one of them stands with this request before the pick, for people; empty: it isn't among those health lets in.
  std::string standing(const health::Pool& pool, size_t member, const Pick& ask) const;

 private:
  struct Tier {
    std::unique_ptr<Balancer> balancer;
    size_t rank = 0;     // health::Member::rank of its members
    uint64_t until = 0;  // of 2^32 requests, those below this begin here
  };
  void spread(const double (&healthy)[health::most_tiers]);
  size_t first_tier(Rng& rng) const;
  std::vector<Tier> tiers_;  // in the order they are asked
  bool spread_ = false;      // not all requests begin in the first tier
};

}  // namespace portolan::proxy
