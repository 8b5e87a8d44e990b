#pragma once
// A client's connection: its socket, its deadlines, and one exchange at a time. While it idles it holds little more than
// its socket's event: what a request needs is a Conversation, lent by the proxy.
#include <memory>

#include "core/loop/stream.hh"
#include "core/loop/tls_acceptor.hh"
#include "proxy/config.hh"
#include "proxy/conversation.hh"

namespace portolan::proxy {

class Proxy;

// What the connections of a listener share: as it was configured when they came.
struct ListenerView {
  uint64_t id = 0;  // no other view of this worker has it
  ListenerConfig config;
  Timeouts timeouts;
  metrics::Counter* open = nullptr;        // a gauge
  metrics::Counter* accepted = nullptr;    // both of its connections
  std::shared_ptr<loop::TlsAcceptor> tls;  // nullptr: plain
  std::string hsts;                        // the value of Strict-Transport-Security; empty: not sent
};

class Connection final : public loop::StreamHandler, public loop::Runnable, public loop::Mortal, public Recycled {
 public:
  Connection(Proxy& proxy, std::shared_ptr<const ListenerView> listener, int door, UniqueFd socket,
             const SocketAddress& peer);
  ~Connection() override;
  void on_ready() override;
  void run() override;  // does all that can be done now; safe to call at any time
  void drain();         // ends after the current request; at once when idle
  int door() const { return door_; }

  // ── for the exchange ──
  Proxy& proxy() { return proxy_; }
  const ListenerView& listener() const { return *listener_; }
  const IpAddress& peer() const { return peer_; }
  const loop::TlsSession* tls() const { return stream_.tls(); }  // nullptr: plain
  http::RequestParser& parser() { return talk_->parser; }
  Inbox& inbox() { return talk_->inbox; }
  // Reads more of the request's body; done: look at the inbox again. The end of the client's side is Io::eof.
  loop::Io fill();
  Body& out() { return talk_->out; }
  bool draining() const;
  bool output_full() const;
  void close_after_answer() { keep_alive_ = false; }
  bool keeps_alive() const { return keep_alive_; }
  void abort() { close(); }    // now, with what is under way
  void cut() { cut_ = true; }  // the answer can't be finished: break the connection so that it shows
  int64_t request_started_us() const { return talk_->started_us; }

 private:
  friend class Proxy;
  enum class Phase : uint8_t { greeting, handshake, idle, head, exchange, lingering, closed };
  bool step();  // one thing; false: nothing more to do now
  bool read_greeting();
  void begin_tls();
  bool shake_hands();
  bool next_request();
  void begin_exchange(std::unique_ptr<Exchange> exchange);
  void refuse(int status);
  bool end_exchange();
  bool flush();  // false: the connection is gone
  void rest();   // gives the conversation back if nothing is under way
  void linger();
  void read_out();
  void close();
  void on_timeout();
  void on_body_timeout();
  void enter(Phase phase, int64_t timeout_ms);

  Proxy& proxy_;
  std::shared_ptr<const ListenerView> listener_;
  Connection* previous_ = nullptr;  // in the proxy's list
  Connection* next_ = nullptr;
  std::unique_ptr<Conversation> talk_;  // nullptr: idle
  int door_;
  uint32_t lingered_bytes_ = 0;
  IpAddress peer_;
  Phase phase_ = Phase::idle;
  bool keep_alive_ = true;
  bool draining_ = false;
  bool cut_ = false;
  loop::Stream stream_;
  loop::Timer timer_;
};

}  // namespace portolan::proxy
