#pragma once
// DNS over UDP on one socket, in batches: one recvmmsg and one sendmmsg for up to 64 queries. One
// worker's.
#include <netinet/in.h>
#include <sys/socket.h>

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
  IpAddress clients[width];  // of no family: not to be answered
  Control controls[width];
  uint8_t queries[width][query_size];
  uint8_t answers[width][answer_size];
};

// Who answers. A batch is read whole, then answered.
class Responder {
 public:
  virtual ~Responder() = default;
  // The query at `index` of the batch.
  virtual void read(unsigned index, std::span<const uint8_t> query, const IpAddress& client) = 0;
  // The first `count` of the batch that could be read have been.
  virtual void locate(unsigned count) = 0;
  // Writes the answer to it into `out` and returns its size; 0: silence.
  virtual size_t answer(unsigned index, std::span<const uint8_t> query, const IpAddress& client,
                        std::span<uint8_t> out) = 0;
};

class DatagramSocket {
 public:
  // `fd` stays the caller's and must outlive this.
  DatagramSocket(loop::Worker& worker, int fd, DatagramBatch& batch, Responder& responder);
  int fd() const { return fd_; }

 private:
  void on_readable(loop::Ready ready);
  void read_all(unsigned count);
  unsigned answer_all(unsigned count);
  void send_all(unsigned count);
  int fd_;
  bool bound_to_any_;
  DatagramBatch& batch_;
  Responder& responder_;
  loop::SocketEvent event_;
};

}  // namespace portolan::geodns
