#pragma once
// A client's connection: its socket, its deadlines, and one exchange at a time. While it idles it holds little more than
// its socket's event: what a request needs is a Conversation, lent by the proxy.
#include <memory>

#include "core/loop/stream.hh"
#include "core/loop/tls_acceptor.hh"
#include "proxy/admit/client_counts.hh"
#include "proxy/config.hh"
#include "proxy/conversation.hh"
#include "proxy/downstream.hh"

namespace portolan::proxy {

class H2Connection;
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
  size_t inbox_limit = 0;                  // bytes that may wait unread: more than the longest head
  int64_t look_ms = 0;                     // how often an exchange's idle time and pace are looked at
};

class Connection final : public loop::StreamHandler, public Downstream, public loop::Mortal, public Recycled {
 public:
  Connection(Proxy& proxy, std::shared_ptr<const ListenerView> listener, int door, UniqueFd socket,
             const SocketAddress& peer);
  ~Connection() override;
  void on_ready() override;
  void run() override;  // does all that can be done now; safe to call at any time
  void drain();         // ends after the current request; at once when idle
  int door() const { return door_; }

  // ── for exchanges ──
  Proxy& proxy() { return proxy_; }
  const ListenerView& listener() const { return *listener_; }
  const IpAddress& peer() const { return peer_; }
  const loop::TlsSession* tls() const { return stream_.tls(); }  // nullptr: plain
  bool draining() const;
  void abort() { close(); }  // now, with what is under way

  // ── for those who need its place, or its memory ──
  enum class Standing : uint8_t {
    working,     // on a request
    incomplete,  // has begun to say what it wants: a head, a handshake
    idle,
  };
  Standing standing() const;
  void give_way();              // ends it, unless it is working
  void cut_off();               // by a reset, with what is under way
  bool reads_slowly() const;    // holds memory that its client doesn't take
  int64_t progress_ms() const;  // when it took some last

  // ── HTTP/1: the one exchange's client ──
  Read read_body(Slice& bytes) override;
  const http::Fields& trailers() const override { return talk_->parser.trailers(); }
  int broken_status() const override { return talk_->broken_status; }
  int64_t request_started_us() const override { return talk_->started_us; }
  bool output_full() const override;
  bool output_empty() const override { return talk_->out.empty(); }
  void send_interim(const std::string& head) override;
  void send_head(const Answer& answer, ResponseFilter& filter) override;
  void send_body(Body& part) override;
  void end_body(const http::Fields* trailers) override;
  void close_after_answer() override { keep_alive_ = false; }
  void cut() override { cut_ = true; }

 private:
  friend class Crowd;
  friend class Proxy;
  friend class H2Connection;
  enum class Phase : uint8_t { greeting, handshake, idle, head, exchange, multiplexed, lingering, closed };
  bool step();  // one thing; false: nothing more to do now
  bool read_greeting();
  void begin_tls();
  bool shake_hands();
  bool next_request();
  bool speaks_http2();  // begins as an HTTP/2 client does, or may yet
  void begin_http2();
  void begin_exchange(std::unique_ptr<Exchange> exchange);
  void refuse(int status);
  bool end_exchange();
  void take_conversation();
  void begin_to_idle();
  void end_handshake();
  loop::Io fill();
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
  Connection* previous_ = nullptr;  // in the crowd
  Connection* next_ = nullptr;
  std::unique_ptr<Conversation> talk_;  // nullptr: idle
  std::unique_ptr<H2Connection> h2_;    // while multiplexed
  int door_;
  uint32_t lingered_bytes_ = 0;
  uint32_t placed_s_ = 0;                                  // when it got its place in the crowd
  ClientCounts::Entry counted_ = ClientCounts::uncounted;  // among those of its client
  IpAddress peer_;
  Phase phase_ = Phase::idle;
  bool keep_alive_ = true;
  bool draining_ = false;
  bool cut_ = false;
  bool shaking_hands_ = false;  // counted as a handshake of its source
  bool may_be_http2_ = false;   // nothing was read yet that says otherwise
  loop::Stream stream_;
  loop::Timer timer_;
};

}  // namespace portolan::proxy
