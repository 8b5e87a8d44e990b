#pragma once
// One service in one datacentre: where its health comes from, and what it is now. Control worker
// only.
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/health/checker.hh"
#include "core/health/file_watch.hh"
#include "core/health/peer.hh"
#include "core/health/pool_monitor.hh"
#include "core/health/spec.hh"

namespace portolan::health {

class SiteMonitor {
 public:
  struct Parts {
    loop::Worker& worker;
    Checker& checker;
    Names& names;
    Peers& peers;
    const std::function<void()>& on_change;  // of a file; outlives the monitor
  };
  SiteMonitor(const Parts& parts, const std::string& service, const SiteSpec& spec);
  void refresh();  // a name's addresses changed

  const std::string& datacenter() const { return spec_.datacenter; }

  // How much of it is in use, where the pool it goes by says so.
  std::optional<double> utilization(const Board& board) const;
  // The site as it is now; logs a change of state. `since` stays where the state stays.
  Site publish(const Board& board, const Drains& drains, const Site* before, int64_t wall_ms) const;

 private:
  Health health_on(const Board& board, const Drains& drains) const;
  Health health_at_peer() const;
  Health health_of_all(const Board& board, const Drains& drains) const;
  Health with_horizon(Health health) const;
  Checker& checker_;
  std::string service_;
  SiteSpec spec_;
  CheckConfig check_;  // tcp, http
  Endpoint endpoint_;
  std::shared_ptr<Target> target_;
  std::shared_ptr<Peer> peer_;
  std::unique_ptr<FileWatch> file_;
  std::vector<SiteMonitor> all_;
};

}  // namespace portolan::health
