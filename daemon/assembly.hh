#pragma once
// The configuration as each room wants it: the proxy's snapshot, what health watches, the DNS server's view. Pure.
#include <map>
#include <memory>
#include <string>

#include "core/health/board.hh"
#include "core/health/spec.hh"
#include "daemon/config.hh"
#include "edge/cache.hh"
#include "geodns/view.hh"
#include "proxy/snapshot.hh"

namespace portolan::daemon {

using Caches = std::map<std::string, std::shared_ptr<edge::Cache>>;

// The caches of a new configuration: those that existed live on with what they hold.
Caches assemble_caches(const Config& config, const Caches& before);
std::shared_ptr<const proxy::Snapshot> assemble_snapshot(const Config& config, const Caches& caches, uint64_t version);
health::MonitorSpec assemble_monitor(const Config& config);
// The board's words about services in the DNS server's indices.
geodns::ServiceStates assemble_states(const geodns::Directory& directory, const health::Board& board);

}  // namespace portolan::daemon
