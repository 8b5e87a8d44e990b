#include "core/loop/listener.hh"

#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>

#include "core/base/log.hh"

namespace portolan::loop {
namespace {

constexpr int accepts_a_turn = 64;
constexpr int64_t retry_ms = 50;
// What the kernel takes for a client beyond what may be on its way; without a bound it is megabytes for each who doesn't
// read. Connections inherit it from their listener.
constexpr int most_unsent = 256 * 1024;

const metrics::Family shed_connections{"portolan_connections_shed_total",
                                       "Client connections closed at once for want of descriptors or memory.",
                                       metrics::Type::counter,
                                       {}};

Error bind_error(const SocketAddress& address) {
  int code = errno;
  std::string what = "cannot bind " + address.to_string();
  Error error = system_error(what, code);
  if (address.is_unix()) {
    if (code == EADDRINUSE) error.text += "; another program listens there (ss -lxp shows which)";
    return error;
  }
  if (code == EACCES && address.port < 1024) error.text += "; ports under 1024 need root or CAP_NET_BIND_SERVICE";
  if (code == EADDRINUSE) error.text += "; another program listens there (ss -lntup shows which)";
  if (code == EADDRNOTAVAIL)
    error.text +=
        "; no interface of this machine has that address (a [listener] with freebind = true takes it before one has)";
  return error;
}

Result<UniqueFd> open_bound(const SocketAddress& address, int type, bool shared, bool freebind) {
  UniqueFd fd(::socket(address.domain(), type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return system_error("cannot open a socket for " + address.to_string());
  int one = 1;
  if (!address.is_unix()) {
    if (type == SOCK_STREAM) setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (shared) setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    if (address.ip.is_v6()) setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    if (type == SOCK_STREAM) {
      setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      setsockopt(fd.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most_unsent, sizeof most_unsent);
    }
    if (freebind && address.ip.is_v4()) setsockopt(fd.get(), IPPROTO_IP, IP_FREEBIND, &one, sizeof one);
    if (freebind && address.ip.is_v6()) setsockopt(fd.get(), IPPROTO_IPV6, IPV6_FREEBIND, &one, sizeof one);
  } else {
    struct stat s {};
    const bool there = ::lstat(address.path.c_str(), &s) == 0;
    if (there && !S_ISSOCK(s.st_mode))
      return Error{"cannot bind " + address.to_string() + ": there is a file that is no socket", EEXIST};
    if (there) {
      UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_storage at;
      socklen_t size = address.to(at);
      if (type == SOCK_STREAM && ::connect(probe.get(), reinterpret_cast<sockaddr*>(&at), size) == 0) {
        errno = EADDRINUSE;
        return bind_error(address);
      }
      ::unlink(address.path.c_str());
    }
  }
  sockaddr_storage storage;
  socklen_t length = address.to(storage);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0) return bind_error(address);
  return fd;
}

}  // namespace

Status probe_free(const SocketAddress& address, bool datagram, bool freebind) {
  if (address.is_unix()) return {};
  auto fd = open_bound(address, datagram ? SOCK_DGRAM : SOCK_STREAM, false, freebind);
  return fd ? Status() : Status(fd.error());
}

Status hold_new_connections(int fd, bool hold) {
  // Of a TCP socket the filter sees the segment from its header on: the flags are its byte 13.
  constexpr uint32_t flags_at = 13, syn = 0x02, all = 0xffffffff;
  sock_filter program[] = {{BPF_LD | BPF_B | BPF_ABS, 0, 0, flags_at},
                           {BPF_JMP | BPF_JSET | BPF_K, 0, 1, syn},
                           {BPF_RET | BPF_K, 0, 0, 0},
                           {BPF_RET | BPF_K, 0, 0, all}};
  sock_fprog filter{4, program};
  int none = 0;
  int set = hold ? setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter)
                 : setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none);
  if (set != 0 && errno != ENOENT) return system_error("cannot hold new connections");
  return {};
}

Result<UniqueFd> open_listener(const SocketAddress& address, bool freebind, int backlog) {
  auto fd = open_bound(address, SOCK_STREAM, true, freebind);
  if (!fd) return fd;
  if (::listen(fd->get(), backlog) != 0) return bind_error(address);
  return fd;
}

Result<UniqueFd> open_datagram(const SocketAddress& address) {
  return open_bound(address, SOCK_DGRAM, true, false);
}

Listener::Listener(Worker& worker, int fd, OnAccept on_accept)
    : worker_(worker),
      fd_(fd),
      on_accept_(std::move(on_accept)),
      reserve_(::open("/dev/null", O_RDONLY | O_CLOEXEC)),
      retry_(worker, this, &Calls<&Listener::on_retry>::call),
      event_(worker, fd, SocketEvent::Mode::level_read, this, &Calls<&Listener::on_acceptable>::call) {}

void Listener::stop() {
  event_.pause();
  retry_.cancel();
}

void Listener::on_acceptable(Ready) {
  for (int i = 0; i < accepts_a_turn; ++i) {
    sockaddr_storage address;
    socklen_t length = sizeof address;
    UniqueFd socket(::accept4(fd_, reinterpret_cast<sockaddr*>(&address), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket) {
      on_accept_(std::move(socket), SocketAddress::from(reinterpret_cast<sockaddr*>(&address), length));
      continue;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) return shed(errno);
    if (errno == EAGAIN) return;
  }
}

// Gives up the reserve descriptor to take one waiting connection and close it, so that its client learns at once.
void Listener::shed(int reason) {
  static log::Limit limit;
  if (limit.pass(worker_.now_ms()))
    log::warning("shedding new connections", {{"reason", system_error("accept", reason).text},
                                              {"remedy", "raise LimitNOFILE, or lower server.max_connections"}});
  for (int i = 0; i < accepts_a_turn; ++i) {
    reserve_.reset();
    UniqueFd socket(::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    bool took = static_cast<bool>(socket);
    if (took) worker_.metrics().counter(shed_connections).add();
    socket.reset();
    reserve_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!took || !reserve_) break;
  }
  event_.pause();
  retry_.set(retry_ms);
}

void Listener::on_retry() {
  if (!reserve_) reserve_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  event_.resume();
}

}  // namespace portolan::loop
