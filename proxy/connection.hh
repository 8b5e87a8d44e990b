#pragma once
// A client's connection: its bytes, its codec, its deadlines, and one exchange at a time.
#include <memory>

#include "core/http/h1.hh"
#include "core/loop/stream.hh"
#include "proxy/config.hh"
#include "proxy/inbox.hh"

namespace portolan::proxy {

class Exchange;
class Proxy;

class Connection final : public loop::StreamHandler, public loop::Runnable, public loop::Mortal {
 public:
  Connection(Proxy& proxy, const ListenerConfig& listener, int door, UniqueFd socket, const SocketAddress& peer);
  ~Connection() override;
  void on_ready() override;
  void run() override;  // does all that can be done now; safe to call at any time
  void drain();         // ends after the current request; at once when idle
  int door() const { return door_; }

  // ── for the exchange ──
  Proxy& proxy() { return proxy_; }
  const std::string& listener() const { return listener_; }
  const ListenerConfig& listener_config() const { return config_; }
  const SocketAddress& peer() const { return peer_; }
  http::RequestParser& parser() { return parser_; }
  Inbox& inbox() { return inbox_; }
  // Reads more of the request's body; done: look at the inbox again. The end of the client's side is Io::eof.
  loop::Io fill();
  Body& out() { return out_; }
  bool draining() const;
  bool output_full() const;
  void close_after_answer() { keep_alive_ = false; }
  bool keeps_alive() const { return keep_alive_; }
  void abort() { close(); }    // now, with what is under way
  void cut() { cut_ = true; }  // the answer can't be finished: break the connection so that it shows
  int64_t request_started_us() const { return started_us_; }

 private:
  enum class Phase : uint8_t { greeting, idle, head, exchange, lingering, closed };
  bool step();  // one thing; false: nothing more to do now
  bool read_greeting();
  bool next_request();
  void begin_exchange();
  void refuse(int status);
  bool end_exchange();
  bool flush();  // false: the connection is gone
  void linger();
  void read_out();
  void close();
  void on_timeout();
  void on_body_timeout();
  void enter(Phase phase, int64_t timeout_ms);

  Proxy& proxy_;
  std::string listener_;
  ListenerConfig config_;
  Timeouts timeouts_;
  int door_;
  SocketAddress peer_;
  loop::Stream stream_;
  loop::Timer timer_;
  Inbox inbox_;
  Body out_;
  http::RequestParser parser_;
  std::unique_ptr<Exchange> exchange_;
  Phase phase_ = Phase::idle;
  bool keep_alive_ = true;
  bool draining_ = false;
  bool cut_ = false;
  int64_t started_us_ = 0;
  int64_t progress_ms_ = 0;
  uint64_t lingered_bytes_ = 0;
};

}  // namespace portolan::proxy
