#include "proxy/pool.hh"

#include "proxy/filters.hh"
#include "proxy/h2_server_connection.hh"

namespace portolan::proxy {
namespace {

constexpr size_t inbox_limit = 64 * 1024;

}  // namespace

ServerConnection::ServerConnection(Pool& pool)
    : pool_(pool), idle_timer_(pool.worker_, this, &loop::Calls<&ServerConnection::on_idle_timeout>::call) {}

Result<std::unique_ptr<ServerConnection>> ServerConnection::open(Pool& pool, const SocketAddress& to,
                                                                 std::shared_ptr<health::ServerState> key) {
  std::unique_ptr<ServerConnection> c(new ServerConnection(pool));
  c->key_ = std::move(key);
  auto stream = loop::Stream::connect(pool.worker_, to, *c);
  if (!stream) return stream.error();
  c->stream_ = std::move(*stream);
  return c;
}

loop::Io ServerConnection::connected() {
  loop::Io io = stream_->connected();
  if (io != loop::Io::done) return io;
  if (tls_) stream_->start_tls(std::move(tls_));
  return stream_->tls() ? stream_->handshake() : io;
}

std::string ServerConnection::trouble() const {
  if (*trouble_) return trouble_;
  if (stream_->tls() && !stream_->tls()->failure().empty()) return "TLS: " + stream_->tls()->failure();
  return system_error(begun_ ? "recv" : "connect", stream_->error()).text;
}

void ServerConnection::on_ready() {
  if (user_) return user_->on_server_ready();
  // Idle: nothing may come from the server now but its end. (A first edge that only says "writable" is neither.)
  if (!idle_ || !stream_->may_read()) return;
  int64_t now_ms = pool_.worker_.now_ms();
  key_->idle.closed(now_ms - idle_since_ms_, now_ms);
  pool_.drop(*this);
}

void ServerConnection::on_idle_timeout() {
  if (idle_) pool_.drop(*this);
}

// ── the request ───────────────────────────────────────────────────────────────────────────────────────────────────

void ServerConnection::begin(const ServerRequest& request) {
  parser_.start(request.method);
  chunked_ = request.framing == http::Framing::chunked;
  begun_ = true;
  answering_ = keep_alive_ = sent_any_ = heard_ = looked_again_ = false;
  trouble_ = "";
  tunnel_ = ending_ = false;
  out_.clear();
  out_.append(request.head);
}

void ServerConnection::send(Slice bytes) {
  if (!chunked_) return out_.append(std::move(bytes));
  char header[20];
  out_.append(Slice::copy_of({header, http::chunk_header(header, bytes.size)}));
  out_.append(std::move(bytes));
  out_.append(Slice::literal("\r\n"));
}

void ServerConnection::end(const http::Fields& trailers) {
  ending_ = tunnel_;
  if (!chunked_) return;
  std::string last = "0\r\n";
  http::HeadWriter writer(last);
  for (const http::Field& f : trailers)
    if (may_be_trailer(f)) writer.field(f.name, f.value);
  writer.end();
  out_.append(Slice::copy_of(last));
}

loop::Io ServerConnection::flush() {
  if (out_.empty() && std::exchange(ending_, false)) stream_->shut_write();
  if (out_.empty()) return loop::Io::done;
  uint64_t before = out_.size();
  loop::Io io = stream_->write(out_);
  if (out_.size() != before) sent_any_ = true;
  if (io == loop::Io::error) out_.clear();
  if (io == loop::Io::done && std::exchange(ending_, false)) stream_->shut_write();
  return io;
}

// ── the answer ────────────────────────────────────────────────────────────────────────────────────────────────────

ServerStream::Event ServerConnection::next(Slice& bytes) {
  for (;;) {
    if (tunnel_ && !inbox_.unread().empty()) {
      bytes = inbox_.slice(inbox_.unread());
      inbox_.consume(bytes.size);
      return Event::body;
    }
    http::Step step;
    if (!tunnel_) step = parser_.next(inbox_.unread());
    switch (step.event) {
      case http::Event::need_more:
        inbox_.consume(step.consumed);
        break;
      case http::Event::head:
        parser_.head().storage = inbox_.block();
        inbox_.consume(step.consumed);
        tunnel_ = parser_.head().status == 101;
        if (tunnel_ || parser_.head().status >= 200) {
          answering_ = true;
          keep_alive_ = parser_.head().keep_alive;
          if (uses_ == 1 && parser_.head().fields.may_have(http::FieldId::keep_alive)) learn(parser_.head());
        }
        return Event::head;
      case http::Event::body:
        bytes = inbox_.slice(step.data);
        inbox_.consume(step.consumed);
        return Event::body;
      case http::Event::end:
        inbox_.consume(step.consumed);
        if (answering_) return Event::end;
        continue;  // after a 1xx comes the real one
      case http::Event::error:
        trouble_ = parser_.reason();
        return Event::malformed;
    }
    loop::Io io = inbox_.fill(*stream_, inbox_limit);
    if (io == loop::Io::done) {
      heard_ = true;
      continue;
    }
    if (io == loop::Io::would_block) {
      // An RST behind the last bytes brings no edge of its own.
      looked_again_ = answering_ && !looked_again_;
      if (!looked_again_) return Event::wait;
      stream_->look_again();
      continue;
    }
    keep_alive_ = false;
    if (io == loop::Io::eof && answering_ && (tunnel_ || parser_.finish_at_close())) return Event::end;
    if (io == loop::Io::eof) trouble_ = "the server closed the connection";
    if (reused() && !heard_) key_->idle.closed(idled_ms_, pool_.worker_.now_ms());
    return Event::closed;
  }
}

// `Keep-Alive: timeout=5, max=100`: how long the server leaves it open.
void ServerConnection::learn(const http::ResponseHead& head) {
  auto said = head.fields.find(http::FieldId::keep_alive);
  size_t at = said ? said->find("timeout=") : std::string_view::npos;
  if (at == std::string_view::npos) return;
  int64_t seconds = 0;
  for (char c : said->substr(at + 8)) {
    if (c < '0' || c > '9' || seconds > 86'400) break;
    seconds = seconds * 10 + (c - '0');
  }
  if (seconds > 0) key_->idle.said(seconds * 1000, pool_.worker_.now_ms());
}

void ServerConnection::release(bool whole, bool, int64_t keepalive_ms) {
  std::unique_ptr<ServerConnection> self(this);
  parser_.head().storage.reset();
  // An answer that came before the whole request was sent leaves the connection in the middle of it.
  bool reusable = whole && keep_alive_ && !stream_->error() && out_.empty() && inbox_.unread().empty();
  if (whole && idled_ms_ > health::IdleLimit::surely_alive_ms) key_->idle.survived(idled_ms_);
  if (reusable) return pool_.give_back(std::move(self), keepalive_ms);
  pool_.close(std::move(self));
}

// ── the pool ──────────────────────────────────────────────────────────────────────────────────────────────────────

Pool::Pool(loop::Worker& worker) : worker_(worker) {}
Pool::~Pool() = default;

ServerStream* Pool::lease(const health::ServerState& server, ServerStream::User& user, bool replayable) {
  auto found = idle_.find(&server);
  if (found == idle_.end() || found->second.empty()) return nullptr;
  int64_t idled_ms = worker_.now_ms() - found->second.back()->idle_since_ms_;
  if (!replayable && !server.idle.safe(idled_ms, worker_.now_ms())) return nullptr;
  std::unique_ptr<ServerConnection> c = std::move(found->second.back());
  c->idled_ms_ = idled_ms;
  found->second.pop_back();
  --idle_count_;
  c->idle_ = false;
  c->idle_timer_.cancel();
  c->user_ = &user;
  ++c->uses_;
  return c.release();
}

Result<ServerStream*> Pool::open(const health::Member& server, loop::TlsConnector* tls, ServerStream::User& user) {
  auto c = ServerConnection::open(*this, server.address, server.state);
  if (!c) return c.error();
  if (tls) (*c)->tls_ = tls->connect(server.state.get(), server.host);
  (*c)->user_ = &user;
  (*c)->uses_ = 1;
  return c->release();
}

void Pool::give_back(std::unique_ptr<ServerConnection> connection, int64_t keepalive_ms) {
  connection->user_ = nullptr;
  auto& list = idle_[connection->key_.get()];
  // may_read: something came after the answer, or the server is closing. Either way it can't be used again.
  if (list.size() >= most_idle || keepalive_ms <= 0 || connection->stream_->may_read())
    return close(std::move(connection));
  connection->inbox_.release_if_empty();
  connection->idle_ = true;
  connection->idle_since_ms_ = worker_.now_ms();
  connection->idle_timer_.set(connection->key_->idle.retire_after_ms(worker_.now_ms(), keepalive_ms));
  list.push_back(std::move(connection));
  ++idle_count_;
}

void Pool::close(std::unique_ptr<ServerConnection> connection) {
  connection->user_ = nullptr;
  connection->idle_ = false;
  worker_.bury(std::move(connection));
}

Result<ServerStream*> Pool::open_h2(const health::Member& server, loop::TlsConnector* tls, ServerStream::User& user,
                                    bool fresh) {
  auto& list = multiplexed_[server.state.get()];
  if (!fresh)
    for (auto& c : list)
      if (c->takes_more()) return c->add(user);
  auto opened = H2ServerConnection::open(*this, worker_, server, tls);
  if (!opened) return opened.error();
  list.push_back(std::move(*opened));
  return list.back()->add(user);
}

void Pool::remove(H2ServerConnection& connection) {
  auto& list = multiplexed_[&connection.server()];
  for (auto& c : list) {
    if (c.get() != &connection) continue;
    auto dead = std::move(c);
    c = std::move(list.back());
    list.pop_back();
    return worker_.bury(std::move(dead));
  }
}

void Pool::drop(ServerConnection& connection) {
  auto& list = idle_[connection.key_.get()];
  for (auto& c : list) {
    if (c.get() != &connection) continue;
    auto dead = std::move(c);
    c = std::move(list.back());
    list.pop_back();
    --idle_count_;
    return close(std::move(dead));
  }
}

void Pool::close_idle(const health::ServerState& server) {
  if (auto found = multiplexed_.find(&server); found != multiplexed_.end())
    for (size_t i = found->second.size(); i > 0; --i) found->second[i - 1]->retire();
  auto found = idle_.find(&server);
  if (found == idle_.end()) return;
  auto list = std::move(found->second);
  idle_.erase(found);
  idle_count_ -= list.size();
  for (auto& c : list) close(std::move(c));
}

void Pool::close_all_idle() {
  auto all = std::move(idle_);
  idle_.clear();
  idle_count_ = 0;
  for (auto& [key, list] : all)
    for (auto& c : list) close(std::move(c));
  for (auto& [key, list] : multiplexed_)
    for (size_t i = list.size(); i > 0; --i)
      if (list[i - 1]->streams() == 0) list[i - 1]->retire();
}

}  // namespace portolan::proxy
