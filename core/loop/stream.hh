#pragma once
// A connected (or connecting) socket as bytes in and segments out, plain or TLS. Non-blocking; tries the system call
// first and waits for an edge only after EAGAIN. Owns its descriptor. Used from its worker's thread only.
#include <cstddef>

#include "core/base/address.hh"
#include "core/base/body.hh"
#include "core/base/fd.hh"
#include "core/base/result.hh"
#include "core/loop/tls_session.hh"
#include "core/loop/worker.hh"

namespace portolan::loop {

enum class Io : uint8_t {
  done,         // read: some bytes; write: everything asked for
  would_block,  // on_ready will be called when it is worth trying again
  eof,          // read only: the peer ended its side
  error,        // the connection is broken; Stream::error() has the errno
  more,         // write only: as much as may go in one turn; go on in the next
};

class StreamHandler {
 public:
  // The stream became readable or writable, or its connect() ended (see connected()). May destroy the stream.
  virtual void on_ready() = 0;

 protected:
  ~StreamHandler() = default;
};

class Stream {
 public:
  // Takes an accepted, non-blocking socket.
  Stream(Worker& worker, UniqueFd fd, StreamHandler& handler);
  // Starts connecting; on_ready is called when that ended, well or not. An error means it can't even start.
  static Result<std::unique_ptr<Stream>> connect(Worker& worker, const SocketAddress& to, StreamHandler& handler);
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Connecting streams: would_block while it goes on, then done or error.
  Io connected();
  // From now on everything is TLS. handshake() goes on with it until it says done or error (tls()->failure() says why);
  // read() and write() come after that.
  void start_tls(std::unique_ptr<TlsSession> session);
  Io handshake() { return tls_->handshake(); }
  const TlsSession* tls() const { return tls_.get(); }  // nullptr: plain

  Io read(char* buffer, size_t size, size_t& got);  // got > 0 exactly when done
  // Writes from the front of `out` and consumes what was taken. done: `out` is empty. File ranges leave by sendfile; a
  // file that became shorter than its range is an error. Stops with `more` after 1 MiB, 2 of a file, for the sake of the others.
  Io write(Body& out);
  void shut_write();      // FIN after what has been written; close_notify before it
  void reset_on_close();  // close() sends RST: the peer learns that the answer was cut

  // Worth trying: no EAGAIN since the last edge.
  bool may_read() const { return readable_ || (tls_ && tls_->holds_input()); }
  bool may_write() const { return writable_; }
  // Makes the next read() ask the kernel even after a short one: an RST behind the bytes brings no edge of its own.
  void look_again() { readable_ = true; }
  int error() const { return error_; }
  bool broken();            // asks the kernel: the peer reset the connection, whatever may still be there to read
  uint64_t queued() const;  // asks the kernel: bytes written that the peer has not acknowledged
  int fd() const { return fd_.get(); }
  Worker& worker() { return worker_; }

 private:
  friend class TlsSession;
  friend struct TlsTransport;
  static void on_event(void* self, Ready ready);
  // The socket's own bytes.
  Io receive(char* buffer, size_t size, size_t& got);
  Io send(const char* bytes, size_t size, size_t& sent);  // done: all of them
  Io write_segments(Body& out);
  Io write_file(Body& out);
  void took_file_bytes(uint64_t count);
  Io fail(int code);
  Io fail_write(int code);  // reading is worth a last try
  Worker& worker_;
  StreamHandler& handler_;
  UniqueFd fd_;
  bool readable_ = true;
  bool writable_ = true;
  bool peer_closed_ = false;
  bool connecting_ = false;
  bool fast_ = false;
  int error_ = 0;
  uint32_t file_bytes_ = 0;  // until it is fast
  std::unique_ptr<TlsSession> tls_;
  SocketEvent event_;
};

// The local address of a socket (which of ours the client reached).
SocketAddress local_address(int fd);

}  // namespace portolan::loop
