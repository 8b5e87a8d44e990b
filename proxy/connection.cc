#include "proxy/connection.hh"

#include "core/loop/proxy_protocol.hh"
#include "proxy/exchange.hh"
#include "proxy/proxy.hh"

namespace portolan::proxy {
namespace {

constexpr size_t inbox_limit = 48 * 1024;       // more than the longest head
constexpr uint64_t output_window = 256 * 1024;  // bytes handed to the kernel's care and not yet taken
constexpr int steps_a_turn = 64;
constexpr int64_t linger_ms = 2000;
constexpr uint64_t linger_bytes = 4 << 20;

}  // namespace

Connection::Connection(Proxy& proxy, const ListenerConfig& listener, int door, UniqueFd socket,
                       const SocketAddress& peer)
    : proxy_(proxy),
      listener_(listener.name),
      config_(listener),
      timeouts_(proxy.snapshot()->timeouts_of(listener)),
      door_(door),
      peer_(peer),
      stream_(proxy.worker(), std::move(socket), *this),
      timer_(proxy.worker(), this, &loop::Calls<&Connection::on_timeout>::call) {
  if (listener.proxy_protocol) {
    enter(Phase::greeting, timeouts_.header);
  } else {
    enter(Phase::idle, timeouts_.keepalive);
  }
}

Connection::~Connection() = default;

void Connection::enter(Phase phase, int64_t timeout_ms) {
  phase_ = phase;
  timer_.set(timeout_ms);
}

bool Connection::draining() const {
  return draining_ || proxy_.draining();
}

bool Connection::output_full() const {
  return out_.size() >= output_window;
}

void Connection::drain() {
  draining_ = true;
  proxy_.worker().run_soon(*this);
}

void Connection::on_ready() {
  // Who has reset the connection wants nothing any more. Who only ended its side may still read the answer.
  if (phase_ == Phase::exchange && exchange_->request_over() && stream_.broken()) return close();
  run();
}

void Connection::run() {
  for (int i = 0; i < steps_a_turn; ++i)
    if (phase_ == Phase::closed || !step()) return;
  proxy_.worker().run_next_turn(*this);
}

bool Connection::step() {
  switch (phase_) {
    case Phase::greeting:
      return read_greeting();
    case Phase::idle:
    case Phase::head:
      return next_request();
    case Phase::exchange: {
      if (!flush()) return false;
      bool over = exchange_->run();
      if (cut_) {
        stream_.reset_on_close();
        close();
        return false;
      }
      bool wrote = !out_.empty();
      if (!flush()) return false;
      if (over && out_.empty()) return end_exchange();
      return wrote && out_.empty();
    }
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
  loop::ProxyHeader header = loop::parse_proxy_header(inbox_.unread());
  bool trusted = contains(proxy_.snapshot()->trusted, peer_.ip.unmapped());
  if (!trusted || header.outcome == loop::ProxyHeader::Outcome::invalid) {
    close();
    return false;
  }
  if (header.outcome == loop::ProxyHeader::Outcome::ok) {
    if (header.has_source) peer_ = header.source;
    inbox_.consume(header.consumed);
    enter(Phase::idle, timeouts_.keepalive);
    return true;
  }
  loop::Io io = inbox_.fill(stream_, 1024);
  if (io == loop::Io::done) return true;
  if (io != loop::Io::would_block) close();
  return false;
}

// ── the next request ──────────────────────────────────────────────────────────────────────────────────────────────

bool Connection::next_request() {
  http::Step step = parser_.next(inbox_.unread());
  if (step.event == http::Event::head) {
    parser_.head().storage = inbox_.block();
    inbox_.consume(step.consumed);
    if (phase_ == Phase::idle) started_us_ = proxy_.worker().now_us();
    begin_exchange();
    return true;
  }
  if (step.event == http::Event::error) {
    if (phase_ == Phase::idle) started_us_ = proxy_.worker().now_us();
    refuse(parser_.status());
    return true;
  }
  inbox_.consume(step.consumed);
  if (phase_ == Phase::idle && parser_.started()) {
    started_us_ = proxy_.worker().now_us();
    enter(Phase::head, timeouts_.header);
  }
  loop::Io io = inbox_.fill(stream_, inbox_limit);
  if (io == loop::Io::done) return true;
  // A request that has arrived already is still answered.
  if (io != loop::Io::would_block || (phase_ == Phase::idle && draining())) {
    close();
    return false;
  }
  inbox_.release_if_empty();
  return false;
}

void Connection::begin_exchange() {
  keep_alive_ = parser_.head().keep_alive;
  phase_ = Phase::exchange;
  timer_.set(timeouts_.idle);
  progress_ms_ = proxy_.worker().now_ms();
  exchange_ = std::make_unique<Exchange>(*this, parser_.head());
}

void Connection::refuse(int status) {
  keep_alive_ = false;
  phase_ = Phase::exchange;
  timer_.set(timeouts_.idle);
  progress_ms_ = proxy_.worker().now_ms();
  exchange_ = std::make_unique<Exchange>(*this, status);
}

bool Connection::end_exchange() {
  bool whole = exchange_->request_over();
  exchange_.reset();
  parser_.head().storage.reset();
  if (!keep_alive_ || !whole || draining()) {
    linger();
    return phase_ == Phase::lingering;
  }
  enter(Phase::idle, timeouts_.keepalive);
  return true;
}

loop::Io Connection::fill() {
  loop::Io io = inbox_.fill(stream_, inbox_limit);
  // A reset that came with the last bytes brings no edge of its own.
  if (io == loop::Io::would_block && stream_.broken()) io = loop::Io::error;
  if (io == loop::Io::done) progress_ms_ = proxy_.worker().now_ms();
  return io;
}

// ── output and end ────────────────────────────────────────────────────────────────────────────────────────────────

bool Connection::flush() {
  if (out_.empty()) return true;
  uint64_t before = out_.size();
  loop::Io io = stream_.write(out_);
  if (out_.size() != before) progress_ms_ = proxy_.worker().now_ms();
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
}

void Connection::read_out() {
  char dump[16384];
  while (lingered_bytes_ < linger_bytes) {
    size_t got = 0;
    loop::Io io = stream_.read(dump, sizeof dump, got);
    lingered_bytes_ += got;
    if (io == loop::Io::would_block) return;
    if (io != loop::Io::done) break;
  }
  close();
}

void Connection::close() {
  if (phase_ == Phase::closed) return;
  phase_ = Phase::closed;
  timer_.cancel();
  if (exchange_) exchange_->client_left();
  exchange_.reset();
  proxy_.remove(*this);
}

void Connection::on_timeout() {
  switch (phase_) {
    case Phase::exchange:
      return on_body_timeout();
    case Phase::head:
      refuse(408);
      return run();
    default:
      close();
  }
}

// No progress on a body, either way. While we wait for a server its own deadlines count.
void Connection::on_body_timeout() {
  int64_t idle = proxy_.worker().now_ms() - progress_ms_;
  bool our_turn = out_.empty() && !exchange_->waits_for_client();
  if (our_turn || idle < timeouts_.idle) return timer_.set(our_turn ? timeouts_.idle : timeouts_.idle - idle);
  if (out_.empty() && exchange_->fail_slow_request()) return run();
  stream_.reset_on_close();
  close();
}

}  // namespace portolan::proxy
