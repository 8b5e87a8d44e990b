#pragma once
// What the monitor is asked to watch: the configuration's pools and services, as this room needs
// them.
#include <optional>
#include <string>
#include <vector>

#include "core/base/server_address.hh"
#include "core/health/config.hh"
#include "core/health/report.hh"

namespace portolan::health {

struct ServerSpec {
  ServerAddress address;
  int weight = 1;
  int max_connections = 0;
  bool backup = false;
  std::string datacenter = {};  // empty: here
  uint8_t tier = 0;             // Member::tier
  bool operator==(const ServerSpec&) const = default;
};

struct PoolSpec {
  std::string name;
  std::vector<ServerSpec> servers;
  CheckConfig check;          // protocol "": none, failed requests alone speak
  int64_t slow_start_ms = 0;  // a server that comes back has its whole share after so long; 0: at once
  double panic = 0;           // a smaller share of servers serves: Pool::panic
  EjectConfig eject = {};
  int64_t keep_clients_ms = 0;  // a drained server serves the clients whose cookie names it so long; 0: at once no more
  bool operator==(const PoolSpec&) const = default;
};

// A service in one datacentre. The values of peer, tcp and http are as in the file; the loader has
// checked them.
struct SiteSpec {
  enum class Kind : uint8_t { none, pool, peer, tcp, http };
  std::string datacenter;
  Kind kind = Kind::none;
  std::string pool;   // pool, peer: whose state counts
  std::string peer;   // "http://192.0.2.20:9146"
  std::string tcp;    // "host:port"
  std::string http;   // "http://192.0.2.10/healthz"
  MinUp min_up;       // pool, peer
  CheckConfig check;  // peer, tcp, http: interval, timeout, rise, fall; the rest is filled in
  bool operator==(const SiteSpec&) const = default;
};

struct ServiceSpec {
  std::string name;
  std::vector<SiteSpec> sites;
  bool operator==(const ServiceSpec&) const = default;
};

struct MonitorSpec {
  std::vector<PoolSpec> pools;
  std::vector<ServiceSpec> services;
  std::vector<std::string> datacenters;  // all that are known, this node's own among them
};

}  // namespace portolan::health
