#include "proxy/connection.hh"

#include <algorithm>

#include "core/loop/proxy_protocol.hh"
#include "proxy/exchange.hh"
#include "proxy/h2_connection.hh"
#include "proxy/proxy.hh"

namespace portolan::proxy {
namespace {

constexpr uint64_t output_window = 256 * 1024;  // bytes handed to the kernel's care and not yet taken
constexpr uint64_t least_window = 16 * 1024;    // the same, while memory is tight
constexpr int steps_a_turn = 64;
constexpr int reads_a_turn = 4;  // of HTTP/2: many small requests may be in each
constexpr int64_t linger_ms = 2000;
constexpr uint32_t linger_bytes = 4 << 20;

}  // namespace

Conversation::Conversation() = default;
Conversation::~Conversation() = default;

bool Conversation::blank() const {
  return !exchange && out.empty() && inbox.unread().empty() && parser.blank();
}

Connection::Connection(Proxy& proxy, std::shared_ptr<const ListenerView> listener, int door, UniqueFd socket,
                       const SocketAddress& peer)
    : proxy_(proxy),
      listener_(std::move(listener)),
      door_(door),
      peer_(peer.ip),
      stream_(proxy.worker(), std::move(socket), *this),
      timer_(proxy.worker(), this, &loop::Calls<&Connection::on_timeout>::call) {
  may_be_http2_ = listener_->config.http2 && !listener_->tls;
  if (listener_->config.proxy_protocol) {
    enter(Phase::greeting, listener_->timeouts.header);
  } else if (listener_->tls) {
    begin_tls();
  } else {
    enter(Phase::idle, proxy_.idle_ms(listener_->timeouts.keepalive));
  }
}

Connection::~Connection() {
  end_handshake();
}

void Connection::enter(Phase phase, int64_t timeout_ms) {
  phase_ = phase;
  timer_.set(timeout_ms);
}

bool Connection::draining() const {
  return draining_ || proxy_.draining();
}

void Connection::drain() {
  draining_ = true;
  proxy_.worker().run_soon(*this);
}

void Connection::on_ready() {
  // Who has reset the connection wants nothing any more. Who only ended its side may still read the answer.
  // At the gates nobody reads, and so nobody else would notice.
  const Exchange* e = phase_ == Phase::exchange ? talk_->exchange.get() : nullptr;
  if (e && (e->request_over() || e->waits_for_admission()) && stream_.broken()) return close();
  run();
}

void Connection::run() {
  if (!talk_ && phase_ <= Phase::head && phase_ != Phase::handshake) take_conversation();
  for (int i = 0; i < (phase_ == Phase::multiplexed ? reads_a_turn : steps_a_turn); ++i)
    if (phase_ == Phase::closed || !step()) return;
  proxy_.worker().run_next_turn(*this);
}

bool Connection::step() {
  switch (phase_) {
    case Phase::greeting:
      return read_greeting();
    case Phase::handshake:
      return shake_hands();
    case Phase::idle:
    case Phase::head:
      return next_request();
    case Phase::exchange: {
      if (!flush()) return false;
      bool over = talk_->exchange->run();
      if (cut_) {
        stream_.reset_on_close();
        close();
        return false;
      }
      bool wrote = !talk_->out.empty();
      if (!flush()) return false;
      if (over && talk_->out.empty()) return end_exchange();
      return wrote && talk_->out.empty();
    }
    case Phase::multiplexed:
      return h2_->step();
    case Phase::lingering:
      read_out();
      return false;
    case Phase::closed:
      return false;
  }
  return false;
}

// ── before the first request ──────────────────────────────────────────────────────────────────────────────────────

bool Connection::read_greeting() {
  Inbox& inbox = talk_->inbox;
  loop::ProxyHeader header = loop::parse_proxy_header(inbox.unread());
  bool trusted = contains(proxy_.snapshot()->trusted, peer_.unmapped());
  if (!trusted || header.outcome == loop::ProxyHeader::Outcome::invalid) {
    close();
    return false;
  }
  if (header.outcome == loop::ProxyHeader::Outcome::ok) {
    if (header.has_source) peer_ = header.source.ip;
    inbox.consume(header.consumed);
    counted_ = proxy_.count_client(*listener_, peer_);
    if (counted_ == ClientCounts::refused) {
      close();
      return false;
    }
    if (listener_->tls) {
      begin_tls();
    } else {
      enter(Phase::idle, proxy_.idle_ms(listener_->timeouts.keepalive));
    }
    return true;
  }
  loop::Io io = inbox.fill(stream_, 1024);
  if (io == loop::Io::done) return true;
  if (io != loop::Io::would_block) close();
  return false;
}

void Connection::begin_tls() {
  enter(Phase::handshake, listener_->tls->identity()->config.handshake_timeout_ms);
  shaking_hands_ = proxy_.handshake_begins(peer_, *listener_);
  if (!shaking_hands_) return;  // its first step ends it
  auto session = listener_->tls->accept();
  if (talk_) {
    session->feed(talk_->inbox.unread());
    talk_->inbox.consume(talk_->inbox.unread().size());
    rest();
  }
  stream_.start_tls(std::move(session));
}

void Connection::end_handshake() {
  if (std::exchange(shaking_hands_, false)) proxy_.handshake_over(peer_);
}

bool Connection::shake_hands() {
  if (!shaking_hands_) {
    close();
    return false;
  }
  if (!stream_.may_read()) return false;
  if (!proxy_.worker().take_handshake()) {
    proxy_.worker().run_next_turn(*this);
    return false;
  }
  loop::Io io = stream_.handshake();
  if (io == loop::Io::would_block) return false;
  end_handshake();
  proxy_.count_handshake(listener_->config.name, *stream_.tls(), io == loop::Io::done ? "" : "failed");
  if (io != loop::Io::done) {
    linger();  // the alert says why; closing at once might reset it away
    return false;
  }
  enter(Phase::idle, proxy_.idle_ms(listener_->timeouts.keepalive));
  take_conversation();
  if (stream_.tls()->protocol() == "h2") begin_http2();
  return true;
}

// RFC 9113 §3.3: without TLS a client that knows begins with the preface.
bool Connection::speaks_http2() {
  std::string_view bytes = talk_->inbox.unread().substr(0, http::h2_preface.size());
  if (http::h2_preface.starts_with(bytes)) {
    if (bytes.size() == http::h2_preface.size()) begin_http2();
    return true;
  }
  may_be_http2_ = false;
  return false;
}

void Connection::begin_http2() {
  may_be_http2_ = false;
  phase_ = Phase::multiplexed;
  h2_ = std::make_unique<H2Connection>(*this);
}

// ── the next request ──────────────────────────────────────────────────────────────────────────────────────────────

bool Connection::next_request() {
  Conversation& talk = *talk_;
  bool undecided = may_be_http2_ && !talk.inbox.unread().empty() && speaks_http2();
  if (phase_ == Phase::multiplexed) return true;
  if (!talk.inbox.unread().empty() && !undecided) {
    http::Step step = talk.parser.next(talk.inbox.unread());
    if (phase_ == Phase::idle && talk.parser.started()) {
      talk.started_us = proxy_.worker().now_us();
      if (step.event == http::Event::need_more) enter(Phase::head, listener_->timeouts.header);
    }
    if (step.event == http::Event::head) {
      talk.parser.head().storage = talk.inbox.block();
      talk.inbox.consume(step.consumed);
      keep_alive_ = talk.parser.head().keep_alive;
      if (!proxy_.may_begin(*this)) {
        refuse(503);
        return true;
      }
      begin_exchange(std::make_unique<Exchange>(*this, *this, talk.parser.head()));
      return true;
    }
    if (step.event == http::Event::error) {
      refuse(talk.parser.status());
      return true;
    }
    talk.inbox.consume(step.consumed);
  }
  if (phase_ == Phase::head && talk.inbox.unread().size() > Block::small_capacity / 2 && proxy_.memory_full()) {
    refuse(503);  // it would need a larger block
    return true;
  }
  loop::Io io = talk.inbox.fill(stream_, listener_->inbox_limit, proxy_.memory_tight());
  if (io == loop::Io::done) return true;
  // Half a head, and a reset behind it that brings no edge of its own.
  if (io == loop::Io::would_block && phase_ == Phase::head && stream_.broken()) io = loop::Io::error;
  // A request that has arrived already is still answered.
  if (io != loop::Io::would_block || (phase_ == Phase::idle && draining())) {
    close();
    return false;
  }
  rest();
  return false;
}

void Connection::begin_exchange(std::unique_ptr<Exchange> exchange) {
  phase_ = Phase::exchange;
  timer_.set(listener_->look_ms);
  talk_->progress_ms = proxy_.worker().now_ms();
  talk_->queued = 0;
  talk_->exchange = std::move(exchange);
}

void Connection::refuse(int status) {
  keep_alive_ = false;
  if (talk_->started_us == 0) talk_->started_us = proxy_.worker().now_us();
  begin_exchange(std::make_unique<Exchange>(*this, *this, status));
}

bool Connection::end_exchange() {
  bool whole = talk_->exchange->request_over();
  talk_->exchange.reset();
  talk_->parser.head().storage.reset();
  talk_->started_us = 0;
  if (!keep_alive_ || !whole || draining()) {
    linger();
    return phase_ == Phase::lingering;
  }
  begin_to_idle();
  return true;
}

void Connection::begin_to_idle() {
  enter(Phase::idle, proxy_.idle_ms(listener_->timeouts.keepalive));
  proxy_.begins_to_idle(*this);
}

// Whoever had it last may have had other limits.
void Connection::take_conversation() {
  talk_ = proxy_.take_conversation();
  if (talk_->limited_by == listener_->id) return;
  talk_->limited_by = listener_->id;
  talk_->parser.limit(listener_->config.limits);
}

void Connection::rest() {
  if (!talk_) return;
  talk_->inbox.release_if_empty();
  if (!talk_->blank()) return;
  talk_->parser.head().storage.reset();  // of a request that was given up
  talk_->started_us = 0;
  talk_->tunnel = false;
  proxy_.give_back(std::move(talk_));
}

// ── the request's body ────────────────────────────────────────────────────────────────────────────────────────────

loop::Io Connection::fill() {
  loop::Io io = talk_->inbox.fill(stream_, listener_->inbox_limit);
  // A reset that came with the last bytes brings no edge of its own.
  if (io == loop::Io::would_block && stream_.broken()) io = loop::Io::error;
  if (io == loop::Io::done) talk_->progress_ms = proxy_.worker().now_ms();
  return io;
}

Downstream::Read Connection::read_body(Slice& bytes) {
  Inbox& inbox = talk_->inbox;
  for (;;) {
    if (talk_->tunnel && !inbox.unread().empty()) {
      bytes = inbox.slice(inbox.unread());
      inbox.consume(bytes.size);
      return Read::bytes;
    }
    http::Step step;
    if (!talk_->tunnel) step = talk_->parser.next(inbox.unread());
    if (step.event == http::Event::error) {
      talk_->broken_status = talk_->parser.status();
      return Read::broken;
    }
    if (step.event == http::Event::body) bytes = inbox.slice(step.data);
    inbox.consume(step.consumed);
    if (step.event == http::Event::body) return Read::bytes;
    if (step.event == http::Event::end) return Read::end;
    loop::Io io = fill();
    if (io == loop::Io::would_block) return Read::wait;
    if (io == loop::Io::done) continue;
    if (io == loop::Io::eof && talk_->tunnel) return Read::end;
    talk_->broken_status = 400;
    return Read::broken;
  }
}

// ── the answer ────────────────────────────────────────────────────────────────────────────────────────────────────

bool Connection::output_full() const {
  uint64_t waiting = talk_->out.size();
  return waiting >= least_window && (waiting >= output_window || proxy_.memory_tight());
}

void Connection::send_interim(const std::string& head) {
  talk_->out.append(Slice::copy_of(head));
}

void Connection::send_head(const Answer& answer, ResponseFilter& filter) {
  talk_->framing = filter.framing;
  if (filter.http_1_0 && filter.framing == http::Framing::chunked) {
    talk_->framing = http::Framing::until_close;
    filter.framing = http::Framing::none;
    keep_alive_ = false;
  }
  if (draining() || proxy_.leaving()) keep_alive_ = false;
  filter.close = !keep_alive_;
  if (!filter.upgrade.empty()) {
    talk_->tunnel = true;
    keep_alive_ = false;
  }
  BlockWriter out;
  write_response(out, answer, filter);
  talk_->out.append(out.take());
}

void Connection::send_body(Body& part) {
  Body& out = talk_->out;
  if (talk_->framing != http::Framing::chunked) return out.append(std::move(part));
  char header[20];
  out.append(Slice::copy_of({header, http::chunk_header(header, part.size())}));
  out.append(std::move(part));
  out.append(Slice::literal("\r\n"));
}

void Connection::end_body(const http::Fields* trailers) {
  if (talk_->framing != http::Framing::chunked) return;
  std::string last = "0\r\n";
  http::HeadWriter writer(last);
  if (trailers)
    for (const http::Field& f : *trailers)
      if (may_be_trailer(f)) writer.field(f.name, f.value);
  writer.end();
  talk_->out.append(Slice::copy_of(last));
}

// ── output and end ────────────────────────────────────────────────────────────────────────────────────────────────

bool Connection::flush() {
  Body& out = talk_->out;
  if (out.empty()) return true;
  uint64_t before = out.size();
  loop::Io io = stream_.write(out);
  if (out.size() != before) talk_->progress_ms = proxy_.worker().now_ms();
  if (io == loop::Io::more) proxy_.worker().run_next_turn(*this);
  if (io != loop::Io::error) return true;
  close();
  return false;
}

// Closing with bytes unread would send RST, and the client might lose the answer: say that we are done, and read what
// it still sends for a moment.
void Connection::linger() {
  stream_.shut_write();
  enter(Phase::lingering, linger_ms);
  rest();
}

void Connection::read_out() {
  char dump[16384];
  while (lingered_bytes_ < linger_bytes) {
    size_t got = 0;
    loop::Io io = stream_.read(dump, sizeof dump, got);
    lingered_bytes_ += static_cast<uint32_t>(got);
    if (io == loop::Io::would_block) return;
    if (io != loop::Io::done) break;
  }
  close();
}

void Connection::close() {
  if (phase_ == Phase::closed) return;
  phase_ = Phase::closed;
  timer_.cancel();
  end_handshake();
  if (h2_) h2_->client_left();
  if (talk_ && talk_->exchange) talk_->exchange->client_left();
  if (talk_) talk_->exchange.reset();
  rest();
  proxy_.remove(*this);
}

void Connection::on_timeout() {
  switch (phase_) {
    case Phase::exchange:
      return on_body_timeout();
    case Phase::multiplexed:
      return h2_->on_timeout();
    case Phase::handshake:
      if (!shaking_hands_) return close();
      proxy_.count_handshake(listener_->config.name, *stream_.tls(), "timeout");
      return close();
    case Phase::head:
      refuse(408);
      return run();
    default:
      close();
  }
}

// No progress on a body, either way. While we wait for a server its own deadlines count.
void Connection::on_body_timeout() {
  int64_t now_ms = proxy_.worker().now_ms(), look_ms = listener_->look_ms;
  uint64_t queued = stream_.queued();
  if (queued < std::exchange(talk_->queued, queued)) talk_->progress_ms = now_ms;
  int64_t left_ms = listener_->timeouts.idle - (now_ms - talk_->progress_ms);
  bool our_turn = talk_->out.empty() && !talk_->exchange->waits_for_client();
  auto slow = talk_->exchange->too_slow(now_ms, talk_->out.size(), queued, look_ms);
  if (slow == Exchange::Slow::no && (our_turn || left_ms > 0))
    return timer_.set(our_turn ? look_ms : std::min(look_ms, left_ms));
  if (slow != Exchange::Slow::no) talk_->exchange->note_slow(slow);
  if (talk_->out.empty() && talk_->exchange->fail_slow_request()) return run();
  stream_.reset_on_close();
  close();
}

}  // namespace portolan::proxy
