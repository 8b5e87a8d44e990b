#include "proxy/origin_request.hh"

#include <algorithm>

#include "core/health/latency.hh"
#include "proxy/filters.hh"
#include "proxy/grpc.hh"
#include "proxy/hedge.hh"
#include "proxy/proxy.hh"
#include "proxy/retry_budget.hh"
#include "proxy/tunnel.hh"

namespace portolan::proxy {
namespace {

constexpr uint64_t upload_window = 128 * 1024;  // of a body, waiting to be sent
constexpr uint64_t replay_window = 64 * 1024;   // of a body, kept to be sent again
constexpr uint64_t least_window = 16 * 1024;    // of either, while memory is tight
constexpr uint64_t bytes_a_turn = 256 * 1024;   // of one answer

bool exhausted(int code) {
  return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM || code == EADDRNOTAVAIL;
}

bool has(const std::vector<int>& statuses, int status) {
  return std::find(statuses.begin(), statuses.end(), status) != statuses.end();
}

constexpr const char* trouble_names[] = {"refused", "reset", "timeout", "malformed", "grpc", "status"};

}  // namespace

OriginRequest::OriginRequest(Proxy& proxy, std::shared_ptr<Cluster> cluster, Ask ask, Consumer& consumer)
    : proxy_(proxy),
      cluster_(std::move(cluster)),
      ask_(std::move(ask)),
      consumer_(consumer),
      timer_(proxy.worker(), this, &loop::Calls<&OriginRequest::on_timeout>::call) {
  upload_done_ = ask_.framing == http::Framing::none;
}

OriginRequest::~OriginRequest() {
  leave_server();
  if (stream_) stream_->release(false, false, ask_.timeouts.keepalive);
}

std::string_view OriginRequest::server() const {
  if (hedge_ && hedge_->winner()) return hedge_->winner()->server();
  return last_ == Balancer::none ? std::string_view() : cluster_->server_name(last_);
}

int OriginRequest::tries() const {
  return hedge_ ? tries_ + hedge_->tries() : tries_;
}

ServerId OriginRequest::server_id() const {
  if (hedge_ && hedge_->winner()) return hedge_->winner()->server_id();
  if (last_ == Balancer::none) return {};
  return {cluster_->id(), static_cast<uint32_t>(last_)};
}

std::string OriginRequest::set_cookie(bool tls, const http::Fields& fields) const {
  if (hedge_ && hedge_->winner()) return hedge_->winner()->set_cookie(tls, fields);
  const Sticky* sticky = cluster_->sticky();
  return sticky && last_ != Balancer::none ? sticky->give(last_, ask_.to.named, tls, fields) : std::string();
}

void OriginRequest::start() {
  count_request(*cluster_->pool().state, proxy_.worker().now_ms());
  if (ask_.hedge) hedge_ = std::make_unique<Hedge>(proxy_, *this, consumer_);
  pick();
}

void OriginRequest::begin_as_hedge(Tried tried, size_t index) {
  tried_ = std::move(tried);
  alone_ = true;
  take(index);
}

void OriginRequest::cancel() {
  state_ = State::over;
  timer_.cancel();
  place_.reset();
  note_overtaken();
  leave_server();
  if (stream_) std::exchange(stream_, nullptr)->release(false, false, ask_.timeouts.keepalive);
}

// Another server was quicker: this one takes at least so long. A server that hangs would look the fastest otherwise.
void OriginRequest::note_overtaken() {
  if (!cluster_->by_latency() || index_ == Balancer::none || asked_us_ == 0) return;
  health::ServerState& server = *cluster_->member(index_).state;
  int64_t now_us = proxy_.worker().precise_us();
  int64_t so_far_us = now_us - std::exchange(asked_us_, 0);
  if (static_cast<double>(so_far_us) > health::expected_latency_us(server, now_us))
    health::note_latency(server, so_far_us, now_us);
}

// ── pick ──────────────────────────────────────────────────────────────────────────────────────────────────────────

void OriginRequest::pick() {
  // Who came first goes first, unless they wait for servers that aren't this one's.
  bool others_first = !choosy() && cluster_->pool().state->queue.must_wait();
  size_t index = others_first ? Balancer::none : pick_server();
  if (index == Balancer::none) return wait_for_room();
  take(index);
}

size_t OriginRequest::pick_server() {
  return cluster_->pick({tried_, proxy_.worker().rng(), proxy_.worker().now_us(), ask_.to});
}

void OriginRequest::take(size_t index) {
  index_ = last_ = index;
  ++tries_;
  const health::Member& server = cluster_->member(index_);
  server.state->requests.fetch_add(1, std::memory_order_relaxed);
  connect();
}

// ── connect ───────────────────────────────────────────────────────────────────────────────────────────────────────

void OriginRequest::connect() {
  const health::Member& server = cluster_->member(index_);
  bool http2 = cluster_->config().http2;
  if (!fresh_only_ && !http2) stream_ = proxy_.pool().lease(*server.state, *this, http::is_idempotent(ask_.method));
  if (stream_) return send();
  auto opened = http2 ? proxy_.pool().open_h2(server, cluster_->tls().get(), *this, fresh_only_)
                      : proxy_.pool().open(server, cluster_->tls().get(), *this);
  if (!opened && exhausted(opened.error().code)) {
    // Our want of descriptors or ports is no failure of the server's.
    proxy_.pool().close_all_idle();
    leave_server();
    return give_up({503, false, opened.error().text});
  }
  if (!opened) return fail(Trouble::refused, opened.error().text);
  stream_ = *opened;
  state_ = State::connecting;
  timer_.set(ask_.timeouts.connect);
  if (stream_->connected() != loop::Io::would_block) on_server_ready();
}

// ── send ──────────────────────────────────────────────────────────────────────────────────────────────────────────

void OriginRequest::send() {
  state_ = State::waiting;
  stream_->begin(ask_);
  for (const Segment& kept : replay_) stream_->send(kept.bytes);
  if (upload_done_ && ask_.framing != http::Framing::none) stream_->end(upload_trailers_);
  timer_.set(send_timeout_ms());
  unsent_ = stream_->unsent();
  note_asked();
  flush();
  if (!upload_done_) consumer_.on_upload_room();
}

// The server's turn, once it has all, or must say whether it wants the body; else bytes are on their way.
int64_t OriginRequest::send_timeout_ms() const {
  bool asks_first = ask_.expect_continue && replay_.empty() && !replay_lost_;
  return upload_done_ || asks_first ? ask_.timeouts.response : ask_.timeouts.idle;
}

bool OriginRequest::wants_body() const {
  if (upload_done_) return false;
  if (sending()) {
    uint64_t unsent = stream_->unsent();
    return unsent < least_window || (unsent < upload_window && !proxy_.memory_tight());
  }
  return state_ == State::over || replay_.size() < replay_window / 2;
}

void OriginRequest::send_body(Slice bytes) {
  if (state_ == State::over || bytes.size == 0) return;
  uint64_t kept = replay_.size() + bytes.size;
  if (!replay_lost_ && kept > least_window && (kept > replay_window || (sending() && proxy_.memory_tight()))) {
    replay_lost_ = true;
    replay_.clear();
  }
  if (!replay_lost_) replay_.append(bytes);
  // Before the connection stands, send() takes everything from the replay buffer; that always suffices, because
  // wants_body() is false until then once the window is full.
  if (!sending()) return;
  stream_->send(std::move(bytes));
  unsent_ = stream_->unsent();
  flush();
}

void OriginRequest::end_body(const http::Fields& trailers) {
  if (upload_done_) return;
  upload_done_ = true;
  if (state_ == State::over) return;
  if (trailers.size() > 0) copy_fields(trailers, trailer_bytes_, upload_trailers_);
  if (!sending()) return;
  stream_->end(upload_trailers_);
  unsent_ = stream_->unsent();
  note_asked();
  flush();
  if (state_ == State::waiting && stream_->unsent() == 0) timer_.set(ask_.timeouts.response);
}

void OriginRequest::flush() {
  if (!sending()) return;
  loop::Io io = stream_->flush();
  uint64_t after = stream_->unsent();
  uint64_t before = std::exchange(unsent_, after);
  if (after != before && (state_ == State::waiting || tunnel_)) timer_.set(tunnel_ ? idle_ms() : send_timeout_ms());
  if (io == loop::Io::more) proxy_.worker().run_next_turn(*this);
  if (io == loop::Io::error) {
    // The server may have answered before it closed: what it said is still there to read.
    if (state_ == State::waiting && !in_callback_) proxy_.worker().run_soon(*this);
    return;
  }
  // Memory may have been tight, or not any more: between the two windows it is asked again.
  if (before >= least_window && after < before && after < upload_window) consumer_.on_upload_room();
}

// ── receive ───────────────────────────────────────────────────────────────────────────────────────────────────────

void OriginRequest::on_server_ready() {
  if (state_ == State::connecting) {
    loop::Io io = stream_->connected();
    if (io == loop::Io::would_block) return;
    if (io == loop::Io::error) return fail(Trouble::refused, stream_->trouble());
    send();
  }
  if (!sending()) return;
  in_callback_ = true;
  flush();
  in_callback_ = false;
  if (sending()) receive();
}

void OriginRequest::resume() {
  if (hedge_ && hedge_->winner()) return hedge_->winner()->resume();
  if (state_ == State::receiving) proxy_.worker().run_soon(*this);
}

void OriginRequest::receive() {
  uint64_t got = 0;
  while (got < bytes_a_turn) {
    if (state_ == State::receiving && !consumer_.wants_more()) return timer_.cancel();
    Slice bytes;
    switch (stream_->next(bytes)) {
      case ServerStream::Event::wait:
        if (state_ == State::receiving && !timer_.armed()) timer_.set(idle_ms());
        return;
      case ServerStream::Event::head:
        if (!on_response_head()) return;
        break;
      case ServerStream::Event::body:
        got += bytes.size;
        timer_.set(idle_ms());
        consumer_.on_body(std::move(bytes));
        break;
      case ServerStream::Event::end:
        return complete();
      case ServerStream::Event::closed:
        return fail(Trouble::reset, stream_->trouble());
      case ServerStream::Event::malformed:
        return fail(Trouble::malformed, "malformed response: " + stream_->trouble());
      case ServerStream::Event::refused:
        return fail(Trouble::reset, stream_->trouble(), true);
    }
    if (state_ == State::over) return;
  }
  proxy_.worker().run_next_turn(*this);
}

bool OriginRequest::on_response_head() {
  http::ResponseHead& head = stream_->head();
  if (opens_tunnel(head)) {
    tunnel_ = true;
    head.status = 101;  // whatever the protocol calls it
    head.reason = {};
    upload_done_ = false;
    replay_lost_ = true;
  } else if (head.status == 101) {
    fail(Trouble::malformed, "malformed response: 101 without the upgrade that was asked for");
    return false;
  }
  if (head.status < 200 && !tunnel_) {
    consumer_.on_interim(head);
    return true;
  }
  if (Trouble trouble; wants_another(head, trouble) && leave_answer(head, trouble)) return false;
  state_ = State::receiving;
  note_answered(head.status < 500);
  note_answer(head);
  timer_.set(idle_ms());
  if (hedge_) hedge_->first_answered();
  consumer_.on_head(head);
  return true;
}

// What the answer says of its server.
void OriginRequest::note_answer(const http::ResponseHead& head) {
  const std::vector<int>& failures = cluster_->config().eject.statuses;
  if (head.status >= 400 && has(failures, head.status))
    return count_failure(Trouble::status, "HTTP " + std::to_string(head.status));
  health::ServerState& server = *cluster_->member(index_).state;
  if (server.failures_in_a_row.load(std::memory_order_relaxed) != 0)
    server.failures_in_a_row.store(0, std::memory_order_relaxed);
}

// An answer that the pool's `retry` names, of a request that may be sent again: a status, or nothing but trailers with a
// gRPC status.
bool OriginRequest::wants_another(const http::ResponseHead& head, Trouble& trouble) const {
  const RetryConfig& retry = cluster_->config().retry;
  trouble = Trouble::status;
  if (head.status >= 400 && has(retry.statuses, head.status))
    return !replay_lost_ && !tunnel_ && http::is_idempotent(ask_.method);
  if (retry.grpc.empty() || head.framing != http::Framing::none || replay_lost_ || !is_grpc(head.fields)) return false;
  trouble = Trouble::grpc;
  std::string_view name = grpc_status_name(grpc_status(head.fields));
  return std::find(retry.grpc.begin(), retry.grpc.end(), name) != retry.grpc.end();
}

// Leaves the answer for another server's, if there is one with room and a retry is within the budget. Else it is passed
// on.
bool OriginRequest::leave_answer(const http::ResponseHead& head, Trouble trouble) {
  const RetryConfig& retry = cluster_->config().retry;
  if (alone_ || static_cast<int>(tried_.size()) >= retry.attempts) return false;
  tried_.push_back(index_);
  size_t next = pick_server();
  if (next != Balancer::none && !take_retry(*cluster_->pool().state, proxy_.worker().now_ms(), retry.budget)) {
    health::count_out(*cluster_->pool().state, *cluster_->member(next).state);
    next = Balancer::none;
  }
  if (next == Balancer::none) {
    tried_.pop_back();
    return false;
  }
  proxy_.count_retry(cluster_->pool().name);
  std::string reason = trouble == Trouble::grpc ? "grpc-status " + std::string(grpc_status(head.fields))
                                                : "HTTP " + std::to_string(head.status);
  if (trouble == Trouble::grpc || has(cluster_->config().eject.statuses, head.status)) count_failure(trouble, reason);
  reached_ = true;
  last_failure_ = OriginFailure{502, false, reason, reached_};
  timer_.cancel();
  std::exchange(stream_, nullptr)->release(false, false, ask_.timeouts.keepalive);
  leave_server();
  state_ = State::idle;
  fresh_only_ = false;
  take(next);
  return true;
}

// RFC 9110 §15.2.2; RFC 8441 §5.
bool OriginRequest::opens_tunnel(const http::ResponseHead& head) const {
  if (ask_.upgrade.empty()) return false;
  if (cluster_->config().http2) return head.status / 100 == 2;
  return head.status == 101 && grants_websocket(head);
}

void OriginRequest::complete() {
  state_ = State::over;
  timer_.cancel();
  leave_server();
  consumer_.on_end(stream_->trailers());
  bool distrust = cluster_->retired() && !proxy_.serves(*cluster_, *cluster_->member(last_).state);
  std::exchange(stream_, nullptr)->release(upload_done_ && !distrust, distrust, ask_.timeouts.keepalive);
}

// ── failure ───────────────────────────────────────────────────────────────────────────────────────────────────────

void OriginRequest::on_timeout() {
  if (place_) {
    place_->timed_out();
    place_.reset();
    return give_up(
        {503, true, "no server had room within " + std::to_string(cluster_->config().queue.timeout_ms) + " ms"});
  }
  if (state_ == State::connecting)
    return fail(Trouble::timeout, "no connection within " + std::to_string(ask_.timeouts.connect) + " ms");
  if (state_ == State::waiting) {
    bool asks_first = ask_.expect_continue && replay_.empty() && !replay_lost_;
    if (!upload_done_ && stream_->unsent() == 0 && !asks_first)
      return timer_.set(ask_.timeouts.idle);  // the client's turn
    if (stream_->unsent() > 0)
      return fail(Trouble::timeout, "the server took no bytes for " + std::to_string(ask_.timeouts.idle) + " ms");
    return fail(Trouble::timeout, "no answer within " + std::to_string(ask_.timeouts.response) + " ms");
  }
  if (tunnel_) return complete();  // nothing passed for long: nobody's failure
  if (state_ == State::receiving && !upload_done_ && stream_->unsent() == 0)
    return timer_.set(ask_.timeouts.idle);  // the client's turn: its own deadline counts
  if (state_ == State::receiving)
    fail(Trouble::timeout, "the answer stalled for " + std::to_string(ask_.timeouts.idle) + " ms");
}

// `untouched`: the server says that it did nothing with the request.
void OriginRequest::fail(Trouble trouble, const std::string& reason, bool untouched) {
  bool amid_body = state_ == State::receiving;
  bool idle_race = stream_ && trouble == Trouble::reset && (untouched || (stream_->reused() && !stream_->heard()));
  timer_.cancel();
  untouched = untouched || !stream_ || !stream_->sent_any();
  reached_ = reached_ || !untouched;
  if (stream_) std::exchange(stream_, nullptr)->release(false, trouble == Trouble::timeout, ask_.timeouts.keepalive);
  if (idle_race)
    proxy_.count_stale(cluster_->pool().name);
  else
    count_failure(trouble, reason);
  size_t failed = index_;
  leave_server();
  if (!amid_body && trouble != Trouble::malformed && may_try_again(idle_race, untouched)) {
    // What is said when nobody else is left: 503 where nobody could be reached at all.
    int status = trouble == Trouble::timeout ? 504 : trouble == Trouble::refused ? 503 : 502;
    last_failure_ = OriginFailure{status, false, reason, reached_};
    state_ = State::idle;
    fresh_only_ = idle_race;
    if (!idle_race) tried_.push_back(failed);
    return pick();
  }
  OriginFailure failure{trouble == Trouble::timeout ? 504 : 502, false, reason, reached_};
  last_failure_ = failure;
  state_ = State::over;
  if (!amid_body) return give_up(failure);
  consumer_.on_failure(failure, true);
}

// RFC 9110 §9.2.2: an idempotent request may be sent again; any may when nothing of it has left. A connection that the
// server closed just as we took it from the pool is nobody's failure: that costs neither tries nor budget.
bool OriginRequest::may_try_again(bool idle_race, bool untouched) {
  bool replayable = !replay_lost_ && (untouched || http::is_idempotent(ask_.method));
  if (!replayable) return false;
  if (idle_race) return !fresh_only_;
  if (alone_) return false;
  const RetryConfig& retry = cluster_->config().retry;
  if (static_cast<int>(tried_.size()) >= retry.attempts) return false;
  if (!take_retry(*cluster_->pool().state, proxy_.worker().now_ms(), retry.budget)) return false;
  proxy_.count_retry(cluster_->pool().name);
  return true;
}

void OriginRequest::give_up(const OriginFailure& failure) {
  state_ = State::over;
  const OriginFailure& told = failure.no_server && !tried_.empty() ? last_failure_ : failure;
  if (hedge_ && hedge_->covers(told)) return;
  if (failure.no_server && !alone_) proxy_.report_no_server(cluster_->pool(), last_failure_.status, failure.reason);
  consumer_.on_failure(told, false);
}

void OriginRequest::count_failure(Trouble trouble, const std::string& reason) {
  if (index_ == Balancer::none) return;
  const health::Member& server = cluster_->member(index_);
  server.state->failures.fetch_add(1, std::memory_order_relaxed);
  server.state->failures_in_a_row.fetch_add(1, std::memory_order_relaxed);
  note_answered(false);
  proxy_.report_failure(cluster_->pool().name, server, trouble_names[static_cast<size_t>(trouble)], reason);
}

// A client's slow upload is not the server's time.
void OriginRequest::note_asked() {
  if (cluster_->by_latency()) asked_us_ = upload_done_ ? proxy_.worker().precise_us() : 0;
}

void OriginRequest::note_answered(bool well) {
  if (!cluster_->by_latency()) return;
  health::ServerState& server = *cluster_->member(index_).state;
  int64_t now_us = proxy_.worker().precise_us();
  int64_t asked_us = std::exchange(asked_us_, 0);
  if (!well) return health::note_failure(server, asked_us > 0 ? now_us - asked_us : 0, now_us);
  if (asked_us > 0) health::note_latency(server, now_us - asked_us, now_us);
}

void OriginRequest::leave_server() {
  if (index_ == Balancer::none) return;
  health::count_out(*cluster_->pool().state, *cluster_->member(index_).state);
  index_ = Balancer::none;
}

}  // namespace portolan::proxy
