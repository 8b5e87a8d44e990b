#include "core/loop/stream.hh"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace portolan::loop {
namespace {

constexpr size_t most_segments = 64;             // of one writev
constexpr size_t most_gathered = 4096;           // bytes
constexpr uint64_t most_bytes_a_turn = 1 << 20;  // other connections wait meanwhile
constexpr uint64_t most_of_a_file = 2 << 20;     // which the kernel takes without a copy
// Who took so much of files may have so much of them waiting in the kernel (else: listener.cc): what was acknowledged is
// replaced there and then. What waits are pages of the file, not copies.
constexpr uint32_t fast_after = 1 << 20;
constexpr int most_unsent_when_fast = 4 << 20;
constexpr uint64_t small_file_range = 128 << 10;  // HTTP/2's, which come by priority, count for nothing

// The C library's own functions are cancellation points: in a process with threads that is two locked instructions a
// call.
ssize_t recv_call(int fd, char* to, size_t size) {
  return ::syscall(SYS_recvfrom, fd, to, size, 0, nullptr, nullptr);
}
ssize_t send_call(int fd, const void* from, size_t size, int flags) {
  return ::syscall(SYS_sendto, fd, from, size, flags, nullptr, 0);
}

// The kernel takes one piece faster than several: small ones are put together first.
ssize_t send_vector(int fd, iovec* vector, size_t count, size_t total, int flags) {
  if (count == 1) return send_call(fd, vector[0].iov_base, total, flags);
  if (total <= most_gathered) {
    char gathered[most_gathered];
    char* end = gathered;
    for (size_t i = 0; i < count; ++i) {
      std::memcpy(end, vector[i].iov_base, vector[i].iov_len);
      end += vector[i].iov_len;
    }
    return send_call(fd, gathered, total, flags);
  }
  msghdr message{};
  message.msg_iov = vector;
  message.msg_iovlen = count;
  return ::syscall(SYS_sendmsg, fd, &message, flags);
}

}  // namespace

Stream::Stream(Worker& worker, UniqueFd fd, StreamHandler& handler)
    : worker_(worker),
      handler_(handler),
      fd_(std::move(fd)),
      event_(worker, fd_.get(), SocketEvent::Mode::edge_read_write, this, &Stream::on_event) {}

Result<std::unique_ptr<Stream>> Stream::connect(Worker& worker, const SocketAddress& to, StreamHandler& handler) {
  UniqueFd fd(::socket(to.domain(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return system_error("cannot open a socket");
  int one = 1;
  if (!to.is_unix()) setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  sockaddr_storage address;
  socklen_t length = to.to(address);
  int rc = ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), length);
  if (rc != 0 && errno != EINPROGRESS) return system_error("cannot connect to " + to.to_string());
  bool connecting = rc != 0;
  auto stream = std::make_unique<Stream>(worker, std::move(fd), handler);
  stream->connecting_ = connecting;
  stream->writable_ = !connecting;
  stream->readable_ = false;
  return stream;
}

void Stream::on_event(void* self, Ready ready) {
  auto* stream = static_cast<Stream*>(self);
  if (ready.readable) stream->readable_ = true;
  if (ready.writable) stream->writable_ = true;
  if (ready.writable && stream->tls_) stream->tls_->flush();  // of a handshake nobody else would
  if (ready.closed) stream->peer_closed_ = stream->readable_ = true;
  stream->handler_.on_ready();
}

Io Stream::fail(int code) {
  error_ = code;
  return Io::error;
}

Io Stream::fail_write(int code) {
  readable_ = true;
  return fail(code);
}

Io Stream::connected() {
  if (!connecting_) return error_ ? Io::error : Io::done;
  if (!writable_) return Io::would_block;
  int code = 0;
  socklen_t size = sizeof code;
  getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &code, &size);
  connecting_ = false;
  return code ? fail(code) : Io::done;
}

void Stream::start_tls(std::unique_ptr<TlsSession> session) {
  tls_ = std::move(session);
  tls_->attach(*this);
}

Io Stream::read(char* buffer, size_t size, size_t& got) {
  return tls_ ? tls_->read(buffer, size, got) : receive(buffer, size, got);
}

Io Stream::receive(char* buffer, size_t size, size_t& got) {
  got = 0;
  // A write that failed doesn't end reading: what the peer said before it closed is still there.
  if (!readable_) return Io::would_block;
  for (;;) {
    ssize_t n = recv_call(fd_.get(), buffer, size);
    if (n > 0) {
      got = static_cast<size_t>(n);
      // A short read drained the socket, unless the peer's end is waiting behind it: that brings no new edge.
      if (got < size && !peer_closed_) readable_ = false;
      return Io::done;
    }
    if (n == 0) return Io::eof;
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return fail(errno);
    readable_ = false;
    return Io::would_block;
  }
}

Io Stream::send(const char* bytes, size_t size, size_t& sent) {
  sent = 0;
  if (error_) return Io::error;
  while (sent < size && writable_) {
    ssize_t n = send_call(fd_.get(), bytes + sent, size - sent, MSG_NOSIGNAL);
    if (n >= 0) {
      sent += static_cast<size_t>(n);
      writable_ = sent == size;
    } else if (errno == EAGAIN) {
      writable_ = false;
    } else if (errno != EINTR) {
      return fail_write(errno);
    }
  }
  return sent == size ? Io::done : Io::would_block;
}

Io Stream::write(Body& out) {
  if (error_) return Io::error;
  if (tls_) return tls_->write(out);
  uint64_t before = out.size();
  while (!out.empty()) {
    if (!writable_) return Io::would_block;
    if (before - out.size() >= most_bytes_a_turn) return Io::more;
    Io io = out.begin()->file ? write_file(out) : write_segments(out);
    if (io != Io::done) return io;
  }
  return Io::done;
}

Io Stream::write_segments(Body& out) {
  iovec vector[most_segments];
  size_t count = 0;
  size_t total = 0;
  const Segment* s = out.begin();
  for (; s != out.end() && !s->file && count < most_segments; ++s) {
    vector[count++] = {const_cast<char*>(s->bytes.data), s->bytes.size};
    total += s->bytes.size;
  }
  ssize_t n = send_vector(fd_.get(), vector, count, total, MSG_NOSIGNAL | (s != out.end() ? MSG_MORE : 0));
  if (n < 0) {
    if (errno == EINTR) return Io::done;
    if (errno != EAGAIN) return fail_write(errno);
    writable_ = false;
    return Io::would_block;
  }
  out.consume(static_cast<uint64_t>(n));
  if (static_cast<size_t>(n) == total) return Io::done;
  writable_ = false;
  return Io::would_block;
}

Io Stream::write_file(Body& out) {
  const Segment& s = *out.begin();
  off_t offset = s.offset;
  size_t want = static_cast<size_t>(std::min(s.length, most_of_a_file));
  ssize_t n = ::sendfile(fd_.get(), s.file->fd(), &offset, want);
  if (n < 0) {
    if (errno == EINTR) return Io::done;
    if (errno != EAGAIN) return fail_write(errno);
    writable_ = false;
    return Io::would_block;
  }
  if (n == 0) return fail(EIO);  // the file became shorter than what was promised
  if (!fast_ && want >= small_file_range) took_file_bytes(static_cast<uint64_t>(n));
  out.consume(static_cast<uint64_t>(n));
  return Io::done;
}

void Stream::took_file_bytes(uint64_t count) {
  file_bytes_ += static_cast<uint32_t>(count);
  if (file_bytes_ < fast_after) return;
  fast_ = true;
  setsockopt(fd_.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most_unsent_when_fast, sizeof most_unsent_when_fast);
}

uint64_t Stream::queued() const {
  int bytes = 0;
  return ::ioctl(fd_.get(), SIOCOUTQ, &bytes) == 0 && bytes > 0 ? static_cast<uint64_t>(bytes) : 0;
}

bool Stream::broken() {
  int code = 0;
  socklen_t size = sizeof code;
  getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &code, &size);
  if (code) fail(code);
  return error_ != 0;
}

void Stream::shut_write() {
  if (tls_) tls_->shut_write();
  ::shutdown(fd_.get(), SHUT_WR);
}

void Stream::reset_on_close() {
  linger hard{1, 0};
  setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

SocketAddress local_address(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return {};
  return SocketAddress::from(reinterpret_cast<sockaddr*>(&address), length);
}

}  // namespace portolan::loop
