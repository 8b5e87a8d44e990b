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
#include "proxy/server_stream.hh"

namespace portolan::proxy {

class H2ServerConnection;
class Pool;

// HTTP/1: one request after another.
class ServerConnection final : public ServerStream, public loop::StreamHandler, public loop::Mortal {
 public:
  // Starts connecting. `key` is the server's identity: its state outlives every configuration that names it.
  static Result<std::unique_ptr<ServerConnection>> open(Pool& pool, const SocketAddress& to,
                                                        std::shared_ptr<health::ServerState> key);
  loop::Io connected() override;
  std::string trouble() const override;
  bool reused() const override { return uses_ > 1; }
  void begin(const ServerRequest& request) override;
  void send(Slice bytes) override;
  void end(const http::Fields& trailers) override;
  loop::Io flush() override;
  uint64_t unsent() const override { return out_.size(); }
  bool sent_any() const override { return sent_any_; }
  Event next(Slice& bytes) override;
  http::ResponseHead& head() override { return parser_.head(); }
  const http::Fields& trailers() const override { return parser_.trailers(); }
  bool heard() const override { return heard_; }
  void release(bool whole, bool distrust, int64_t keepalive_ms) override;

 private:
  friend class Pool;
  explicit ServerConnection(Pool& pool);
  void on_ready() override;
  void on_idle_timeout();
  void learn(const http::ResponseHead& head);
  std::shared_ptr<health::ServerState> key_;
  std::unique_ptr<loop::Stream> stream_;
  Inbox inbox_;
  http::ResponseParser parser_;
  std::unique_ptr<loop::TlsSession> tls_;  // until the socket is connected
  Pool& pool_;
  User* user_ = nullptr;
  bool idle_ = false;
  int uses_ = 0;
  int64_t idle_since_ms_ = 0;
  int64_t idled_ms_ = 0;  // before it was leased
  Body out_;
  bool tunnel_ = false;     // after a 101: bytes, no messages
  bool ending_ = false;     // of a tunnel: our side is over
  bool begun_ = false;      // a request was
  bool chunked_ = false;    // the request's body
  bool answering_ = false;  // the head of the answer is there, and more is to come
  bool keep_alive_ = false;
  bool sent_any_ = false;
  bool heard_ = false;
  bool looked_again_ = false;
  const char* trouble_ = "";
  loop::Timer idle_timer_;
};

class Pool {
 public:
  static constexpr size_t most_idle = 256;  // a server and worker
  explicit Pool(loop::Worker& worker);
  ~Pool();

  // An idle connection to the server, or nullptr. `user` is called when it is ready. Until ServerStream::release().
  // A request that is not `replayable` gets only one of which the server is known to leave it open.
  ServerStream* lease(const health::ServerState& server, ServerStream::User& user, bool replayable);
  // A stream of an HTTP/2 connection to the server, of a new one if need be.
  Result<ServerStream*> open_h2(const health::Member& server, loop::TlsConnector* tls, ServerStream::User& user,
                                bool fresh);
  // A new one, connecting; with TLS where there is a connector.
  Result<ServerStream*> open(const health::Member& server, loop::TlsConnector* tls, ServerStream::User& user);
  void close_idle(const health::ServerState& server);  // it left the pool, drains or is down
  void close_all_idle();
  size_t idle() const { return idle_count_; }

 private:
  friend class ServerConnection;
  friend class H2ServerConnection;
  void remove(H2ServerConnection& connection);
  // Takes back a connection whose last exchange ended cleanly.
  void give_back(std::unique_ptr<ServerConnection> connection, int64_t keepalive_ms);
  // Ends a connection; safe from within its own callback.
  void close(std::unique_ptr<ServerConnection> connection);
  void drop(ServerConnection& connection);
  loop::Worker& worker_;
  std::unordered_map<const health::ServerState*, std::vector<std::unique_ptr<ServerConnection>>> idle_;
  size_t idle_count_ = 0;
  std::unordered_map<const health::ServerState*, std::vector<std::unique_ptr<H2ServerConnection>>> multiplexed_;
};

}  // namespace portolan::proxy
