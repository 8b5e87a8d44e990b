#pragma once
// What the operator wrote about DNS: [geodns], [zone."…"], [datacenter.…] and [service.…] as plain
// values, filled by the configuration loader and read by zone.hh (which finds the semantic
// mistakes). Names are as written.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/address.hh"
#include "core/loop/tls_config.hh"
#include "geodns/rate_limit.hh"

namespace portolan::geodns {

// `where` in every struct is its place in the file, "file:line:col", so that a later error can name
// it.

// One entry of a service record's `rules`, see plan.hh.
struct RuleConfig {
  std::string where;
  std::vector<IpNetwork> networks;
  std::vector<uint32_t> asns;
  std::vector<std::string> countries;   // "DE"
  std::vector<std::string> regions;     // "US-CA"
  std::vector<std::string> continents;  // "EU"
  bool imprecise = false;               // when = "imprecise"
  bool only = false;
  std::vector<std::string> order;        // datacentres, first choice first
  std::vector<std::string> datacenters;  // or those the policy chooses among
  std::vector<std::pair<std::string, uint32_t>> weights;
};

// One entry of a zone's `records`. Either `type` with `value`, or `service` with `policy`.
struct RecordConfig {
  std::string where;
  std::string name;                                       // "www", "@", "*.dev", or absolute with a final dot
  std::string type;                                       // "A", …, "TYPE123", or "ALIAS"; empty for a service record
  std::string value;                                      // in the form of a zone file: "10 mail.example.com"
  std::optional<uint32_t> ttl_s;                          // left out: the zone's ttl; 30 s for a service record
  std::string service;                                    // [service.X]
  std::string policy;                                     // left out ("") means nearest
  std::vector<std::pair<std::string, uint32_t>> weights;  // weighted: datacentre → weight; left out counts 1 each
  std::string https;  // a service's HTTPS record without its address hints: "1 . alpn=h2"; empty: none
  std::vector<std::string>
      order;  // failover: datacentres, first choice first; left out: as in the file. nearest: of askers
              // whose place isn't known precisely
  std::vector<RuleConfig> rules;
  std::optional<uint32_t> answers;  // how many datacentres; left out: 1, all of them for policy "all"
  std::string last_resort;          // "all" (or empty) "first" "none"
  uint32_t accuracy_km = 500;       // 0: every location is precise
};

struct ZoneConfig {
  std::string where;
  std::string name;                      // "example.com", with or without the final dot
  std::vector<std::string> nameservers;  // apex NS: whole names, the final dot may be left out
  std::string contact;                   // "hostmaster@example.com"; default hostmaster@<zone>
  uint32_t ttl_s = 300;                  // of records without their own
  uint32_t refresh_s = 7200;             // SOA fields
  uint32_t retry_s = 3600;
  uint32_t expire_s = 1209600;
  uint32_t negative_ttl_s = 60;  // SOA MINIMUM
  std::vector<RecordConfig> records;
};

struct DatacenterConfig {
  std::string where;
  std::string name;
  bool has_location = false;
  double latitude = 0;   // degrees, -90 to 90
  double longitude = 0;  // degrees, -180 to 180
  double capacity = 0;   // the share of all queries it can bear; 0: no limit
};

// How a service's health in one datacentre is known. `none` (no health table): always taken for up.
struct ServiceHealth {
  enum class Kind : uint8_t { none, pool, peer, tcp, http, file, all };
  std::string where;
  Kind kind = Kind::none;
  std::string pool;                          // pool: this node's own; peer: the other node's
  std::string peer;                          // peer: base URL, "http://192.0.2.20:9146"
  std::string tcp;                           // tcp: "host:port"
  std::string http;                          // http: URL, "http://192.0.2.10/healthz", or https
  std::optional<loop::TlsServerConfig> tls;  // of an https check; left out: the system's roots
  std::string file;                          // file: where somebody writes the state
  int64_t max_age_ms = 60'000;               // and how old it may be
  std::vector<ServiceHealth> all;            // all: each must be well
  // pool and peer: how much of the pool must be up. A share ("50%") or a number of servers;
  // neither: one server.
  std::optional<uint32_t> min_up_percent;
  std::optional<uint32_t> min_up_count;
  int64_t interval_ms = 2000;
  int64_t timeout_ms = 1000;
  uint32_t rise = 2;
  uint32_t fall = 3;
};

// A service in one datacentre.
struct ServiceSite {
  std::string where;
  std::vector<IpAddress> addresses;
  std::string target;  // instead of addresses: answered as a CNAME to this name
  ServiceHealth health;
};

struct ServiceConfig {
  std::string where;
  std::string name;
  std::map<std::string, ServiceSite> sites;  // by datacentre
};

// Datacentres and services keep the order of these vectors in every index used later (View,
// ServiceStates).
struct GeodnsConfig {
  std::string where;
  std::vector<SocketAddress> listen;  // UDP and TCP both; [::] means IPv6 alone
  uint32_t tcp_connections = 1000;    // a worker
  int64_t tcp_idle_timeout_ms = 10000;
  uint32_t tcp_connections_per_client = 100;  // a worker, of one address
  std::vector<SocketAddress> tls_listen;      // DNS over TLS
  std::optional<loop::TlsListenerConfig> tls;
  bool cookies = true;
  std::string cookie_secrets;  // a file; empty: a secret of this node's own
  RateLimitConfig rate_limit;
  std::string nsid;                // who answers, told to those who ask; empty: not told
  std::string version;             // the same of version.bind
  std::vector<std::string> peers;  // other nodes' `peers` addresses, whose views status --peers shows
  uint32_t min_ttl_s = 5;          // of a service's answers, see TtlBounds
  uint32_t max_ttl_s = 86400;
  std::vector<IpNetwork> hidden;  // `private`: networks whose addresses are not told to anybody further
  std::vector<ZoneConfig> zones;
  std::vector<DatacenterConfig> datacenters;
  std::vector<ServiceConfig> services;
};

}  // namespace portolan::geodns
