// What the server tells of DNS: zones, ALIAS records, databases, who spills.
#include <algorithm>
#include <cmath>

#include "daemon/server.hh"

namespace portolan::daemon {
namespace {

std::string_view protocol_of(Sockets::Use use) {
  switch (use) {
    case Sockets::Use::dns_udp:
      return "udp";
    case Sockets::Use::dns_tcp:
      return "tcp";
    case Sockets::Use::dns_tls:
      return "tls";
    default:
      return {};
  }
}

double room_of(const geodns::View& view, const std::string& service, const std::string& datacenter) {
  const int s = view.directory->find_service(service), d = view.directory->find_datacenter(datacenter);
  if (s < 0 || d < 0) return 1;
  return static_cast<double>(view.states.at(static_cast<size_t>(s), static_cast<size_t>(d)).room) /
         geodns::Condition::full_room;
}

}  // namespace

void Server::add_dns(StatusReport& r) const {
  for (const Sockets::Lent& lent : sockets_->all())
    if (auto protocol = protocol_of(lent.key.use); !protocol.empty())
      r.dns.push_back({lent.key.address.to_string(), std::string(protocol)});
  std::stable_sort(r.dns.begin(), r.dns.end(), [](const auto& a, const auto& b) { return a.address < b.address; });
  for (size_t i = 0; i < view_->zones->size(); ++i) {
    const geodns::Zone& zone = view_->zones->at(static_cast<int>(i));
    r.zones.push_back({zone.text(), zone.record_count(), zone.serial()});
  }
  for (StatusReport::Service& service : r.services)
    for (StatusReport::Site& site : service.sites)  // 100% is for those who don't spill
      site.room = static_cast<int>(std::floor(100 * room_of(*view_, service.name, site.datacenter)));
  for (const auto& a : aliases_->reports()) {
    const char* state = a.failing_ms > 0 ? "failing" : a.good_ms > 0 ? "found" : "waiting";
    r.aliases.push_back({a.target.name, a.target.records, state, a.addresses, a.good_ms, a.failing_ms, a.reason});
  }
  for (size_t i = 0; i < geo_.databases.size(); ++i)
    r.databases.push_back({geo_.databases[i].path, geo_.databases[i].kind, geo_.built_s[i] * 1000, geo_.read_ms});
  r.database_failure = geo_watch_ ? geo_watch_->failure() : "";
}

void Server::add_dns(metrics::Exposition& out) const {
  if (dns_keeper_->limited()) {
    out.family("portolan_dns_room", "The share of those who prefer a datacentre that are sent there; the rest spills.",
               "gauge");
    for (const geodns::Service& service : view_->directory->services)
      for (const geodns::Site& site : service.sites) {
        const std::string& datacenter = view_->directory->datacenters[site.datacenter].name;
        out.sample("portolan_dns_room", {{"service", service.name}, {"datacenter", datacenter}},
                   room_of(*view_, service.name, datacenter));
      }
  }
  const auto aliases = aliases_->reports();
  if (!aliases.empty()) out.family("portolan_alias_failing", "1 while an ALIAS target can't be resolved.", "gauge");
  for (const auto& a : aliases) out.sample("portolan_alias_failing", {{"target", a.target.name}}, a.failing_ms > 0);
  if (geo_.databases.empty()) return;
  out.family("portolan_geo_database_build_timestamp_seconds",
             "When a database was built, as its publisher says, in seconds since 1970.", "gauge");
  for (size_t i = 0; i < geo_.databases.size(); ++i)
    if (geo_.built_s[i] > 0)
      out.sample("portolan_geo_database_build_timestamp_seconds", {{"path", geo_.databases[i].path}},
                 static_cast<double>(geo_.built_s[i]));
  out.family("portolan_geo_reload_failures_total", "Times that a changed database could not be used.", "counter");
  out.sample("portolan_geo_reload_failures_total", {}, static_cast<double>(geo_watch_ ? geo_watch_->failures() : 0));
}

}  // namespace portolan::daemon
