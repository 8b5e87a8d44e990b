// What of Server is about DNS: its views, limits and sockets, and the checks its answers go by.
#include "daemon/assembly.hh"
#include "daemon/server.hh"

namespace portolan::daemon {

std::shared_ptr<const geodns::View> Server::view_with(const health::Board& board) const {
  geodns::ServiceStates states = assemble_states(*view_->directory, board);
  dns_keeper_->apply(states);
  return geodns::with_states(*view_, std::move(states));
}

void Server::post_view(std::shared_ptr<const geodns::View> view, std::shared_ptr<const health::Board> board) {
  retired_->add(std::exchange(view_, std::move(view)));
  for (Crew& c : crews_) {
    proxy::Proxy* proxy = c.proxy.get();
    geodns::Server* dns = c.dns.get();
    c.worker->post([proxy, dns, board, view = view_] {
      if (board) proxy->set_board(board);
      dns->set_view(view);
    });
  }
}

DnsKeeper::Hooks Server::dns_hooks() {
  DnsKeeper::Hooks hooks;
  hooks.on_workers = [this](const std::function<void(geodns::Server&)>& what) {
    for (Crew& c : crews_) c.worker->post([dns = c.dns.get(), what] { what(*dns); });
  };
  hooks.rooms_changed = [this] {
    auto next = view_with(*board_);
    dns_keeper_->tell_rooms(next->states);
    if (next->states != view_->states) post_view(std::move(next), nullptr);
  };
  hooks.checked = [this] {
    if (!shutting_down_) publish({}, {});
  };
  hooks.utilization = [this](const std::string& service, const std::string& datacenter) {
    return monitor_->utilization(service, datacenter);
  };
  return hooks;
}

GeoWatch::Hooks Server::geo_hooks() {
  return {
      [this] {
        return GeoWatch::Now{geo_, view_};
      },
      [this](GeoFiles files, std::shared_ptr<geodns::View> view) { take_places(std::move(files), std::move(view)); }};
}

void Server::take_places(GeoFiles files, std::shared_ptr<geodns::View> view) {
  geo_ = std::move(files);
  for (const auto& crew : crews_)
    crew.worker->post([proxy = crew.proxy.get(), places = geo_.table] { proxy->set_places(places); });
  view->states = view_->states;
  view->aliases = view_->aliases;
  dns_keeper_->set_view(view);
  post_view(std::move(view), nullptr);
}

// Checks speak to servers as requests do, where nothing else is said.
void Server::lend_tls(health::MonitorSpec& spec) {
  std::map<std::string, std::shared_ptr<loop::TlsConnector>> connectors;
  const auto lend = [&](const std::string& name, const std::shared_ptr<const loop::TlsTrust>& trust) {
    auto& connector = connectors[name];
    auto old = check_tls_.find(name);
    if (old != check_tls_.end() && old->second->trust() == trust) connector = old->second;
    if (!connector) connector = std::make_shared<loop::TlsConnector>(trust);
    return connector;
  };
  for (health::PoolSpec& pool : spec.pools) {
    if (!pool.check.speaks_tls.value_or(true)) continue;
    const auto& trusts = tls_.checks.contains(pool.name) ? tls_.checks : tls_.pools;
    if (auto trust = trusts.find(pool.name); trust != trusts.end()) pool.check.tls = lend(pool.name, trust->second);
  }
  const auto lend_site = [&](health::SiteSpec& site) {
    if (auto trust = tls_.sites.find(site.tls_key); trust != tls_.sites.end())
      site.check.tls = lend(site.tls_key, trust->second);
  };
  for (health::ServiceSpec& service : spec.services)
    for (health::SiteSpec& site : service.sites) {
      lend_site(site);
      for (health::SiteSpec& part : site.all) lend_site(part);
    }
  check_tls_ = std::move(connectors);
}

Result<std::string> Server::explain_dns(const geodns::ExplainDnsRequest& request) {
  return geodns::explain_dns(request, *view_, control_.rng());
}

void Server::on_aliases() {
  if (applying_) return;
  retired_->add(std::exchange(view_, geodns::with_aliases(*view_, aliases_->table())));
  for (Crew& c : crews_) c.worker->post([dns = c.dns.get(), view = view_] { dns->set_view(view); });
}

geodns::ServerLimits Server::dns_limits() const {
  const geodns::GeodnsConfig& config = config_.geodns;
  geodns::ServerLimits limits;
  limits.tcp_connections = config.tcp_connections;
  limits.tcp_connections_per_client = config.tcp_connections_per_client;
  limits.tcp_idle_timeout_ms = config.tcp_idle_timeout_ms;
  limits.rate_limit = config.rate_limit;
  limits.workers = crews_.size();
  limits.cookies = cookies_;
  if (auto tls = tls_.listeners.find(dns_listener); tls != tls_.listeners.end()) limits.tls = tls->second;
  limits.query_log_share = config_.log.queries_path == "off" ? 0 : config_.log.queries_share;
  return limits;
}

std::vector<int> Server::dns_sockets(Sockets::Use use, size_t worker) const {
  std::vector<int> fds;
  if (!dns_keeper_->checked()) return fds;  // questions wait in them
  for (const Sockets::Lent& lent : sockets_->all())
    if (lent.key.use == use) fds.push_back(lent.fds[worker]);
  return fds;
}

}  // namespace portolan::daemon
