#include "core/health/site_monitor.hh"

#include <algorithm>

#include "core/base/log.hh"
#include "core/health/utilization.hh"

namespace portolan::health {

namespace {

bool is_https(const std::string& url) {
  return url.starts_with("https://");
}

// As http, which is what the client's URLs are; the port is that of the scheme where none is written.
Result<client::Url> parse_check_url(const std::string& text) {
  if (!is_https(text)) return client::parse_url(text);
  auto url = client::parse_url("http" + text.substr(5));
  if (url && url->endpoint.port == 80 && !url->authority.ends_with(":80")) {
    url->endpoint.port = 443;
    url->endpoint.literal.port = 443;
  }
  return url;
}

}  // namespace

SiteMonitor::SiteMonitor(const Parts& parts, const std::string& service, const SiteSpec& spec)
    : checker_(parts.checker), service_(service), spec_(spec), check_(spec.check) {
  using Kind = SiteSpec::Kind;
  if (spec_.kind == Kind::tcp) {
    auto at = HostPort::parse(spec_.tcp);
    if (at) endpoint_ = Endpoint(parts.names, *at);
    check_.protocol = "tcp";
  }
  if (spec_.kind == Kind::http || spec_.kind == Kind::peer) {
    auto url = parse_check_url(spec_.kind == Kind::http ? spec_.http : spec_.peer);
    if (url && spec_.kind == Kind::peer) peer_ = parts.peers.watch(*url, spec_.check);
    if (url && spec_.kind == Kind::http) {
      endpoint_ = Endpoint(parts.names, url->endpoint);
      check_.protocol = "http";
      check_.http_path = url->target;
      if (check_.http_host.empty()) check_.http_host = url->authority;
      if (check_.tls) check_.tls_host = url->endpoint.host;
    }
  }
  if (spec_.kind == Kind::file)
    file_ = std::make_unique<FileWatch>(parts.worker, spec_.file, spec_.max_age_ms, spec_.check.interval_ms,
                                        parts.on_change);
  for (const SiteSpec& part : spec_.all) all_.emplace_back(parts, service, part);
  refresh();
}

void SiteMonitor::refresh() {
  for (SiteMonitor& part : all_) part.refresh();
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
      return with_horizon(judge(spec_.pool, report_of(*pool->second), spec_.min_up));
    }
    case SiteSpec::Kind::peer:
      return with_horizon(health_at_peer());
    case SiteSpec::Kind::file:
      return file_->health();
    case SiteSpec::Kind::all:
      return health_of_all(board, drains);
    case SiteSpec::Kind::tcp:
    case SiteSpec::Kind::http:
      if (target_) return {target_->state(), target_->reason(), 0, target_->steady_ms()};
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

// Down beats draining beats unknown. While all serve the first that may fail bounds it; else all that don't must come back.
Health SiteMonitor::health_of_all(const Board& board, const Drains& drains) const {
  constexpr auto badness = [](State s) {
    return s == State::up ? 0 : s == State::unknown ? 1 : s == State::draining ? 2 : 3;
  };
  Health worst{State::up, "all checks are good", 0, -1};
  int64_t first_to_fail = -1, last_to_return = -1;
  for (const SiteMonitor& part : all_) {
    Health h = part.health_on(board, drains);
    if (!serves(h.state))
      last_to_return = std::max(last_to_return, h.horizon_ms);
    else if (h.horizon_ms >= 0)
      first_to_fail = first_to_fail < 0 ? h.horizon_ms : std::min(first_to_fail, h.horizon_ms);
    if (badness(h.state) > badness(worst.state)) worst = std::move(h);
  }
  worst.horizon_ms = serves(worst.state) ? first_to_fail : last_to_return;
  return worst;
}

// What nobody here checks may change at any time: the check that is made is all that bounds it.
Health SiteMonitor::with_horizon(Health health) const {
  const CheckConfig& check = spec_.check;
  if (check.interval_ms <= 0) return health;
  const int needed = serves(health.state) ? check.fall : check.rise;
  health.horizon_ms = std::max(0, needed - 1) * (check.interval_ms - check.interval_ms / 10);
  return health;
}

std::optional<double> SiteMonitor::utilization(const Board& board) const {
  double used = -1;
  if (spec_.kind == SiteSpec::Kind::pool)
    if (auto pool = board.pools.find(spec_.pool); pool != board.pools.end())
      used = health::utilization(*pool->second).value_or(-1);
  if (peer_ && peer_->state() == State::up)
    if (auto pool = peer_->report().pools.find(spec_.pool); pool != peer_->report().pools.end())
      used = pool->second.utilization;
  for (const SiteMonitor& part : all_) used = std::max(used, part.utilization(board).value_or(-1));
  return used < 0 ? std::nullopt : std::optional(used);
}

}  // namespace portolan::health
