// What of Server is about DNS: its views, limits and sockets.
#include "daemon/assembly.hh"
#include "daemon/server.hh"

namespace portolan::daemon {

std::shared_ptr<const geodns::View> Server::view_with(const health::Board& board) const {
  return geodns::with_states(*view_, assemble_states(*view_->directory, board));
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
  for (const Sockets::Lent& lent : sockets_->all())
    if (lent.key.use == use) fds.push_back(lent.fds[worker]);
  return fds;
}

}  // namespace portolan::daemon
