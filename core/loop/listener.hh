#pragma once
// Accepts connections on a listening socket that belongs to the Server. Never spins: without descriptors or memory it
// takes the waiting connections and closes them, counts them and says so in the log.
#include <functional>

#include "core/base/address.hh"
#include "core/base/fd.hh"
#include "core/loop/worker.hh"

namespace portolan::loop {

// Opens a non-blocking listening socket with SO_REUSEPORT (Unix sockets: replaces a stale one). IPv6 alone on [::].
// `freebind`: also at an address that no interface has (yet).
Result<UniqueFd> open_listener(const SocketAddress& address, bool freebind = false, int backlog = 4096);
// An error when somebody listens at `address` already; SO_REUSEPORT alone would let two daemons of one user share it.
Status probe_free(const SocketAddress& address, bool datagram, bool freebind = false);
// TCP connections that begin at a listening socket are left without an answer, neither taken nor refused, until it is
// released: the client's kernel asks again. Those whose handshake has begun go on. Any thread.
Status hold_new_connections(int fd, bool hold);
// open_listener() for UDP, without SO_REUSEPORT semantics changed: several sockets may share one address.
Result<UniqueFd> open_datagram(const SocketAddress& address);

class Listener {
 public:
  // Called with each connection; it owns the socket. Runs on the worker's thread.
  using OnAccept = std::function<void(UniqueFd socket, const SocketAddress& peer)>;
  Listener(Worker& worker, int fd, OnAccept on_accept);
  // Accepting pauses while `full()` says so: connections wait in the kernel's queue.
  void stop();  // no more accepts; the socket stays open

 private:
  void on_acceptable(Ready ready);
  void shed(int reason);
  void on_retry();
  Worker& worker_;
  int fd_;
  OnAccept on_accept_;
  UniqueFd reserve_;
  Timer retry_;
  SocketEvent event_;
};

}  // namespace portolan::loop
