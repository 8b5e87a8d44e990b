#include "geodns/datagram.hh"

#include <array>
#include <cerrno>
#include <cstring>
#include <span>

namespace portolan::geodns {
namespace {

// Then the loop sees to the other sockets; the event is level-triggered and comes back.
constexpr int batches_a_turn = 4;
// What a burst may bring before the worker comes to it; the kernel may grant less.
constexpr int buffer_size = 1 << 20;

bool set_option(int fd, int level, int name, int value) {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

bool is_bound_to_any(int fd) {
  sockaddr_storage storage;
  socklen_t length = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return true;
  static constexpr std::array<uint8_t, 16> any{};
  return SocketAddress::from(reinterpret_cast<sockaddr*>(&storage), length).ip.bytes == any;
}

// False for a source nobody can be answered at: port 0 (or a family we never bound).
bool read_peer(const sockaddr_storage& peer, IpAddress& address) {
  if (peer.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(peer);
    address.family = IpAddress::Family::v4;
    std::memcpy(address.bytes.data(), &v4.sin_addr, 4);
    return v4.sin_port != 0;
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(peer);
  address.family = IpAddress::Family::v6;
  std::memcpy(address.bytes.data(), &v6.sin6_addr, 16);
  return peer.ss_family == AF_INET6 && v6.sin6_port != 0;
}

// The control message that told where the query arrived becomes the one that says where the answer
// leaves from. The interface is left to routing, except where an address means nothing without it.
void turn_around(msghdr& message) {
  cmsghdr* c = CMSG_FIRSTHDR(&message);
  if (c && c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
    auto* info = reinterpret_cast<in_pktinfo*>(CMSG_DATA(c));
    info->ipi_ifindex = 0;
    message.msg_controllen = CMSG_SPACE(sizeof *info);
  } else if (c && c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
    auto* info = reinterpret_cast<in6_pktinfo*>(CMSG_DATA(c));
    if (!IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr)) info->ipi6_ifindex = 0;
    message.msg_controllen = CMSG_SPACE(sizeof *info);
  } else {
    message.msg_control = nullptr;
    message.msg_controllen = 0;
  }
}

}  // namespace

Status prepare_datagram(int fd) {
  int domain = 0;
  socklen_t length = sizeof domain;
  if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) != 0) return system_error("cannot use a DNS socket");
  const int any = is_bound_to_any(fd);
  bool told = false;
  set_option(fd, SOL_SOCKET, SO_RCVBUF, buffer_size);
  set_option(fd, SOL_SOCKET, SO_SNDBUF, buffer_size);
  if (domain == AF_INET6) {
    told = set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, any);
    set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT);
  } else {
    told = set_option(fd, IPPROTO_IP, IP_PKTINFO, any);
    set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
  }
  if (!told) return system_error("cannot learn which address a DNS query was sent to");
  return {};
}

DatagramBatch::DatagramBatch() : received{}, sent{} {
  for (unsigned i = 0; i < width; i++) {
    query_parts[i] = {queries[i], query_size};
    answer_parts[i] = {answers[i], 0};
    received[i].msg_hdr = {&peers[i], 0, &query_parts[i], 1, &controls[i], 0, 0};
    sent[i].msg_hdr = {nullptr, 0, &answer_parts[i], 1, nullptr, 0, 0};
  }
  rearm(width);
}

void DatagramBatch::rearm(unsigned count) {
  for (unsigned i = 0; i < count; i++) {
    received[i].msg_hdr.msg_namelen = sizeof peers[i];
    received[i].msg_hdr.msg_control = &controls[i];
    received[i].msg_hdr.msg_controllen = sizeof controls[i];
  }
}

DatagramSocket::DatagramSocket(loop::Worker& worker, int fd, DatagramBatch& batch, Responder& responder)
    : fd_(fd),
      bound_to_any_(is_bound_to_any(fd)),
      batch_(batch),
      responder_(responder),
      event_(worker, fd, loop::SocketEvent::Mode::level_read, this, &loop::Calls<&DatagramSocket::on_readable>::call) {}

void DatagramSocket::on_readable(loop::Ready) {
  for (int i = 0; i < batches_a_turn; i++) {
    const int count = ::recvmmsg(fd_, batch_.received, DatagramBatch::width, MSG_DONTWAIT, nullptr);
    if (count <= 0) return;
    read_all(static_cast<unsigned>(count));
    send_all(answer_all(static_cast<unsigned>(count)));
    batch_.rearm(static_cast<unsigned>(count));
    if (count < static_cast<int>(DatagramBatch::width)) return;
  }
}

void DatagramSocket::read_all(unsigned count) {
  for (unsigned i = 0; i < count; i++) {
    const mmsghdr& message = batch_.received[i];
    IpAddress& client = batch_.clients[i];
    if ((message.msg_hdr.msg_flags & MSG_TRUNC) || !read_peer(batch_.peers[i], client)) {
      client.family = IpAddress::Family::none;
    } else {
      responder_.read(i, {batch_.queries[i], message.msg_len}, client);
    }
  }
  responder_.locate(count);
}

unsigned DatagramSocket::answer_all(unsigned count) {
  unsigned answers = 0;
  for (unsigned i = 0; i < count; i++) {
    if (batch_.clients[i].family == IpAddress::Family::none) continue;
    msghdr& message = batch_.received[i].msg_hdr;
    const size_t size = responder_.answer(i, {batch_.queries[i], batch_.received[i].msg_len}, batch_.clients[i],
                                          {batch_.answers[answers], DatagramBatch::answer_size});
    if (size == 0) continue;
    if (bound_to_any_) turn_around(message);
    batch_.answer_parts[answers].iov_len = size;
    msghdr& out = batch_.sent[answers].msg_hdr;
    out.msg_name = message.msg_name;
    out.msg_namelen = message.msg_namelen;
    out.msg_control = bound_to_any_ ? message.msg_control : nullptr;
    out.msg_controllen = bound_to_any_ ? message.msg_controllen : 0;
    answers++;
  }
  return answers;
}

// What the kernel has no room for is lost, as UDP may be; an answer it refuses must not hold up
// those behind it.
void DatagramSocket::send_all(unsigned count) {
  for (unsigned done = 0; done < count;) {
    const int sent = ::sendmmsg(fd_, batch_.sent + done, count - done, MSG_DONTWAIT);
    if (sent > 0) {
      done += static_cast<unsigned>(sent);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return;
    } else if (errno != EINTR) {
      done++;
    }
  }
}

}  // namespace portolan::geodns
