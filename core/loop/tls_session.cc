#include "core/loop/tls_session.hh"

#include <openssl/err.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/crypto/openssl.hh"
#include "core/loop/stream.hh"

namespace portolan::loop {
namespace {

constexpr size_t record_plain = 16384;  // RFC 8446 §5.1
constexpr size_t records_a_send = 4;    // sealed together, sent together
constexpr size_t most_gathered = records_a_send * (record_plain + 256);
constexpr uint64_t most_bytes_a_turn = 256 * 1024;  // other connections wait meanwhile

// What one call of OpenSSL writes, so that it leaves in one piece. One session of a thread at a time.
struct Gathered {
  bool open = false;
  size_t size = 0;
  char bytes[most_gathered];
};
thread_local Gathered gathered;

// Clearing the queue touches all of its entries; nearly always there are none.
void forget_errors() {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

// Copies up to `want` bytes from behind the first `skip`; SIZE_MAX: a file became shorter than what was promised.
size_t copy_plain(const Body& from, uint64_t skip, char* to, size_t want) {
  size_t copied = 0;
  for (const Segment* s = from.begin(); s != from.end() && copied < want; ++s) {
    if (skip >= s->length) {
      skip -= s->length;
      continue;
    }
    size_t n = static_cast<size_t>(std::min<uint64_t>(s->length - skip, want - copied));
    if (!s->file) {
      std::memcpy(to + copied, s->bytes.data + skip, n);
    } else {
      ssize_t got = ::pread(s->file->fd(), to + copied, n, s->offset + static_cast<off_t>(skip));
      if (got <= 0) return SIZE_MAX;
      n = static_cast<size_t>(got);
    }
    copied += n;
    skip = 0;
    if (s->file && n < s->length) break;
  }
  return copied;
}

}  // namespace

// The socket as OpenSSL sees it. Never makes a system call that must fail, and never refuses what is written: what the
// socket doesn't take at once waits in sealed_.
struct TlsTransport {
  static int read(BIO* bio, char* to, int size) {
    auto& session = *static_cast<TlsSession*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (!session.early_.empty()) {
      size_t n = std::min(static_cast<size_t>(size), session.early_.size());
      std::memcpy(to, session.early_.data(), n);
      session.early_.erase(0, n);
      return static_cast<int>(n);
    }
    size_t got = 0;
    Io io = session.stream_->receive(to, static_cast<size_t>(size), got);
    if (io == Io::done) return static_cast<int>(got);
    if (io == Io::would_block) {
      BIO_set_retry_read(bio);
      return -1;
    }
    return io == Io::eof ? 0 : -1;
  }

  static int write(BIO* bio, const char* from, int size) {
    auto& session = *static_cast<TlsSession*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    auto length = static_cast<size_t>(size);
    if (gathered.open && sizeof gathered.bytes - gathered.size >= length) {
      std::memcpy(gathered.bytes + gathered.size, from, length);
      gathered.size += length;
      return size;
    }
    if (gathered.size > 0 && !send_gathered(session)) return -1;
    return send(session, from, length) ? size : -1;
  }

  static bool send(TlsSession& session, const char* from, size_t size) {
    size_t sent = 0;
    if (session.sealed_.empty() && session.stream_->send(from, size, sent) == Io::error) return false;
    if (sent < size) session.sealed_.append(from + sent, size - sent);
    return true;
  }

  static bool send_gathered(TlsSession& session) {
    size_t size = std::exchange(gathered.size, 0);
    return size == 0 || send(session, gathered.bytes, size);
  }

  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static BIO_METHOD* method() {
    static BIO_METHOD* made = [] {
      BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "portolan stream");
      BIO_meth_set_read(m, read);
      BIO_meth_set_write(m, write);
      BIO_meth_set_ctrl(m, control);
      return m;
    }();
    return made;
  }
};

void SslFree::operator()(ssl_st* ssl) const {
  SSL_free(ssl);
}

TlsSession::TlsSession(SslRef ssl, std::shared_ptr<void> owner) : ssl_(std::move(ssl)), owner_(std::move(owner)) {
  BIO* bio = BIO_new(TlsTransport::method());
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
}

// With kTLS what is sent goes to the socket without us: OpenSSL hands the keys to the kernel after the handshake.
void TlsSession::attach(Stream& stream) {
  stream_ = &stream;
  if (SSL_get_options(ssl_.get()) & SSL_OP_ENABLE_KTLS)
    SSL_set0_wbio(ssl_.get(), BIO_new_socket(stream.fd(), BIO_NOCLOSE));
}

bool TlsSession::kernel_seals() const {
  return BIO_get_ktls_send(SSL_get_wbio(ssl_.get()));
}

// To OpenSSL a session that ends without close_notify is a bad one, never to be resumed; to everybody else it is not.
TlsSession::~TlsSession() {
  if (failure_.empty()) SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

Io TlsSession::fail(int result, Io otherwise) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_WRITE:
      stream_->writable_ = false;
      return Io::would_block;
    case SSL_ERROR_WANT_READ:
      return Io::would_block;
    case SSL_ERROR_ZERO_RETURN:
      return otherwise;
    default:
      break;
  }
  long verified = SSL_get_verify_result(ssl_.get());
  if (failure_.empty() && !SSL_is_init_finished(ssl_.get()) && verified != X509_V_OK)
    failure_ = std::string("certificate: ") + X509_verify_cert_error_string(verified);
  if (failure_.empty() && ERR_peek_error() != 0) failure_ = crypto::take_error();
  if (failure_.empty()) failure_ = "the connection was closed";
  ERR_clear_error();
  return stream_->fail(stream_->error() ? stream_->error() : ECONNRESET);
}

Io TlsSession::handshake() {
  if (Io io = flush(); io == Io::error) return io;
  ERR_clear_error();
  gathered.open = true;
  int result = SSL_do_handshake(ssl_.get());
  gathered.open = false;
  bool sent = TlsTransport::send_gathered(*this);
  if (result != 1) return fail(result, Io::error);
  // A reset that came with the last bytes: libevent says "readable" and no more, and no edge follows.
  stream_->look_again();
  return sent ? Io::done : Io::error;
}

bool TlsSession::holds_input() const {
  return !early_.empty() || SSL_has_pending(ssl_.get());
}

Io TlsSession::read(char* buffer, size_t size, size_t& got) {
  got = 0;
  if (!stream_->may_read()) return Io::would_block;
  forget_errors();
  size_t n = 0;
  int result = SSL_read_ex(ssl_.get(), buffer, size, &n);
  if (result != 1) return fail(result, Io::eof);
  got = n;
  return Io::done;
}

Io TlsSession::flush() {
  if (sealed_.empty()) return Io::done;
  size_t sent = 0;
  Io io = stream_->send(sealed_.data(), sealed_.size(), sent);
  if (sent == sealed_.size()) {
    sealed_ = std::string();
  } else {
    sealed_.erase(0, sent);
  }
  return io;
}

Io TlsSession::seal(const Body& out) {
  static thread_local char plain[record_plain];
  const Segment& first = *out.begin();
  const char* from = plain;
  size_t size = record_plain;
  if (sealed_plain_ == 0 && !first.file && first.bytes.size >= record_plain) {
    from = first.bytes.data;
  } else {
    size = copy_plain(out, sealed_plain_, plain, record_plain);
  }
  if (size == SIZE_MAX) return stream_->fail(EIO);
  size_t taken = 0;
  int result = SSL_write_ex(ssl_.get(), from, size, &taken);
  if (result != 1) return fail(result, Io::error);
  sealed_plain_ += taken;
  return Io::done;
}

Io TlsSession::send_file(Body& out) {
  const Segment& s = *out.begin();
  size_t want = static_cast<size_t>(std::min(s.length, most_bytes_a_turn));
  ssize_t n = SSL_sendfile(ssl_.get(), s.file->fd(), s.offset, want, 0);
  if (n < 0) return fail(static_cast<int>(n), Io::error);
  if (n == 0) return stream_->fail(EIO);  // the file became shorter than what was promised
  out.consume(static_cast<uint64_t>(n));
  return Io::done;
}

// What was sealed stays at the front of `out` until all of it was sent, so that `out` is empty only when it is.
Io TlsSession::write(Body& out) {
  forget_errors();
  uint64_t before = out.size();
  for (;;) {
    if (Io io = flush(); io != Io::done) return io;
    out.consume(std::exchange(sealed_plain_, 0));
    if (out.empty()) return Io::done;
    if (!stream_->may_write()) return Io::would_block;
    if (before - out.size() >= most_bytes_a_turn) return Io::more;
    if (out.begin()->file && kernel_seals()) {
      if (Io io = send_file(out); io != Io::done) return io;
      continue;
    }
    gathered.open = out.size() > record_plain;
    Io io = Io::done;
    for (size_t i = 0; i < records_a_send && io == Io::done && sealed_plain_ < out.size(); ++i) io = seal(out);
    gathered.open = false;
    bool sent = TlsTransport::send_gathered(*this);
    if (io != Io::done) return io;
    if (!sent) return Io::error;
  }
}

void TlsSession::shut_write() {
  if (!SSL_is_init_finished(ssl_.get())) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

std::string_view TlsSession::protocol() const {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

std::string_view TlsSession::server_name() const {
  const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
  return name ? std::string_view(name) : std::string_view();
}

std::string_view TlsSession::version() const {
  return SSL_get_version(ssl_.get());
}

std::string_view TlsSession::cipher() const {
  const char* name = SSL_get_cipher_name(ssl_.get());
  return name ? name : "";
}

bool TlsSession::resumed() const {
  return SSL_session_reused(ssl_.get()) == 1;
}

const crypto::PeerIdentity* TlsSession::peer() const {
  if (peer_) return peer_.get();
  X509* x = SSL_get0_peer_certificate(ssl_.get());
  if (!x || SSL_get_verify_result(ssl_.get()) != X509_V_OK) return nullptr;
  unsigned char* der = nullptr;
  int size = i2d_X509(x, &der);
  if (size <= 0) return nullptr;
  peer_ = std::make_unique<crypto::PeerIdentity>(
      crypto::describe_peer({reinterpret_cast<const char*>(der), static_cast<size_t>(size)}));
  OPENSSL_free(der);
  return peer_.get();
}

}  // namespace portolan::loop
