#pragma once
// One service in one datacentre: where its health comes from, and what it is now. Control worker
// only.
#include <memory>
#include <string>

#include "core/health/checker.hh"
#include "core/health/peer.hh"
#include "core/health/pool_monitor.hh"
#include "core/health/spec.hh"

namespace portolan::health {

class SiteMonitor {
 public:
  SiteMonitor(Checker& checker, Names& names, Peers& peers, const std::string& service, const SiteSpec& spec);
  void refresh();  // a name's addresses changed

  const std::string& datacenter() const { return spec_.datacenter; }

  // The site as it is now; logs a change of state. `since` stays where the state stays.
  Site publish(const Board& board, const Drains& drains, const Site* before, int64_t wall_ms) const;

 private:
  Health health_on(const Board& board, const Drains& drains) const;
  Health health_at_peer() const;
  Checker& checker_;
  std::string service_;
  SiteSpec spec_;
  CheckConfig check_;  // tcp, http
  Endpoint endpoint_;
  std::shared_ptr<Target> target_;
  std::shared_ptr<Peer> peer_;
};

}  // namespace portolan::health
