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

// A service in one datacentre, or one of several checks of it. The values of peer, tcp and http are as in the file; the
// loader has checked them.
struct SiteSpec {
  enum class Kind : uint8_t { none, pool, peer, tcp, http, file, all };
  std::string datacenter;
  Kind kind = Kind::none;
  std::string pool;           // pool, peer: whose state counts
  std::string peer;           // "http://192.0.2.20:9146"
  std::string tcp;            // "host:port"
  std::string http;           // "http://192.0.2.10/healthz", or https
  std::string file;           // says up, down or draining (file_watch.hh)
  int64_t max_age_ms = 0;     // file: older ones say nothing
  std::vector<SiteSpec> all;  // each must be well
  MinUp min_up;               // pool, peer
  CheckConfig check;  // interval, timeout, rise, fall (of a pool its own check's); tls of https; the rest is filled in
  std::string tls_key;  // https: what the daemon knows its trust by
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
  std::vector<std::string> peers = {};   // URLs of those that are only listened to
};

}  // namespace portolan::health
