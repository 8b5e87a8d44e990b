#include "core/health/site_monitor.hh"

#include "core/base/log.hh"

namespace portolan::health {

SiteMonitor::SiteMonitor(Checker& checker, Names& names, Peers& peers, const std::string& service, const SiteSpec& spec)
    : checker_(checker), service_(service), spec_(spec), check_(spec.check) {
  using Kind = SiteSpec::Kind;
  if (spec_.kind == Kind::tcp) {
    auto at = HostPort::parse(spec_.tcp);
    if (at) endpoint_ = Endpoint(names, *at);
    check_.protocol = "tcp";
  }
  if (spec_.kind == Kind::http || spec_.kind == Kind::peer) {
    auto url = client::parse_url(spec_.kind == Kind::http ? spec_.http : spec_.peer);
    if (url && spec_.kind == Kind::peer) peer_ = peers.watch(*url, spec_.check);
    if (url && spec_.kind == Kind::http) {
      endpoint_ = Endpoint(names, url->endpoint);
      check_.protocol = "http";
      check_.http_path = url->target;
      if (check_.http_host.empty()) check_.http_host = url->authority;
    }
  }
  refresh();
}

void SiteMonitor::refresh() {
  auto address = endpoint_.first();
  if (!address || check_.protocol.empty())
    target_.reset();
  else if (!target_ || target_->address() != *address)
    target_ = checker_.watch(*address, check_);
}

Site SiteMonitor::publish(const Board& board, const Drains& drains, const Site* before, int64_t wall_ms) const {
  Site site{spec_.datacenter, health_on(board, drains)};
  State was = before ? before->health.state : State::unknown;
  bool same = before && was == site.health.state;
  site.health.since_ms = same ? before->health.since_ms : wall_ms;
  if (was != site.health.state)
    log::write(site.health.state == State::down ? log::Level::warning : log::Level::info, "site changed",
               {{"service", service_},
                {"datacenter", spec_.datacenter},
                {"state", to_string(site.health.state)},
                {"was", to_string(was)},
                {"reason", site.health.reason}});
  return site;
}

Health SiteMonitor::health_on(const Board& board, const Drains& drains) const {
  if (drains.datacenters.contains(spec_.datacenter)) return {State::draining, "datacenter drained by an operator", 0};
  switch (spec_.kind) {
    case SiteSpec::Kind::none:
      return {State::unknown, "not checked", 0};
    case SiteSpec::Kind::pool: {
      auto pool = board.pools.find(spec_.pool);
      if (pool == board.pools.end()) return {State::down, "no pool " + spec_.pool, 0};
      return judge(spec_.pool, report_of(*pool->second), spec_.min_up);
    }
    case SiteSpec::Kind::peer:
      return health_at_peer();
    case SiteSpec::Kind::tcp:
    case SiteSpec::Kind::http:
      if (target_) return {target_->state(), target_->reason(), 0};
      return {State::unknown, "name " + endpoint_.configured().host + " is not resolved yet", 0};
  }
  return {};
}

Health SiteMonitor::health_at_peer() const {
  if (!peer_) return {State::unknown, "the peer's URL is invalid", 0};
  if (peer_->state() == State::down) return {State::down, "peer: " + peer_->reason(), 0};
  if (peer_->state() == State::unknown) return {State::unknown, "peer: " + peer_->reason(), 0};
  const Report& report = peer_->report();
  if (report.draining) return {State::draining, "drained at peer " + report.server, 0};
  auto pool = report.pools.find(spec_.pool);
  if (pool == report.pools.end()) return {State::down, "peer " + report.server + " has no pool " + spec_.pool, 0};
  Health health = judge(spec_.pool, pool->second, spec_.min_up);
  health.reason = "peer " + report.server + ": " + health.reason;
  return health;
}

}  // namespace portolan::health
