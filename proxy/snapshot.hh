#pragma once
// What the configuration means to the proxy: immutable, shared by all workers; an exchange keeps the one it began with.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/geo/table.hh"
#include "core/loop/tls_acceptor.hh"
#include "core/loop/tls_connector.hh"
#include "edge/cache.hh"
#include "proxy/admit/gate.hh"
#include "proxy/config.hh"
#include "proxy/router.hh"

namespace portolan::proxy {

enum class LogFormat : uint8_t { json, combined };

struct Snapshot {
  uint64_t version = 0;
  std::string node;  // [server] name: Via and Cache-Status
  Timeouts timeouts;
  std::vector<IpNetwork> trusted;         // whose X-Forwarded-For, Forwarded and PROXY headers are believed
  std::shared_ptr<const geo::Table> geo;  // whose addresses are where; null: no databases
  LogFormat log_format = LogFormat::json;
  std::vector<RouteConfig> routes;
  std::vector<std::shared_ptr<edge::Cache>> route_caches;  // by route; empty where none
  std::vector<std::string> route_told;                     // of told_fields(), by route
  std::map<std::string, std::shared_ptr<const PoolConfig>, std::less<>> pools;
  std::map<std::string, ListenerConfig, std::less<>> listeners;
  std::map<std::string, std::shared_ptr<const loop::TlsIdentity>, std::less<>> listener_tls;  // of those that have it
  std::map<std::string, std::shared_ptr<const loop::TlsTrust>, std::less<>> pool_tls;
  std::unique_ptr<const Router> router;  // over `routes`
  // Who may pass; empty where nothing is asked. By route, and of the listeners that have one.
  std::vector<std::shared_ptr<const Gate>> route_gates;
  std::map<std::string, std::shared_ptr<const Gate>, std::less<>> listener_gates;
  std::vector<std::string> user_headers;  // in which servers are told who has shown a password
  bool guarded() const { return !route_gates.empty() || !listener_gates.empty(); }

  Timeouts timeouts_of(const ListenerConfig& listener) const { return listener.timeouts.over(timeouts); }
};

}  // namespace portolan::proxy
