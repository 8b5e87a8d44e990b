#pragma once
// The whole configuration file as one value, and how it is loaded and checked.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.hh"
#include "core/geo/database.hh"
#include "core/loop/resolver_config.hh"
#include "edge/config.hh"
#include "geodns/config.hh"
#include "geodns/view.hh"
#include "proxy/config.hh"

namespace portolan::daemon {

struct PeersConfig {
  std::vector<SocketAddress> listen;  // where other Portolans read this one's /health; empty: nowhere
  std::vector<IpNetwork> allow;       // empty: everybody who reaches it
  bool operator==(const PeersConfig&) const = default;
};

struct PurgeConfig {
  std::vector<SocketAddress> listen;  // where purges are taken from those with a token; empty: nowhere
  std::string tokens_file;
  std::vector<IpNetwork> allow;  // empty: everybody who reaches it
  proxy::Rate rate{100, 1'000'000};
  std::optional<int64_t> burst;
  std::string where;
  int64_t depth() const;  // burst, or what comes in a second, at least one
  bool operator==(const PurgeConfig&) const = default;
};

struct ProcessConfig {  // [server]
  std::string name;     // default: the host name
  std::string datacenter;
  int workers = 0;                                      // 0: one a usable core
  std::string user;                                     // empty: stays who it is
  std::string admin = "unix:/run/portolan/admin.sock";  // "off" or a Unix socket
  std::string metrics;                                  // "host:port"; empty or "off": not served over TCP
  PeersConfig peers;
  PurgeConfig purge;
  std::vector<IpNetwork> trusted;
  std::string state;              // a directory; empty: nothing is kept over a restart
  int64_t drain_ms = 30'000;      // SIGTERM lets requests finish this long
  int64_t shutdown_delay_ms = 0;  // SIGTERM makes the node not ready this long before
  int64_t max_connections = 0;    // clients in all; 0: what the descriptor limit allows
  uint64_t buffers = 512 << 20;   // bytes of requests and answers in memory at once, the caches' apart
  bool operator==(const ProcessConfig&) const = default;
};

struct LogConfig {
  std::string level = "info";
  std::string access_path = "off";     // a file, "stdout" or "off"
  std::string access_format = "json";  // json | combined
  std::string queries_path = "off";    // as access_path
  double queries_share = 1;            // of the queries
  bool operator==(const LogConfig&) const = default;
};

// Where the file says what only the machine can judge, "file:line:col"; empty: nowhere.
struct MachinePlaces {
  std::string user, access_log, query_log;
};

struct Config {
  ProcessConfig server;
  LogConfig log;
  loop::ResolverConfig resolver;
  proxy::Timeouts timeouts;
  std::vector<proxy::ListenerConfig> listeners;
  std::vector<proxy::PoolConfig> pools;
  std::vector<proxy::RouteConfig> routes;
  std::vector<proxy::LimitConfig> limits;
  std::vector<edge::CacheConfig> caches;
  std::vector<geo::Database> geo_databases;
  geodns::GeodnsConfig geodns;  // listen, zones, datacenters, services
  MachinePlaces places;
};

struct LoadResult {
  Config config;
  uint32_t serial = 0;                 // of the zones
  std::shared_ptr<geodns::View> view;  // the zones, where they are good: only building them tells
  std::vector<std::string> errors;     // "file:line:col: what; remedy", in file order; empty: valid
};

// Reads FILE and what it includes, binds every key to its field, and checks what one key can't say alone (names that
// don't exist, routes that tie, …). `serial`: of its zones. Never throws.
LoadResult load(const std::string& path, uint32_t serial = 1);
// The admin socket that a file names, whatever else is wrong with it; the error where that can't be told.
Result<std::string> admin_socket(const std::string& path);

// reference.toml: every key with its type, default, bounds and help.
std::string reference();

}  // namespace portolan::daemon
