#pragma once
// The configuration as each room wants it: the proxy's snapshot, what health watches, the DNS server's view. Pure.
#include <map>
#include <memory>
#include <string>

#include "core/base/io.hh"
#include "core/health/board.hh"
#include "core/health/spec.hh"
#include "daemon/config.hh"
#include "edge/cache.hh"
#include "geodns/view.hh"
#include "proxy/snapshot.hh"

namespace portolan::daemon {

using Caches = std::map<std::string, std::shared_ptr<edge::Cache>>;

// The caches of a new configuration: those that existed live on with what they hold. `compressor` (null: none) makes what
// they compress; it outlives them.
Caches assemble_caches(const Config& config, const Caches& before, Executor* compressor = nullptr);
// Takes the routes out of the configuration: they are many, and nobody else asks for them. Version and caches are left
// out; they come in when it begins to serve.
std::shared_ptr<proxy::Snapshot> assemble_snapshot(Config& config);
void assemble_route_caches(proxy::Snapshot& snapshot, const Caches& caches);
health::MonitorSpec assemble_monitor(const Config& config);
// The board's words about services in the DNS server's indices.
geodns::ServiceStates assemble_states(const geodns::Directory& directory, const health::Board& board);

}  // namespace portolan::daemon
