#include "daemon/assembly.hh"

#include <algorithm>
#include <limits>

#include "core/base/clock.hh"
#include "core/geo/location.hh"
#include "daemon/tls_files.hh"
#include "proxy/told_fields.hh"

namespace portolan::daemon {
namespace {

const geodns::DatacenterConfig* find_datacenter(const Config& config, const std::string& name) {
  for (const geodns::DatacenterConfig& d : config.geodns.datacenters)
    if (d.name == name && d.has_location) return &d;
  return nullptr;
}

// From here to there; far beyond all others where one of the two has no location.
double distance_km(const Config& config, const std::string& datacenter) {
  const auto* here = find_datacenter(config, config.server.datacenter);
  const auto* there = find_datacenter(config, datacenter);
  if (!here || !there) return std::numeric_limits<double>::max();
  return geo::distance_km(here->latitude, here->longitude, there->latitude, there->longitude);
}

// This node's datacentre, then the others of the pool by their distance; those that are equally far, or whose distance
// nobody knows, are one tier.
void rank_by_distance(const Config& config, std::vector<health::ServerSpec>& servers) {
  auto is_here = [&](const std::string& name) { return name.empty() || name == config.server.datacenter; };
  std::vector<double> distances;
  for (const health::ServerSpec& s : servers)
    if (!is_here(s.datacenter)) distances.push_back(distance_km(config, s.datacenter));
  if (distances.empty()) return;
  std::sort(distances.begin(), distances.end());
  distances.erase(std::unique(distances.begin(), distances.end()), distances.end());
  for (health::ServerSpec& s : servers) {
    if (is_here(s.datacenter)) continue;
    auto place = std::lower_bound(distances.begin(), distances.end(), distance_km(config, s.datacenter));
    size_t tier = 1 + static_cast<size_t>(place - distances.begin());
    s.tier = static_cast<uint8_t>(std::min(tier, health::most_tiers - 1));
  }
}

health::PoolSpec pool_spec(const Config& config, const proxy::PoolConfig& pool) {
  health::PoolSpec spec;
  spec.name = pool.name;
  spec.check = pool.health;
  // A port or TLS of its own is another server's, which need not speak HTTP/2.
  spec.check.http2 = pool.http2 && pool.health.port == 0 && !pool.health.speaks_tls;
  spec.eject = pool.eject;
  for (const proxy::ServerConfig& s : pool.servers)
    spec.servers.push_back({s.address, s.weight, s.max_connections, s.backup, s.datacenter});
  rank_by_distance(config, spec.servers);
  spec.slow_start_ms = pool.slow_start_ms;
  spec.panic = pool.panic;
  if (pool.sticky) spec.keep_clients_ms = pool.sticky->drain_ms;
  return spec;
}

health::SiteSpec::Kind site_kind(geodns::ServiceHealth::Kind kind) {
  using From = geodns::ServiceHealth::Kind;
  using To = health::SiteSpec::Kind;
  switch (kind) {
    case From::none:
      return To::none;
    case From::pool:
      return To::pool;
    case From::peer:
      return To::peer;
    case From::tcp:
      return To::tcp;
    case From::http:
      return To::http;
    case From::file:
      return To::file;
    case From::all:
      return To::all;
  }
  return To::none;
}

health::SiteSpec site_spec(const Config& config, const std::string& service, const std::string& datacenter,
                           const geodns::ServiceHealth& h) {
  health::SiteSpec spec;
  spec.datacenter = datacenter;
  spec.kind = site_kind(h.kind);
  spec.pool = h.pool;
  spec.peer = h.peer;
  spec.tcp = h.tcp;
  spec.http = h.http;
  spec.file = h.file;
  spec.max_age_ms = h.max_age_ms;
  spec.min_up = {h.min_up_percent.value_or(0), h.min_up_count.value_or(0)};
  spec.check.interval_ms = h.interval_ms;
  spec.check.timeout_ms = h.timeout_ms;
  spec.check.rise = static_cast<int>(h.rise);
  spec.check.fall = static_cast<int>(h.fall);
  if (h.http.starts_with("https://")) {
    spec.tls_key = site_tls_key(service, datacenter, h);
    spec.check.own_tls = h.tls;
  }
  if (h.kind == geodns::ServiceHealth::Kind::pool) {
    spec.check.interval_ms = 0;  // without checks nobody can say how long it holds
    for (const proxy::PoolConfig& pool : config.pools)
      if (pool.name == h.pool && !pool.health.protocol.empty()) {
        spec.check.interval_ms = pool.health.interval_ms;
        spec.check.rise = pool.health.rise;
        spec.check.fall = pool.health.fall;
      }
  }
  for (const geodns::ServiceHealth& part : h.all) spec.all.push_back(site_spec(config, service, datacenter, part));
  return spec;
}

geodns::State dns_state(health::State state) {
  switch (state) {
    case health::State::unknown:
      return geodns::State::unknown;
    case health::State::up:
      return geodns::State::up;
    case health::State::draining:
      return geodns::State::draining;
    default:
      return geodns::State::down;
  }
}

geodns::Condition condition_of(const health::Health& health) {
  geodns::Condition condition = dns_state(health.state);
  if (health.horizon_ms >= 0) condition.horizon_s = static_cast<uint32_t>(health.horizon_ms / 1000);
  return condition;
}

// Our own cookie is no reason to pass the cache by: it says nothing that an answer could depend on.
edge::CacheConfig with_sticky_cookies(edge::CacheConfig cache, const Config& config) {
  for (const proxy::PoolConfig& p : config.pools)
    if (p.sticky) cache.ignore_cookies.push_back(p.sticky->cookie);
  return cache;
}

}  // namespace

Caches assemble_caches(const Config& config, const Caches& before, Executor* compressor) {
  Caches caches;
  for (const edge::CacheConfig& configured : config.caches) {
    const edge::CacheConfig c = with_sticky_cookies(configured, config);
    if (auto old = before.find(c.name); old != before.end()) {
      old->second->compress_on(compressor);
      old->second->reconfigure(c);
      caches[c.name] = old->second;
      continue;
    }
    uint64_t seed = 0;
    system_entropy(&seed, sizeof seed);
    caches[c.name] = std::make_shared<edge::Cache>(c, seed);
    caches[c.name]->compress_on(compressor);
  }
  return caches;
}

std::shared_ptr<proxy::Snapshot> assemble_snapshot(Config& config) {
  auto s = std::make_shared<proxy::Snapshot>();
  s->node = config.server.name;
  s->timeouts = config.timeouts;
  s->trusted = config.server.trusted;
  s->log_format = config.log.access_format == "combined" ? proxy::LogFormat::combined : proxy::LogFormat::json;
  s->routes = std::move(config.routes);
  for (const proxy::PoolConfig& p : config.pools) s->pools[p.name] = std::make_shared<proxy::PoolConfig>(p);
  for (const proxy::ListenerConfig& l : config.listeners) s->listeners[l.name] = l;
  s->router = std::make_unique<proxy::Router>(s->routes);
  for (const proxy::RouteConfig& r : s->routes)
    if (r.admit.basic_auth && !r.admit.basic_auth->user_header.empty())
      s->user_headers.push_back(r.admit.basic_auth->user_header);
  return s;
}

void assemble_route_caches(proxy::Snapshot& snapshot, const Caches& caches) {
  snapshot.route_caches.resize(snapshot.routes.size());
  snapshot.route_told.resize(snapshot.routes.size());
  for (size_t i = 0; i < snapshot.routes.size(); ++i) {
    auto cache = caches.find(snapshot.routes[i].cache);
    if (cache == caches.end()) continue;
    snapshot.route_caches[i] = cache->second;
    snapshot.route_told[i] = proxy::told_fields(snapshot.routes[i], snapshot.user_headers, *cache->second);
  }
}

health::MonitorSpec assemble_monitor(const Config& config) {
  health::MonitorSpec spec;
  for (const proxy::PoolConfig& p : config.pools) spec.pools.push_back(pool_spec(config, p));
  for (const geodns::ServiceConfig& service : config.geodns.services) {
    health::ServiceSpec s{service.name, {}};
    for (const auto& [datacenter, site] : service.sites)
      s.sites.push_back(site_spec(config, service.name, datacenter, site.health));
    spec.services.push_back(std::move(s));
  }
  spec.peers = config.geodns.peers;
  for (const geodns::DatacenterConfig& d : config.geodns.datacenters) spec.datacenters.push_back(d.name);
  if (!config.server.datacenter.empty()) spec.datacenters.push_back(config.server.datacenter);
  return spec;
}

geodns::ServiceStates assemble_states(const geodns::Directory& directory, const health::Board& board) {
  geodns::ServiceStates states;
  states.states.resize(directory.services.size());
  for (size_t s = 0; s < directory.services.size(); ++s) {
    states.states[s].resize(directory.datacenters.size(), {});
    auto sites = board.services.find(directory.services[s].name);
    if (sites == board.services.end()) continue;
    for (const health::Site& site : sites->second)
      if (int d = directory.find_datacenter(site.datacenter); d >= 0)
        states.states[s][static_cast<size_t>(d)] = condition_of(site.health);
  }
  return states;
}

}  // namespace portolan::daemon
