#include "daemon/status.hh"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "daemon/table.hh"

namespace portolan::daemon {

using nlohmann::json;

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(StatusReport::Listener, name, address, connections, requests, tls,
                                                proxy_protocol)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(StatusReport::Server, address, configured, state, reason, since_ms,
                                                weight, backup, in_flight, requests, failures, datacenter, warmth,
                                                latency_us, ejections)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(StatusReport::Source, source, state, reason, since_ms, servers)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(StatusReport::Pool, name, balance, panic, servers, sources, waiting)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(StatusReport::Site, datacenter, state, reason, since_ms, room)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(StatusReport::Service, name, sites)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(StatusReport::Cache, name, objects, bytes, memory, hits, misses)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(StatusReport::Peer, url, server, state, reason, services)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(StatusReport::DnsListener, address, protocol)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(StatusReport::Zone, name, records, serial)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(StatusReport::Alias, target, records, state, addresses, good_ms,
                                                failing_ms, reason)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(StatusReport::Database, path, kind, built_ms, read_ms)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(StatusReport, server, datacenter, draining, version, now_ms, uptime_s,
                                                workers, listeners, pools, services, caches, peers, dns, zones, aliases,
                                                databases, database_failure, maintenance)

void add_board(StatusReport& report, const health::Board& board) {
  constexpr auto relaxed = std::memory_order_relaxed;
  report.draining |= board.datacenters.contains(report.datacenter);
  for (const auto& [name, pool] : board.pools) {
    StatusReport::Pool& out = report.pools.emplace_back();
    out.name = name;
    out.panic = pool->panic;
    out.waiting = pool->state->queue.size();
    for (const health::Member& m : pool->members) {
      std::string state(health::to_string(m.health.state));
      out.servers.push_back({m.address.to_string(), m.configured, state, m.health.reason, m.health.since_ms, m.weight,
                             m.backup, m.state->in_flight.load(relaxed), m.state->requests.load(relaxed),
                             m.state->failures.load(relaxed), m.datacenter,
                             m.warmth * 100 / health::Member::full_warmth, m.state->latency_us.load(relaxed),
                             m.state->ejections.load(relaxed)});
    }
  }
  for (const auto& [name, sites] : board.services) {
    StatusReport::Service& out = report.services.emplace_back();
    out.name = name;
    for (const health::Site& s : sites)
      out.sites.push_back(
          {s.datacenter, std::string(health::to_string(s.health.state)), s.health.reason, s.health.since_ms});
  }
}

std::string to_json(const StatusReport& report) {
  json j = report;
  return j.dump(2, ' ', false, json::error_handler_t::replace);
}

Result<StatusReport> parse_status(std::string_view text) {
  try {
    return json::parse(text).get<StatusReport>();
  } catch (const json::exception& e) {
    return Error{std::string("the status is unreadable: ") + e.what()};
  }
}

namespace {

std::string listeners_table(const StatusReport& report) {
  Table table({"LISTENER", "ADDRESS", "CONNECTIONS", "REQUESTS"}, {2, 3});
  for (const auto& l : report.listeners)
    table.row({l.name, l.address, std::to_string(l.connections), std::to_string(l.requests)});
  return table.text();
}

std::string pools_table(const StatusReport& report) {
  Table table({"POOL", "SERVER", "STATE", "SINCE", "WEIGHT", "IN FLIGHT", "REQUESTS", "FAILURES", "REASON"},
              {4, 5, 6, 7});
  for (const auto& pool : report.pools) {
    std::string how = pool.balance + (pool.panic ? ", panic" : "");
    std::string name = pool.name + (how.empty() ? "" : " (" + how + ")");
    if (pool.waiting > 0) name += fmt::format(", {} waiting", pool.waiting);
    if (pool.servers.empty()) table.row({name, "none", "", "", "", "", "", "", ""});
    for (const auto& s : pool.servers) {
      std::string server = s.address;
      if (!s.configured.empty() && s.configured != s.address) server += " (" + s.configured + ")";
      if (!s.datacenter.empty()) server += " in " + s.datacenter;
      if (s.backup) server += " backup";
      std::string weight = std::to_string(s.weight);
      if (s.warmth < 100) weight += fmt::format(" ({}%)", s.warmth);
      table.row({name, server, s.state, age(report.now_ms - s.since_ms), weight, std::to_string(s.in_flight),
                 std::to_string(s.requests), std::to_string(s.failures), s.reason});
      name.clear();
    }
  }
  return table.text();
}

std::string sources_table(const StatusReport& report) {
  Table table({"POOL", "SOURCE", "STATE", "SINCE", "SERVERS", "REASON"}, {4});
  for (const auto& pool : report.pools) {
    std::string name = pool.name;
    for (const auto& s : pool.sources) {
      std::string since = s.since_ms ? age(report.now_ms - s.since_ms) : "";
      table.row({name, s.source, s.state, since, std::to_string(s.servers), s.reason});
      name.clear();
    }
  }
  return table.text();
}

std::string services_table(const StatusReport& report) {
  Table table({"SERVICE", "DATACENTER", "STATE", "SINCE", "REASON"});
  for (const auto& service : report.services) {
    std::string name = service.name;
    for (const auto& s : service.sites) {
      std::string state = s.state;
      if (s.room < 100) state += fmt::format(" (takes {}%)", s.room);
      table.row({name, s.datacenter, state, age(report.now_ms - s.since_ms), s.reason});
      name.clear();
    }
  }
  return table.text();
}

std::string dns_table(const StatusReport& report) {
  Table table({"DNS", "PROTOCOLS"});
  for (size_t i = 0; i < report.dns.size();) {
    const std::string& address = report.dns[i].address;
    std::string protocols;
    for (; i < report.dns.size() && report.dns[i].address == address; ++i)
      protocols += (protocols.empty() ? "" : ", ") + report.dns[i].protocol;
    table.row({address, protocols});
  }
  return table.text();
}

std::string zones_table(const StatusReport& report) {
  Table table({"ZONE", "RECORDS", "SERIAL"}, {1, 2});
  for (const auto& z : report.zones) table.row({z.name, std::to_string(z.records), std::to_string(z.serial)});
  return table.text();
}

std::string aliases_table(const StatusReport& report) {
  Table table({"ALIAS OF", "RECORDS", "STATE", "SINCE", "RESOLVED", "ADDRESSES", "REASON"});
  const auto ago = [&report](int64_t at_ms) { return at_ms > 0 ? age(report.now_ms - at_ms) : std::string("-"); };
  for (const auto& a : report.aliases)
    table.row({a.target, a.records, a.state, ago(a.failing_ms), a.good_ms > 0 ? ago(a.good_ms) + " ago" : "never",
               a.addresses.empty() ? "none" : fmt::format("{}", fmt::join(a.addresses, ", ")), a.reason});
  return table.text();
}

std::string databases_table(const StatusReport& report) {
  Table table({"DATABASE", "KIND", "BUILT", "READ"});
  for (const auto& d : report.databases)
    table.row({d.path, d.kind, d.built_ms > 0 ? age(report.now_ms - d.built_ms) + " ago" : "-",
               age(report.now_ms - d.read_ms) + " ago"});
  std::string text = table.text();
  if (!report.database_failure.empty()) text += "a changed database is not used: " + report.database_failure + "\n";
  return text;
}

std::string caches_table(const StatusReport& report) {
  Table table({"CACHE", "OBJECTS", "STORED", "LIMIT", "HITS", "MISSES", "HIT RATE"}, {1, 2, 3, 4, 5, 6});
  for (const auto& c : report.caches) {
    uint64_t all = c.hits + c.misses;
    std::string rate =
        all ? fmt::format("{:.1f}%", 100.0 * static_cast<double>(c.hits) / static_cast<double>(all)) : "-";
    table.row({c.name, std::to_string(c.objects), size(c.bytes), size(c.memory), std::to_string(c.hits),
               std::to_string(c.misses), rate});
  }
  return table.text();
}

}  // namespace

std::string peers_tables(const StatusReport& report) {
  if (report.peers.empty()) return "no peers: name them with peer in a service's health, or geodns.peers\n";
  Table peers({"PEER", "URL", "STATE", "REASON"});
  for (const auto& p : report.peers) peers.row({p.server.empty() ? "-" : p.server, p.url, p.state, p.reason});
  std::vector<std::string> heads = {"SERVICE", "DATACENTER", report.server};
  for (const auto& p : report.peers) heads.push_back(p.server.empty() ? p.url : p.server);
  heads.emplace_back("");
  Table views(heads);
  for (const auto& service : report.services) {
    std::string name = service.name;
    for (const auto& site : service.sites) {
      std::vector<std::string> row = {name, site.datacenter, site.state};
      bool differ = false;
      for (const auto& p : report.peers) {
        const auto seen = p.services.find(service.name);
        const auto state = seen == p.services.end() ? std::map<std::string, std::string>::const_iterator()
                                                    : seen->second.find(site.datacenter);
        const bool said = seen != p.services.end() && state != seen->second.end();
        row.push_back(said ? state->second : "-");
        differ |= said && state->second != site.state;
      }
      row.emplace_back(differ ? "differs" : "");
      views.row(row);
      name.clear();
    }
  }
  return peers.text() + (report.services.empty() ? "" : "\n" + views.text());
}

std::string status_tables(const StatusReport& report) {
  std::string where = report.datacenter.empty() ? "" : " in " + report.datacenter;
  std::string text = fmt::format("{}{}: Portolan {}, up {}, {} worker{}{}\n", report.server, where, report.version,
                                 age(report.uptime_s * 1000), report.workers, report.workers == 1 ? "" : "s",
                                 report.draining ? ", draining" : "");
  for (const std::string& route : report.maintenance) text += fmt::format("route {} is in maintenance\n", route);
  for (const std::string& table :
       {listeners_table(report), pools_table(report), sources_table(report), services_table(report), dns_table(report),
        zones_table(report), aliases_table(report), databases_table(report), caches_table(report)})
    if (!table.empty()) text += "\n" + table;
  return text;
}

}  // namespace portolan::daemon
