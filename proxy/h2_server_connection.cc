#include "proxy/h2_server_connection.hh"

#include <algorithm>

#include "proxy/filters.hh"
#include "proxy/pool.hh"

namespace portolan::proxy {
namespace {

constexpr size_t inbox_limit = 32 * 1024;
constexpr uint64_t output_window = 256 * 1024;
constexpr size_t most_waiting = 100;  // requests for a connection that does not stand yet
constexpr int steps_a_turn = 64;

}  // namespace

// ── a stream ──────────────────────────────────────────────────────────────────────────────────────────────────────

H2ServerStream::H2ServerStream(H2ServerConnection& connection, User& user, bool reused)
    : worker_(connection.worker_), connection_(&connection), user_(&user), reused_(reused) {}

void H2ServerStream::run() {
  if (user_) user_->on_server_ready();
}

loop::Io H2ServerStream::connected() {
  if (!connection_) return loop::Io::error;
  return connection_->connected_ ? loop::Io::done : loop::Io::would_block;
}

std::string H2ServerStream::trouble() const {
  return trouble_;
}

void H2ServerStream::begin(const ServerRequest& request) {
  begun_ = true;
  if (!connection_ || !may_begin(request)) return;
  bool empty = request.framing == http::Framing::length && request.content_length == 0;
  bool bodyless = empty || (request.framing == http::Framing::none && request.upgrade.empty());
  stream_ = connection_->session_.send_request(request.head, request.h2, bodyless);
  if (stream_) {
    stream_->owner = this;
    sent_any_ = true;  // it may leave at any time
    connection_->used_ = true;
    return connection_->worker_.run_soon(*connection_);
  }
  refuse("the server takes no more streams on this connection");
}

// RFC 8441 §3: an extended CONNECT only to a server whose SETTINGS allow it.
bool H2ServerStream::may_begin(const ServerRequest& request) {
  if (request.upgrade.empty() || connection_->session_.allows_extended_connect()) return true;
  if (connection_->session_.settings_seen()) {
    refuse("the server takes no WebSocket over HTTP/2 (RFC 8441)");
  } else {
    held_ = std::make_unique<ServerRequest>(request);
    connection_->any_held_ = true;
  }
  return false;
}

void H2ServerStream::refuse(std::string why) {
  end_ = Event::refused;
  trouble_ = std::move(why);
  worker_.run_soon(*this);
}

void H2ServerStream::send(Slice bytes) {
  if (!stream_) return;
  Body part;
  part.append(std::move(bytes));
  connection_->session_.send(*stream_, part);
}

void H2ServerStream::end(const http::Fields& trailers) {
  if (!stream_) return;
  http::Fields passing;
  for (const http::Field& f : trailers)
    if (may_be_trailer(f)) passing.add(f);
  connection_->session_.end(*stream_, &passing);
}

loop::Io H2ServerStream::flush() {
  if (connection_ && begun_) connection_->worker_.run_soon(*connection_);
  return loop::Io::done;
}

ServerStream::Event H2ServerStream::next(Slice& bytes) {
  if (std::exchange(head_given_, false)) heads_.erase(heads_.begin());
  if (!heads_.empty()) {
    head_given_ = true;
    return Event::head;
  }
  if (stream_) {
    if (connection_->session_.read(*stream_, bytes)) {
      connection_->worker_.run_soon(*connection_);  // the window goes back
      return Event::body;
    }
    if (!stream_->peer_done()) return Event::wait;
    copy_fields(stream_->trailers(), trailer_bytes_, trailers_);
    return Event::end;
  }
  if (!unread_.empty()) {
    bytes = unread_.begin()->bytes;
    unread_.consume(bytes.size);
    return Event::body;
  }
  return peer_done_ ? Event::end : end_;
}

void H2ServerStream::release(bool whole, bool distrust, int64_t keepalive_ms) {
  user_ = nullptr;
  if (!connection_) return worker_.bury(std::unique_ptr<loop::Mortal>(this));
  if (stream_) {
    stream_->owner = nullptr;
    if (!whole || !stream_->peer_done() || !stream_->all_sent())
      connection_->session_.reset(*stream_, whole ? http::H2Error::none : http::H2Error::cancel);
  }
  if (distrust) connection_->retire();
  connection_->remove(*this, keepalive_ms);
}

// ── the connection ────────────────────────────────────────────────────────────────────────────────────────────────

H2ServerConnection::H2ServerConnection(Pool& pool, loop::Worker& worker)
    : pool_(pool),
      worker_(worker),
      session_(http::H2Session::Role::client, http::H2Limits(), *this),
      idle_timer_(worker, this, &loop::Calls<&H2ServerConnection::on_idle>::call) {}

Result<std::unique_ptr<H2ServerConnection>> H2ServerConnection::open(Pool& pool, loop::Worker& worker,
                                                                     const health::Member& server,
                                                                     loop::TlsConnector* tls) {
  std::unique_ptr<H2ServerConnection> c(new H2ServerConnection(pool, worker));
  c->key_ = server.state;
  auto stream = loop::Stream::connect(worker, server.address, *c);
  if (!stream) return stream.error();
  c->stream_ = std::move(*stream);
  if (tls) c->tls_ = tls->connect(server.state.get(), server.host);
  return c;
}

H2ServerConnection::~H2ServerConnection() {
  for (H2ServerStream* s : streams_) s->connection_ = nullptr;
}

bool H2ServerConnection::takes_more() const {
  if (broken_ || retired_) return false;
  return connected_ ? session_.can_request() : streams_.size() < most_waiting;
}

H2ServerStream* H2ServerConnection::add(ServerStream::User& user) {
  auto* s = new H2ServerStream(*this, user, used_);
  streams_.push_back(s);
  idle_timer_.cancel();
  return s;
}

void H2ServerConnection::retire() {
  retired_ = true;
  if (streams_.empty()) close();
}

void H2ServerConnection::remove(H2ServerStream& stream, int64_t keepalive_ms) {
  std::erase(streams_, &stream);
  stream.connection_ = nullptr;
  stream.stream_ = nullptr;
  worker_.bury(std::unique_ptr<loop::Mortal>(&stream));
  if (broken_) return;
  worker_.run_soon(*this);
  if (!streams_.empty()) return;
  if (retired_ || keepalive_ms <= 0) return close();
  idle_since_ms_ = worker_.now_ms();
  idle_timer_.set(key_->idle.retire_after_ms(worker_.now_ms(), keepalive_ms));
}

void H2ServerConnection::on_idle() {
  if (streams_.empty()) close();
}

void H2ServerConnection::run() {
  for (int i = 0; i < steps_a_turn; ++i)
    if (broken_ || !step()) return;
  worker_.run_next_turn(*this);
}

bool H2ServerConnection::connect() {
  loop::Io io = stream_->connected();
  if (io == loop::Io::done && tls_) stream_->start_tls(std::move(tls_));
  if (io == loop::Io::done && stream_->tls()) io = stream_->handshake();
  if (io == loop::Io::would_block) return false;
  if (io != loop::Io::done) {
    bool tls = stream_->tls() && !stream_->tls()->failure().empty();
    fail(tls ? "TLS: " + stream_->tls()->failure() : system_error("connect", stream_->error()).text);
    return false;
  }
  if (stream_->tls() && stream_->tls()->protocol() != "h2") {
    fail("the server does not speak HTTP/2 (ALPN)");
    return false;
  }
  connected_ = true;
  for (H2ServerStream* s : streams_) worker_.run_soon(*s);
  return true;
}

bool H2ServerConnection::step() {
  if (!connected_ && !connect()) return false;
  bool got = receive();
  if (broken_) return false;
  if (out_.size() < output_window && session_.wants_to_send()) session_.collect(out_, output_window - out_.size());
  bool wrote = !out_.empty();
  if (wrote) {
    loop::Io io = stream_->write(out_);
    if (io == loop::Io::error) {
      // What the server said before it closed is still there to read.
      out_.clear();
      while (!broken_ && receive()) {
      }
      if (!broken_) fail(system_error("send", stream_->error()).text);
      return false;
    }
    if (io == loop::Io::more) worker_.run_next_turn(*this);
  }
  if ((session_.over() || *session_.reason()) && out_.empty()) {
    fail(*session_.reason() ? std::string("malformed response: ") + session_.reason()
                            : "the server ended the connection");
    return false;
  }
  if (session_.shutting_down()) retired_ = true;
  return (got && stream_->may_read()) || (wrote && out_.empty() && session_.wants_to_send());
}

bool H2ServerConnection::receive() {
  loop::Io io = inbox_.fill(*stream_, inbox_limit);
  std::string_view bytes = inbox_.unread();
  if (!bytes.empty()) {
    session_.feed(inbox_.slice(bytes), worker_.now_ms());
    inbox_.consume(bytes.size());
    if (*session_.reason()) {
      Body last;  // the GOAWAY that says why
      session_.collect(last, output_window);
      out_.append(std::move(last));
      stream_->write(out_);
      fail(std::string("malformed response: ") + session_.reason());
      return false;
    }
    if (session_.settings_seen()) begin_held();
  }
  if (io == loop::Io::eof) fail("the server closed the connection");
  if (io == loop::Io::error) fail(system_error("recv", stream_->error()).text);
  inbox_.release_if_empty();
  return io == loop::Io::done;
}

void H2ServerConnection::begin_held() {
  if (!std::exchange(any_held_, false)) return;
  for (H2ServerStream* s : streams_)
    if (auto held = std::move(s->held_)) s->begin(*held);
}

void H2ServerConnection::fail(std::string trouble) {
  if (std::exchange(broken_, true)) return;
  if (streams_.empty() && idle_timer_.armed()) key_->idle.closed(worker_.now_ms() - idle_since_ms_, worker_.now_ms());
  for (H2ServerStream* s : streams_) {
    if (s->stream_) {
      s->unread_ = session_.take(*s->stream_);
      s->stream_ = nullptr;
    }
    if (s->end_ == ServerStream::Event::wait) {
      s->end_ = ServerStream::Event::closed;
      s->trouble_ = trouble;
    }
    s->connection_ = nullptr;
    worker_.run_soon(*s);
  }
  streams_.clear();
  close();
}

void H2ServerConnection::close() {
  broken_ = true;
  idle_timer_.cancel();
  pool_.remove(*this);
}

void H2ServerConnection::on_response(http::H2Stream& stream) {
  auto* s = static_cast<H2ServerStream*>(stream.owner);
  if (!s) return;
  s->heard_ = true;
  s->heads_.push_back(std::move(stream.response));
  worker_.run_soon(*s);
}

void H2ServerConnection::on_readable(http::H2Stream& stream) {
  if (auto* s = static_cast<H2ServerStream*>(stream.owner)) worker_.run_soon(*s);
}

void H2ServerConnection::on_room(http::H2Stream& stream) {
  if (auto* s = static_cast<H2ServerStream*>(stream.owner)) worker_.run_soon(*s);
}

void H2ServerConnection::on_closed(http::H2Stream& stream, http::H2Error why) {
  auto* s = static_cast<H2ServerStream*>(stream.owner);
  if (!s) return;
  s->peer_done_ = stream.peer_done();
  copy_fields(stream.trailers(), s->trailer_bytes_, s->trailers_);
  s->unread_ = session_.take(stream);
  s->stream_ = nullptr;
  s->end_ = why == http::H2Error::refused_stream ? ServerStream::Event::refused : ServerStream::Event::closed;
  s->trouble_ = "the server reset the stream (" + std::string(http::h2_error_name(why)) + ")";
  if (why == http::H2Error::protocol && stream.malformed()) {
    s->end_ = ServerStream::Event::malformed;
    s->trouble_ = "fields that HTTP/2 does not allow";
  }
  worker_.run_soon(*s);
}

}  // namespace portolan::proxy
