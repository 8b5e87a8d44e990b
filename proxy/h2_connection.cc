#include "proxy/h2_connection.hh"

#include <algorithm>

#include "proxy/connection.hh"
#include "proxy/proxy.hh"
#include "proxy/tunnel.hh"

namespace portolan::proxy {
namespace {

constexpr size_t inbox_limit = 16 * 1024;
constexpr uint64_t output_window = 256 * 1024;   // of the connection: framed and not yet taken by the kernel
constexpr uint64_t stream_window = 64 * 1024;    // of an answer that waits for the client's window or its turn
constexpr uint64_t least_window = 16 * 1024;     // of each, when they have much waiting together
constexpr uint64_t connection_window = 1 << 20;  // much
constexpr int64_t drain_notice_ms = 500;         // for requests that were on their way when we said no more
constexpr int64_t measure_every_ms = 1000;
constexpr int64_t fewest_streams = 10;  // of a client, however many there are

http::H2Limits limits_of(Connection& connection) {
  http::H2Limits limits;
  limits.head = connection.listener().config.limits;
  limits.waste = &connection.proxy().h2_waste();
  limits.streams = static_cast<uint32_t>(std::max(fewest_streams, connection.proxy().share_left(limits.streams)));
  return limits;
}

}  // namespace

// ── a stream ──────────────────────────────────────────────────────────────────────────────────────────────────────

H2Downstream::H2Downstream(H2Connection& connection, http::H2Stream& stream)
    : connection_(connection),
      stream_(&stream),
      head_(std::move(stream.request)),
      refusal_(stream.refusal),
      started_us_(connection.worker().now_us()),
      progress_ms_(connection.worker().now_ms()),
      timer_(connection.worker(), this, &loop::Calls<&H2Downstream::on_timeout>::call) {
  stream.owner = this;
  if (stream.protocol.empty() || refusal_) return;
  // RFC 8441 §5: what HTTP/1.1 asks for with GET and Upgrade.
  if (stream.protocol != websocket) refusal_ = 501;
  head_.method = http::Method::get;
  head_.method_text = "GET";
  head_.framing = http::Framing::none;
  head_.upgrade = websocket;
}

void H2Downstream::start() {
  Connection& connection = connection_.connection_;
  if (!refusal_ && !connection.proxy().may_begin(connection)) refusal_ = 503;
  exchange_ = refusal_ ? std::make_unique<Exchange>(connection, *this, refusal_)
                       : std::make_unique<Exchange>(connection, *this, head_);
  timer_.set(connection.listener().look_ms);
  moved_ = connection_.moved_lately();
  run();
}

void H2Downstream::run() {
  if (!exchange_) return;  // over, or not begun
  if (!exchange_->run()) return connection_.wake();
  finish();
}

// An answer that came before the whole request was read ends the stream (RFC 9113 §8.1).
void H2Downstream::finish() {
  exchange_.reset();
  if (stream_) {
    stream_->owner = nullptr;
    if (!stream_->peer_done()) connection_.session_.reset(*stream_, http::H2Error::none);
  }
  connection_.wake();
  connection_.remove(*this);
}

void H2Downstream::on_closed(bool whole) {
  stream_ = nullptr;
  if (whole && exchange_) return connection_.worker().run_soon(*this);
  if (exchange_) exchange_->client_left();
  exchange_.reset();
  connection_.remove(*this);
}

void H2Downstream::progress() {
  progress_ms_ = connection_.progress_ms_ = connection_.worker().now_ms();
}

Downstream::Read H2Downstream::read_body(Slice& bytes) {
  if (!stream_) return Read::broken;
  if (connection_.session_.read(*stream_, bytes)) {
    progress();
    connection_.wake();  // the window goes back
    return Read::bytes;
  }
  return stream_->peer_done() ? Read::end : Read::wait;
}

const http::Fields& H2Downstream::trailers() const {
  static const http::Fields none;
  return stream_ ? stream_->trailers() : none;
}

bool H2Downstream::output_full() const {
  if (!stream_) return false;
  uint64_t waiting = stream_->unsent();
  if (waiting < least_window) return false;
  return waiting >= stream_window || connection_.session_.unsent() >= connection_window ||
         connection_.connection_.proxy().memory_tight();
}

void H2Downstream::send_interim(const std::string& head) {
  if (stream_) connection_.session_.send_interim(*stream_, head);
}

void H2Downstream::send_head(const Answer& answer, ResponseFilter& filter) {
  bodyless_ = filter.framing == http::Framing::none || (filter.framing == http::Framing::length && filter.length == 0);
  if (!filter.upgrade.empty()) bodyless_ = false;
  if (filter.framing == http::Framing::chunked) filter.framing = http::Framing::none;
  BlockWriter out;
  write_response(out, answer, filter);
  if (stream_) connection_.session_.send_response(*stream_, out.take(), bodyless_);
}

void H2Downstream::send_body(Body& part) {
  if (!stream_ || bodyless_) return part.clear();
  connection_.session_.send(*stream_, part);
}

void H2Downstream::end_body(const http::Fields* trailers) {
  if (!stream_ || bodyless_) return;
  if (!trailers || trailers->size() == 0) return connection_.session_.end(*stream_, nullptr);
  http::Fields passing;
  for (const http::Field& f : *trailers)
    if (may_be_trailer(f)) passing.add(f);
  connection_.session_.end(*stream_, &passing);
}

void H2Downstream::cut() {
  if (stream_) connection_.session_.reset(*stream_, http::H2Error::internal);
  connection_.wake();
}

// Streams share what their connection can carry: one is slow only where the whole is, or where its own window holds its
// answer back.
Exchange::Slow H2Downstream::pace(int64_t now_ms, int64_t look_ms) {
  using Slow = Exchange::Slow;
  if (!stream_ || !exchange_) return Slow::no;
  uint64_t now = connection_.moved();
  auto moved = static_cast<int64_t>(now - std::exchange(moved_, now));  // what TLS adds may make it less than nothing
  if (moved > 0 && stream_->unsent() > 0 && !connection_.all_taken()) progress();
  auto min_rate = static_cast<int64_t>(connection_.connection_.listener().timeouts.min_rate);
  bool busy = moved >= min_rate * look_ms / 1000;
  Slow slow = exchange_->too_slow(now_ms, stream_->unsent(), 0, look_ms);
  if (busy && (slow == Slow::sending || !connection_.all_taken())) return Slow::no;
  return slow;
}

// No progress on a body, either way, or too little. While we wait for a server its own deadlines count.
void H2Downstream::on_timeout() {
  const ListenerView& listener = connection_.connection_.listener();
  int64_t now_ms = connection_.worker().now_ms();
  bool our_turn = !stream_ || !exchange_ || (stream_->unsent() == 0 && !exchange_->waits_for_client());
  auto slow = pace(now_ms, listener.look_ms);
  int64_t left_ms = listener.timeouts.idle - (now_ms - progress_ms_);
  if (slow == Exchange::Slow::no && (our_turn || left_ms > 0))
    return timer_.set(our_turn ? listener.look_ms : std::min(listener.look_ms, left_ms));
  if (slow != Exchange::Slow::no) exchange_->note_slow(slow);
  // What is framed already is not taken: a reset would stand behind it for as long.
  if (!connection_.all_taken()) return connection_.cut_off();
  if (stream_->unsent() == 0 && exchange_->fail_slow_request()) return run();
  connection_.session_.reset(*stream_, http::H2Error::cancel);
  connection_.wake();
}

// ── the connection ────────────────────────────────────────────────────────────────────────────────────────────────

H2Connection::H2Connection(Connection& connection)
    : connection_(connection),
      session_(http::H2Session::Role::server, limits_of(connection), *this),
      progress_ms_(worker().now_ms()),
      measured_ms_(progress_ms_) {
  connection_.timer_.set(connection_.listener().timeouts.header);
}

H2Connection::~H2Connection() {
  while (streams_) delete std::exchange(streams_, streams_->next_);
}

bool H2Connection::all_taken() const {
  return !connection_.talk_ || connection_.talk_->out.empty();
}

uint64_t H2Connection::moved() {
  measured_ms_ = worker().now_ms();
  return measured_ = moved_ - connection_.stream_.queued();
}

// Streams begin with this: asking the kernel for each would be a system call a request. What they move until their first
// look may count for more than it was, by what the connection moved in one second.
uint64_t H2Connection::moved_lately() {
  return worker().now_ms() - measured_ms_ < measure_every_ms ? measured_ : moved();
}

loop::Worker& H2Connection::worker() {
  return connection_.proxy().worker();
}

// What a stream has for the client leaves with the step that is under way, else with one of its own.
void H2Connection::wake() {
  if (stepping_) {
    woken_ = true;
  } else {
    worker().run_soon(connection_);
  }
}

bool H2Connection::step() {
  stepping_ = true;
  woken_ = false;
  bool more = read_and_write();
  stepping_ = false;
  return more;
}

bool H2Connection::read_and_write() {
  if (!connection_.talk_) connection_.talk_ = connection_.proxy().take_conversation();
  if (!connection_.flush()) return false;
  if (!announced_ && (connection_.draining() || connection_.proxy().leaving())) {
    announced_ = true;
    session_.announce_shutdown();
    connection_.timer_.set(drain_notice_ms);
  }
  Body& out = connection_.talk_->out;
  bool got = out.size() < output_window && receive();
  if (connection_.phase_ == Connection::Phase::closed) return false;
  if (out.size() < output_window && session_.wants_to_send()) session_.collect(out, output_window - out.size());
  bool wrote = !out.empty();
  uint64_t waiting = out.size();
  if (!connection_.flush()) return false;
  moved_ += waiting - out.size();
  set_timer();
  if (end_if_over()) return false;
  bool to_read = got && connection_.stream_.may_read();
  bool more = out.empty() && (to_read || ((wrote || woken_) && session_.wants_to_send()));
  if (!more) connection_.rest();
  return more;
}

// Reads once, and hands over what came. False: nothing was there.
bool H2Connection::receive() {
  Inbox& inbox = connection_.talk_->inbox;
  bool got = false;
  if (inbox.unread().empty()) {
    loop::Io io = inbox.fill(connection_.stream_, inbox_limit);
    got = io == loop::Io::done;
    if (io == loop::Io::eof || io == loop::Io::error) {
      connection_.close();
      return false;
    }
  }
  std::string_view bytes = inbox.unread();
  if (bytes.empty()) return got;
  moved_ += bytes.size();
  session_.feed(inbox.slice(bytes), worker().now_ms());
  inbox.consume(bytes.size());
  start_streams();
  return true;
}

void H2Connection::start_streams() {
  std::vector<H2Downstream*> starting = std::move(starting_);
  starting_.clear();
  for (H2Downstream* stream : starting) stream->start();
}

bool H2Connection::end_if_over() {
  bool broken = *session_.reason() && !session_.wants_to_send();
  if (!(broken || session_.over()) || !connection_.talk_->out.empty()) return false;
  if (broken) connection_.proxy().count_http2_error(connection_.listener().config.name, session_.reason());
  client_left();
  connection_.linger();
  return true;
}

// With streams their own deadlines count; without them the last bytes must be taken, and then the connection is idle.
void H2Connection::set_timer() {
  if (announced_) return;
  Resting resting = streams_ ? Resting::no : all_taken() ? Resting::idle : Resting::unread;
  bool goes_on = resting == Resting::unread && std::exchange(taken_, moved_) != moved_;
  if ((resting == resting_ && !goes_on) || (resting == Resting::idle && session_.streams() > 0)) return;
  resting_ = resting;
  switch (resting) {
    case Resting::no:
      return connection_.timer_.cancel();
    case Resting::unread:
      return connection_.timer_.set(connection_.listener().timeouts.idle);
    case Resting::idle:
      connection_.timer_.set(connection_.proxy().idle_ms(connection_.listener().timeouts.keepalive));
      connection_.proxy().begins_to_idle(connection_);
  }
}

void H2Connection::cut_off() {
  connection_.cut_off();
}

// Idle for too long, the notice of the end has had its time, or a client that takes nothing any more.
void H2Connection::on_timeout() {
  if (!announced_ && resting_ == Resting::unread && !streams_) return cut_off();
  if (session_.shutting_down() && !streams_) return connection_.close();
  session_.shut_down();
  if (!streams_) connection_.timer_.set(drain_notice_ms);
  wake();
}

void H2Connection::say_goodbye() {
  session_.shut_down();
  Body last;
  session_.collect(last, output_window);
  connection_.stream_.write(last);
}

void H2Connection::client_left() {
  while (H2Downstream* s = streams_) {
    if (s->exchange_) s->exchange_->client_left();
    s->exchange_.reset();
    remove(*s);
  }
}

void H2Connection::on_request(http::H2Stream& stream) {
  auto* s = new H2Downstream(*this, stream);
  s->next_ = streams_;
  if (streams_) streams_->previous_ = s;
  streams_ = s;
  starting_.push_back(s);
}

void H2Connection::on_readable(http::H2Stream& stream) {
  auto* s = static_cast<H2Downstream*>(stream.owner);
  if (!s || !s->exchange_) return;
  s->progress();
  worker().run_soon(*s);
}

void H2Connection::on_room(http::H2Stream& stream) {
  auto* s = static_cast<H2Downstream*>(stream.owner);
  if (!s) return;
  s->progress();
  worker().run_soon(*s);
}

void H2Connection::on_closed(http::H2Stream& stream, http::H2Error) {
  if (auto* s = static_cast<H2Downstream*>(stream.owner)) s->on_closed(stream.all_sent());
}

void H2Connection::remove(H2Downstream& stream) {
  std::erase(starting_, &stream);
  (stream.previous_ ? stream.previous_->next_ : streams_) = stream.next_;
  if (stream.next_) stream.next_->previous_ = stream.previous_;
  if (stream.stream_) stream.stream_->owner = nullptr;
  stream.stream_ = nullptr;
  worker().bury(std::unique_ptr<loop::Mortal>(&stream));
}

}  // namespace portolan::proxy
