#pragma once
// DNS over UDP on one socket, in batches: one recvmmsg and one sendmmsg for up to 64 queries. One
// worker's.
#include <netinet/in.h>
#include <sys/socket.h>

#include <functional>
#include <span>

#include "core/base/address.hh"
#include "core/loop/worker.hh"

namespace portolan::geodns {

// Answers leave from the address that was asked: the one the socket is bound to, or where that is
// any, the one the kernel tells (IP_PKTINFO, IPV6_RECVPKTINFO). They are never held to a path MTU
// somebody may have forged (PMTUDISC_OMIT). Idempotent; for a socket from loop::open_datagram.
Status prepare_datagram(int fd);

// Buffers of a batch; one serves all sockets of a worker.
struct DatagramBatch {
  static constexpr unsigned width = 64;
  // Longer ones are dropped: no query needs fragments. Not a power of two, which would have all
  // buffers share a few lines of the processor's cache.
  static constexpr size_t query_size = 1472;
  static constexpr size_t answer_size = 1232;
  struct alignas(cmsghdr) Control {
    unsigned char bytes[CMSG_SPACE(sizeof(in6_pktinfo))];
  };
  DatagramBatch();
  // Makes the first `count` messages fit to be received into again.
  void rearm(unsigned count);
  mmsghdr received[width];
  mmsghdr sent[width];
  iovec query_parts[width];
  iovec answer_parts[width];
  sockaddr_storage peers[width];
  Control controls[width];
  uint8_t queries[width][query_size];
  uint8_t answers[width][answer_size];
};

class DatagramSocket {
 public:
  // Writes the answer to `query` into `out` and returns its size; 0: silence.
  using OnQuery =
      std::function<size_t(std::span<const uint8_t> query, const IpAddress& client, std::span<uint8_t> out)>;
  // `fd` stays the caller's and must outlive this.
  DatagramSocket(loop::Worker& worker, int fd, DatagramBatch& batch, const OnQuery& on_query);
  int fd() const { return fd_; }

 private:
  void on_readable(loop::Ready ready);
  unsigned answer_all(unsigned count);
  void send_all(unsigned count);
  int fd_;
  bool bound_to_any_;
  DatagramBatch& batch_;
  const OnQuery& on_query_;
  loop::SocketEvent event_;
};

}  // namespace portolan::geodns
