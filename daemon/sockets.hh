#pragma once
// All sockets the process listens on. They belong to the Server, are opened before privileges drop and lent to workers;
// a reload opens what is new before anything changes, and closes what is gone only afterwards.
#include <map>
#include <string>
#include <vector>

#include "core/base/address.hh"
#include "core/base/fd.hh"
#include "core/base/result.hh"
#include "daemon/config.hh"

namespace portolan::daemon {

class Sockets {
 public:
  enum class Use : uint8_t { http, dns_udp, dns_tcp, dns_tls, metrics, peers, purge, admin };
  struct Key {
    Use use;
    SocketAddress address;
    auto operator<=>(const Key&) const = default;
  };
  // A descriptor for each worker (http, DNS) or one for control. Unix sockets are shared: the same number each time.
  struct Lent {
    Key key;
    std::string listener;  // http: the name of the listener
    std::vector<int> fds;
  };

  explicit Sockets(size_t workers) : workers_(workers) {}
  // What `config` needs beyond what is open. On failure nothing has changed.
  Status prepare(const Config& config);
  void discard() { prepared_.clear(); }  // what prepare() opened isn't wanted after all
  // Takes what prepare() opened and gives up what `config` no longer names: `gone` is closed by close(gone), after
  // everybody let go of it.
  void commit(const Config& config, std::vector<Lent>& added, std::vector<Lent>& gone);
  void close(const std::vector<Lent>& gone);
  // HTTP clients that begin to connect wait, or don't any more: loop::hold_new_connections.
  Status hold_clients(bool hold) const;
  // Closes the doors of HTTP clients, once no worker accepts any more.
  void close_clients();
  std::vector<Lent> all() const;

 private:
  struct Open {
    std::string listener;
    std::vector<UniqueFd> fds;
  };
  struct Wanted {
    std::string listener;
    bool freebind = false;
  };
  static std::map<Key, Wanted> wanted(const Config& config);
  static Lent lend(const Key& key, const Open& open, size_t workers);
  bool has_port(uint16_t port) const;
  Result<Open> open(const Key& key, const Wanted& want) const;
  size_t workers_;
  std::map<Key, Open> open_;
  std::map<Key, Open> prepared_;
  std::vector<Open> closing_;
};

}  // namespace portolan::daemon
