#include "daemon/admin.hh"

#include <sys/socket.h>

#include <algorithm>

#include "core/base/log.hh"
#include "daemon/admin_connection.hh"

namespace portolan::daemon {

namespace {

constexpr std::ptrdiff_t most_connections = 256;  // a door

// Who asks, for the log.
std::string peer_name(int fd, const SocketAddress& peer) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  bool local = ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0 && credentials.pid > 0;
  return local ? "uid " + std::to_string(credentials.uid) : peer.ip.unmapped().to_string();
}

}  // namespace

Admin::Admin(loop::Worker& control, AdminBackend& backend) : worker_(control), backend_(backend) {}

Admin::~Admin() = default;

void Admin::listen(int fd, Door door, std::vector<IpNetwork> allow) {
  listeners_.erase(fd);
  listeners_[fd] = std::make_unique<loop::Listener>(
      worker_, fd, [this, door, allow = std::move(allow)](UniqueFd socket, const SocketAddress& peer) {
        on_accept(door, allow, std::move(socket), peer);
      });
}

void Admin::stop(int fd) {
  listeners_.erase(fd);
}

void Admin::on_accept(Door door, const std::vector<IpNetwork>& allow, UniqueFd socket, const SocketAddress& peer) {
  auto at_door =
      std::count_if(connections_.begin(), connections_.end(), [&](const auto& c) { return c->door() == door; });
  if (at_door >= most_connections) {
    static log::Limit limit;
    if (limit.pass(worker_.now_ms()))
      log::warning("admin connection refused", {{"peer", peer.to_string()}, {"reason", "256 are open"}});
    return;
  }
  std::string who = peer_name(socket.get(), peer);
  connections_.push_back(std::make_unique<AdminConnection>(*this, door, std::move(socket), std::move(who)));
  AdminConnection& connection = *connections_.back();
  if (!allow.empty() && !contains(allow, peer.ip.unmapped()))
    connection.refuse(403, peer.ip.to_string() + (door == Door::purge ? " is not in server.purge.allow"
                                                                      : " is not in server.peers.allow"));
  else
    connection.start();
}

void Admin::health_changed() {
  health::Report report = backend_.health();
  if (report.says_as(told_)) return;
  std::string line = health::to_json(report) + "\n";
  told_ = std::move(report);
  for (auto it = connections_.begin(); it != connections_.end();) {
    AdminConnection& connection = **it++;  // a push may close it
    if (connection.watches()) connection.push(line);
  }
}

void Admin::closed(AdminConnection& connection) {
  auto it =
      std::find_if(connections_.begin(), connections_.end(), [&](const auto& c) { return c.get() == &connection; });
  if (it == connections_.end()) return;
  worker_.bury(std::move(*it));
  connections_.erase(it);
}

}  // namespace portolan::daemon
