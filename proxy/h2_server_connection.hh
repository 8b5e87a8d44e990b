#pragma once
// HTTP/2 with a server: one connection that carries many requests at once, each a ServerStream. Belongs to its worker's
// Pool; ends itself when it is idle for too long or broken.
#include <memory>
#include <vector>

#include "core/health/board.hh"
#include "core/loop/tls_connector.hh"
#include "proxy/inbox.hh"
#include "proxy/server_stream.hh"

namespace portolan::proxy {

class H2ServerConnection;
class Pool;

class H2ServerStream final : public ServerStream, public loop::Runnable, public loop::Mortal, public Recycled {
 public:
  H2ServerStream(H2ServerConnection& connection, User& user, bool reused);
  loop::Io connected() override;
  std::string trouble() const override;
  bool reused() const override { return reused_; }
  void begin(const ServerRequest& request) override;
  void send(Slice bytes) override;
  void end(const http::Fields& trailers) override;
  loop::Io flush() override;
  uint64_t unsent() const override { return stream_ ? stream_->unsent() : 0; }
  bool sent_any() const override { return sent_any_; }
  Event next(Slice& bytes) override;
  http::ResponseHead& head() override { return heads_.front(); }
  const http::Fields& trailers() const override { return trailers_; }
  bool heard() const override { return heard_; }
  void release(bool whole, bool distrust, int64_t keepalive_ms) override;
  void run() override;  // tells the user

 private:
  friend class H2ServerConnection;
  bool may_begin(const ServerRequest& request);
  void refuse(std::string why);
  loop::Worker& worker_;
  H2ServerConnection* connection_;  // nullptr: it has ended
  http::H2Stream* stream_ = nullptr;
  User* user_;
  bool reused_;
  bool begun_ = false;
  std::unique_ptr<ServerRequest> held_;  // an extended CONNECT, until the server said whether it may be
  bool sent_any_ = false;
  bool heard_ = false;
  bool head_given_ = false;  // heads_.front() was
  std::vector<http::ResponseHead> heads_;
  Body unread_;  // what was left when the stream closed
  BlockRef trailer_bytes_;
  http::Fields trailers_;
  bool peer_done_ = false;
  Event end_ = Event::wait;  // how it closed
  std::string trouble_;
};

class H2ServerConnection final : public loop::StreamHandler,
                                 public loop::Runnable,
                                 public loop::Mortal,
                                 public http::H2Session::Events {
 public:
  static Result<std::unique_ptr<H2ServerConnection>> open(Pool& pool, loop::Worker& worker,
                                                          const health::Member& server, loop::TlsConnector* tls);
  ~H2ServerConnection() override;

  bool takes_more() const;  // one more request may begin here
  H2ServerStream* add(ServerStream::User& user);
  void retire();  // takes no more; ends with the last of its streams
  size_t streams() const { return streams_.size(); }
  const health::ServerState& server() const { return *key_; }

  void on_ready() override { run(); }
  void run() override;
  void on_response(http::H2Stream& stream) override;
  void on_readable(http::H2Stream& stream) override;
  void on_room(http::H2Stream& stream) override;
  void on_closed(http::H2Stream& stream, http::H2Error why) override;

 private:
  friend class H2ServerStream;
  H2ServerConnection(Pool& pool, loop::Worker& worker);
  bool connect();  // false: not yet, or failed
  bool step();
  bool receive();
  void begin_held();
  void fail(std::string trouble);  // every stream learns it
  void close();
  void remove(H2ServerStream& stream, int64_t keepalive_ms);
  void on_idle();

  Pool& pool_;
  loop::Worker& worker_;
  std::shared_ptr<health::ServerState> key_;
  std::unique_ptr<loop::Stream> stream_;
  std::unique_ptr<loop::TlsSession> tls_;  // until the socket is connected
  http::H2Session session_;
  Inbox inbox_;
  Body out_;
  std::vector<H2ServerStream*> streams_;  // owned; those in use
  bool connected_ = false;
  bool broken_ = false;
  bool retired_ = false;
  bool used_ = false;
  bool any_held_ = false;
  std::string trouble_;
  int64_t idle_since_ms_ = 0;
  loop::Timer idle_timer_;
};

}  // namespace portolan::proxy
