#pragma once
// What `portolan status` shows: filled by the daemon, carried as JSON over the admin socket,
// printed as tables.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hh"
#include "core/health/board.hh"

namespace portolan::daemon {

// As JSON (GET /status) the fields keep these names:
//   {"server":…, "datacenter":…, "draining":…, "version":…, "now_ms":…, "uptime_s":…, "workers":…,
//    "listeners":[{"name","address","connections","requests","tls","proxy_protocol"}],
//    "pools":[{"name","balance","panic","waiting","servers":[{"address","configured","state","reason","since_ms",
//              "weight","backup","in_flight","requests","failures","datacenter","warmth","latency_us","ejections"}],
//              "sources":[{"source","state","reason","since_ms","servers"}]}],
//    "services":[{"name","sites":[{"datacenter","state","reason","since_ms","room"}]}],
//    "caches":[{"name","objects","bytes","memory","hits","misses"}],
//    "peers":[{"url","server","state","reason","services":{service:{datacenter:state}}}],
//    "dns":[{"address","protocol"}],
//    "zones":[{"name","records","serial"}],
//    "aliases":[{"target","records","state","addresses":[…],"good_ms","failing_ms","reason"}],
//    "databases":[{"path","kind","built_ms","read_ms"}], "database_failure":…,
//    "maintenance":[names of the routes that answer with their maintenance page]}
// Moments are milliseconds since the Unix epoch.
struct StatusReport {
  struct Listener {
    std::string name;
    std::string address;
    uint64_t connections = 0;  // open now
    uint64_t requests = 0;     // since the start
    bool tls = false;
    bool proxy_protocol = false;
  };
  struct Server {
    std::string address;
    std::string configured;  // as the file writes it
    std::string state;
    std::string reason;
    int64_t since_ms = 0;
    int weight = 1;
    bool backup = false;
    int64_t in_flight = 0;
    uint64_t requests = 0;
    uint64_t failures = 0;
    std::string datacenter = {};  // empty: this node's
    int warmth = 100;             // percent of its weight that counts: less while it starts slowly
    int64_t latency_us = 0;       // to the first byte, as `fastest` remembers it; 0: unknown
    uint64_t ejections = 0;
  };
  struct Source {  // an entry of `servers` that is more than an address
    std::string source;
    std::string state;  // how it is found: waiting, found, failing
    std::string reason;
    int64_t since_ms = 0;
    uint64_t servers = 0;  // it stands for
  };
  struct Pool {
    std::string name;
    std::string balance;
    std::vector<Server> servers;
    bool panic = false;  // too few serve: all are used
    std::vector<Source> sources;
    uint64_t waiting = 0;  // requests, for a server with room
  };
  struct Site {
    std::string datacenter;
    std::string state;
    std::string reason;
    int64_t since_ms = 0;
    int room = 100;  // percent of those who prefer it that DNS sends there; the rest goes to their next choice
  };
  struct Service {
    std::string name;
    std::vector<Site> sites;
  };
  struct Cache {
    std::string name;
    uint64_t objects = 0;
    uint64_t bytes = 0;
    uint64_t memory = 0;  // the limit, bytes
    uint64_t hits = 0;
    uint64_t misses = 0;
  };
  struct Peer {
    std::string url;
    std::string server;  // its name; empty: not heard from
    std::string state;
    std::string reason;
    std::map<std::string, std::map<std::string, std::string>> services;  // datacentre → state, as it sees them
  };
  struct DnsListener {
    std::string address;
    std::string protocol;  // "udp", "tcp", "tls"
  };
  struct Zone {
    std::string name;
    uint64_t records = 0;
    uint32_t serial = 0;
  };
  struct Alias {
    std::string target;
    std::string records;  // that follow it
    std::string state;    // waiting, found, failing
    std::vector<std::string> addresses;
    int64_t good_ms = 0;     // when it was resolved last
    int64_t failing_ms = 0;  // since when it can't be
    std::string reason;
  };
  struct Database {
    std::string path;
    std::string kind;
    int64_t built_ms = 0;  // as its publisher says; 0: it doesn't
    int64_t read_ms = 0;
  };
  std::string server;
  std::string datacenter;
  bool draining = false;  // this node's datacentre is drained, or the daemon is stopping
  std::string version;
  int64_t now_ms = 0;
  int64_t uptime_s = 0;
  int workers = 0;
  std::vector<Listener> listeners;
  std::vector<Pool> pools;
  std::vector<Service> services;
  std::vector<Cache> caches;
  std::vector<Peer> peers;
  std::vector<DnsListener> dns;
  std::vector<Zone> zones;
  std::vector<Alias> aliases;
  std::vector<Database> databases;
  std::string database_failure;          // why what their files hold now isn't used
  std::vector<std::string> maintenance;  // routes that answer with their maintenance page
};

// Fills pools (with their servers' counts, without `balance`), services and `draining`.
void add_board(StatusReport& report, const health::Board& board);

std::string to_json(const StatusReport& report);
Result<StatusReport> parse_status(std::string_view json);

// The peers, and what they say of services beside what this node sees: a mark where they differ.
std::string peers_tables(const StatusReport& report);

// Aligned tables for people; empty sections are left out. Ends with a newline.
std::string status_tables(const StatusReport& report);

}  // namespace portolan::daemon
