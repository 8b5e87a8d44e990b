#pragma once
// One worker's connections to servers: those in use belong to an OriginRequest, the idle ones to the Pool, from which
// they are leased again, the latest used first. A byte or an end on an idle connection closes it.
#include <memory>
#include <unordered_map>
#include <vector>

#include "core/health/board.hh"
#include "core/http/h1.hh"
#include "core/loop/stream.hh"
#include "core/loop/tls_connector.hh"
#include "proxy/inbox.hh"

namespace portolan::proxy {

class Pool;

class ServerConnection final : public loop::StreamHandler, public loop::Mortal {
 public:
  class User {
   public:
    virtual void on_server_ready() = 0;

   protected:
    ~User() = default;
  };

  // Starts connecting. `key` is the server's identity: its state outlives every configuration that names it.
  static Result<std::unique_ptr<ServerConnection>> open(loop::Worker& worker, const SocketAddress& to,
                                                        std::shared_ptr<health::ServerState> key);
  // would_block until it can be used, its TLS included; error: trouble() says why.
  loop::Io connected();
  std::string trouble() const;
  loop::Stream& stream() { return *stream_; }
  Inbox& inbox() { return inbox_; }
  http::ResponseParser& parser() { return parser_; }
  bool reused() const { return uses_ > 1; }  // carried a request before this one

 private:
  friend class Pool;
  explicit ServerConnection(loop::Worker& worker);
  void on_ready() override;
  void on_idle_timeout();
  std::shared_ptr<health::ServerState> key_;
  std::unique_ptr<loop::Stream> stream_;
  Inbox inbox_;
  http::ResponseParser parser_;
  std::unique_ptr<loop::TlsSession> tls_;  // until the socket is connected
  User* user_ = nullptr;
  Pool* idle_in_ = nullptr;
  int uses_ = 0;
  loop::Timer idle_timer_;
};

class Pool {
 public:
  static constexpr size_t most_idle = 256;  // a server and worker
  explicit Pool(loop::Worker& worker) : worker_(worker) {}

  // An idle connection to the server, or nullptr. `user` is called when it is ready.
  std::unique_ptr<ServerConnection> lease(const health::ServerState& server, ServerConnection::User& user);
  // A new one, connecting; with TLS where there is a connector.
  Result<std::unique_ptr<ServerConnection>> open(const health::Member& server, loop::TlsConnector* tls,
                                                 ServerConnection::User& user);
  // Takes back a connection whose last exchange ended cleanly.
  void give_back(std::unique_ptr<ServerConnection> connection, int64_t keepalive_ms);
  // Ends a connection; safe from within its own callback.
  void close(std::unique_ptr<ServerConnection> connection);
  void close_idle(const health::ServerState& server);  // it left the pool, drains or is down
  void close_all_idle();
  size_t idle() const { return idle_count_; }

 private:
  friend class ServerConnection;
  void drop(ServerConnection& connection);
  loop::Worker& worker_;
  std::unordered_map<const health::ServerState*, std::vector<std::unique_ptr<ServerConnection>>> idle_;
  size_t idle_count_ = 0;
};

}  // namespace portolan::proxy
