#include "daemon/sockets.hh"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "core/loop/listener.hh"
#include "daemon/privileges.hh"

namespace portolan::daemon {
namespace {

bool per_worker(Sockets::Use use) {
  return use == Sockets::Use::http || use == Sockets::Use::dns_udp || use == Sockets::Use::dns_tcp ||
         use == Sockets::Use::dns_tls;
}

Status make_parent(const SocketAddress& address) {
  const std::filesystem::path parent = std::filesystem::path(address.path).parent_path();
  std::error_code code;
  if (parent.empty() || std::filesystem::is_directory(parent, code)) return {};
  std::filesystem::create_directories(parent, code);
  if (!code) return {};
  return system_error("cannot make the directory " + parent.string() + " of " + address.to_string(), code.value());
}

// What to do about it, where the key says which path it is.
Error with_remedy(Error error, Sockets::Use use) {
  const bool no_place = error.code == EACCES || error.code == EPERM || error.code == EROFS || error.code == ENOENT ||
                        error.code == EEXIST || error.code == ENOTDIR;
  if (use == Sockets::Use::admin && no_place)
    error.text +=
        "; set admin in [server] to a path that this user may make, \"unix:/tmp/portolan.sock\", or to \"off\"";
  return error;
}

}  // namespace

std::map<Sockets::Key, Sockets::Wanted> Sockets::wanted(const Config& config) {
  std::map<Key, Wanted> keys;
  for (const proxy::ListenerConfig& l : config.listeners)
    for (const SocketAddress& a : l.listen) keys[{Use::http, a}] = {l.name, l.freebind};
  for (const SocketAddress& a : config.geodns.listen) {
    keys[{Use::dns_udp, a}] = {};
    keys[{Use::dns_tcp, a}] = {};
  }
  for (const SocketAddress& a : config.geodns.tls_listen) keys[{Use::dns_tls, a}] = {};
  for (const SocketAddress& a : config.server.peers.listen) keys[{Use::peers, a}] = {};
  for (const SocketAddress& a : config.server.purge.listen) keys[{Use::purge, a}] = {};
  if (!config.server.metrics.empty() && config.server.metrics != "off")
    if (auto a = SocketAddress::parse(config.server.metrics)) keys[{Use::metrics, *a}] = {};
  if (!config.server.admin.empty() && config.server.admin != "off")
    if (auto a = SocketAddress::parse(config.server.admin)) keys[{Use::admin, *a}] = {};
  return keys;
}

// Ours would look like somebody else's: going from 127.0.0.1:80 to 0.0.0.0:80 both are open for a moment.
bool Sockets::has_port(uint16_t port) const {
  auto has = [port](const auto& o) { return o.first.address.port == port; };
  return std::any_of(open_.begin(), open_.end(), has) || std::any_of(prepared_.begin(), prepared_.end(), has);
}

Result<Sockets::Open> Sockets::open(const Key& key, const Wanted& want) const {
  Open opened{want.listener, {}};
  if (key.address.is_unix())
    if (auto made = make_parent(key.address); !made) return made.error();
  size_t count = per_worker(key.use) && !key.address.is_unix() ? workers_ : 1;
  if (!has_port(key.address.port))
    if (auto free = loop::probe_free(key.address, key.use == Use::dns_udp, want.freebind); !free) return free.error();
  for (size_t i = 0; i < count; ++i) {
    auto fd =
        key.use == Use::dns_udp ? loop::open_datagram(key.address) : loop::open_listener(key.address, want.freebind);
    if (!fd) return fd.error();
    opened.fds.push_back(std::move(*fd));
  }
  if (key.address.is_unix()) ::chmod(key.address.path.c_str(), key.use == Use::admin ? 0660 : 0666);
  return opened;
}

Status Sockets::prepare(const Config& config) {
  prepared_.clear();
  for (const auto& [key, want] : wanted(config)) {
    if (open_.contains(key)) continue;
    auto opened = open(key, want);
    if (!opened) {
      prepared_.clear();
      return with_remedy(opened.error(), key.use);
    }
    if (key.address.is_unix() && !config.server.user.empty())
      if (auto given = give_to(key.address.path, config.server.user); !given) return given;
    prepared_.emplace(key, std::move(*opened));
  }
  return {};
}

Sockets::Lent Sockets::lend(const Key& key, const Open& open, size_t workers) {
  Lent lent{key, open.listener, {}};
  size_t count = per_worker(key.use) ? workers : 1;
  for (size_t i = 0; i < count; ++i) lent.fds.push_back(open.fds[std::min(i, open.fds.size() - 1)].get());
  return lent;
}

void Sockets::commit(const Config& config, std::vector<Lent>& added, std::vector<Lent>& gone) {
  auto keys = wanted(config);
  for (auto it = open_.begin(); it != open_.end();) {
    auto want = keys.find(it->first);
    // An address that moved to another listener keeps its sockets: only the name on the door changes.
    if (want != keys.end()) {
      if (want->second.listener != it->second.listener) {
        it->second.listener = want->second.listener;
        added.push_back(lend(it->first, it->second, workers_));
      }
      ++it;
      continue;
    }
    gone.push_back(lend(it->first, it->second, workers_));
    closing_.push_back(std::move(it->second));
    it = open_.erase(it);
  }
  for (auto& [key, opened] : prepared_) {
    added.push_back(lend(key, opened, workers_));
    open_.emplace(key, std::move(opened));
  }
  prepared_.clear();
}

void Sockets::close(const std::vector<Lent>& gone) {
  for (const Lent& lent : gone) {
    std::erase_if(closing_, [&lent](const Open& o) { return o.fds.front().get() == lent.fds.front(); });
    if (lent.key.address.is_unix() && !open_.contains(lent.key)) ::unlink(lent.key.address.path.c_str());
  }
}

Status Sockets::hold_clients(bool hold) const {
  for (const auto& [key, open] : open_) {
    if (key.use != Use::http || key.address.is_unix()) continue;
    for (const UniqueFd& fd : open.fds)
      if (auto held = loop::hold_new_connections(fd.get(), hold); !held) return held;
  }
  return {};
}

void Sockets::close_clients() {
  for (auto it = open_.begin(); it != open_.end();) {
    if (it->first.use == Use::http && it->first.address.is_unix()) ::unlink(it->first.address.path.c_str());
    it = it->first.use == Use::http ? open_.erase(it) : std::next(it);
  }
}

std::vector<Sockets::Lent> Sockets::all() const {
  std::vector<Lent> lent;
  for (const auto& [key, open] : open_) lent.push_back(lend(key, open, workers_));
  return lent;
}

}  // namespace portolan::daemon
