// What operators tell the process to do, but for a reload.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "core/base/log.hh"
#include "daemon/server.hh"

namespace portolan::daemon {

Status Server::drain_server(const std::string& pool, const std::string& address, bool drain) {
  return monitor_->drain_server(pool, address, drain);
}

Status Server::drain_datacenter(const std::string& name, bool drain) {
  return monitor_->drain_datacenter(name, drain);
}

Result<std::vector<std::string>> Server::set_maintenance(const std::string& route, bool on) {
  std::vector<std::string> all, changed;
  for (auto& [name, operator_says] : gates_.switches) {
    all.push_back(name);
    if (!route.empty() && name != route) continue;
    operator_says->word = on ? proxy::MaintenanceSwitch::on : proxy::MaintenanceSwitch::off;
    changed.push_back(name);
  }
  if (all.empty())
    return Error{"no route has maintenance; set maintenance = {} in the routes it may be turned on for", 404};
  if (changed.empty())
    return Error{fmt::format("no route {} has maintenance; there are: {}", route, fmt::join(all, ", ")), 404};
  log::info("maintenance", {{"routes", fmt::format("{}", fmt::join(changed, ", "))}, {"on", on ? "yes" : "no"}});
  return changed;
}

Status Server::drain_node(bool drain) {
  if (shutting_down_) return Error{"the process is stopping", 409};
  if (std::exchange(node_drained_, drain) == drain) return {};
  log::info("node changed", {{"state", drain ? "draining" : "enabled"}, {"reason", "an operator"}});
  drain ? leave_->begin() : leave_->end();
  admin_->health_changed();
  return {};
}

Result<uint64_t> Server::purge(const std::string& url) {
  uint64_t removed = 0;
  for (auto& [name, cache] : caches_) removed += cache->purge(url);
  log::info("purged", {{"url", url}, {"objects", removed}});
  return removed;
}

CacheCounts Server::cache_counts() {
  CacheCounts out;
  for (auto& [name, cache] : caches_) out.caches.emplace_back(name, cache->stats());
  return out;
}

CacheTops Server::cache_top(size_t most) {
  CacheTops out;
  for (auto& [name, cache] : caches_) out.caches.emplace_back(name, cache->top(most));
  return out;
}

Result<CacheInspections> Server::inspect(const ExplainRequest& request) {
  return daemon::inspect(request, caches_, clock_.wall_ms());
}

}  // namespace portolan::daemon
