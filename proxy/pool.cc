#include "proxy/pool.hh"

namespace portolan::proxy {

ServerConnection::ServerConnection(loop::Worker& worker)
    : idle_timer_(worker, this, &loop::Calls<&ServerConnection::on_idle_timeout>::call) {}

Result<std::unique_ptr<ServerConnection>> ServerConnection::open(loop::Worker& worker, const SocketAddress& to,
                                                                 std::shared_ptr<health::ServerState> key) {
  std::unique_ptr<ServerConnection> c(new ServerConnection(worker));
  c->key_ = std::move(key);
  auto stream = loop::Stream::connect(worker, to, *c);
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
  if (stream_->tls() && !stream_->tls()->failure().empty()) return "TLS: " + stream_->tls()->failure();
  return system_error("connect", stream_->error()).text;
}

void ServerConnection::on_ready() {
  if (user_) return user_->on_server_ready();
  // Idle: nothing may come from the server now but its end. (A first edge that only says "writable" is neither.)
  if (idle_in_ && stream_->may_read()) idle_in_->drop(*this);
}

void ServerConnection::on_idle_timeout() {
  if (idle_in_) idle_in_->drop(*this);
}

std::unique_ptr<ServerConnection> Pool::lease(const health::ServerState& server, ServerConnection::User& user) {
  auto found = idle_.find(&server);
  if (found == idle_.end() || found->second.empty()) return nullptr;
  std::unique_ptr<ServerConnection> c = std::move(found->second.back());
  found->second.pop_back();
  --idle_count_;
  c->idle_in_ = nullptr;
  c->idle_timer_.cancel();
  c->user_ = &user;
  ++c->uses_;
  return c;
}

Result<std::unique_ptr<ServerConnection>> Pool::open(const health::Member& server, loop::TlsConnector* tls,
                                                     ServerConnection::User& user) {
  auto c = ServerConnection::open(worker_, server.address, server.state);
  if (!c) return c;
  if (tls) (*c)->tls_ = tls->connect(server.state.get(), server.host);
  (*c)->user_ = &user;
  (*c)->uses_ = 1;
  return c;
}

void Pool::give_back(std::unique_ptr<ServerConnection> connection, int64_t keepalive_ms) {
  connection->user_ = nullptr;
  auto& list = idle_[connection->key_.get()];
  // may_read: something came after the answer, or the server is closing. Either way it can't be used again.
  if (list.size() >= most_idle || keepalive_ms <= 0 || connection->stream_->may_read())
    return close(std::move(connection));
  connection->inbox_.release_if_empty();
  connection->idle_in_ = this;
  connection->idle_timer_.set(keepalive_ms);
  list.push_back(std::move(connection));
  ++idle_count_;
}

void Pool::close(std::unique_ptr<ServerConnection> connection) {
  connection->user_ = nullptr;
  connection->idle_in_ = nullptr;
  worker_.bury(std::move(connection));
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
}

}  // namespace portolan::proxy
