#include "daemon/admin_connection.hh"

#include <cstdio>

#include "core/base/log.hh"

namespace portolan::daemon {

namespace {

constexpr int64_t request_ms = 10'000;
constexpr int64_t write_ms = 10'000;
constexpr int64_t parting_ms = 1'000;
constexpr size_t longest_body = 64 * 1024;
constexpr int most_stalled_beats = 10;

http::Limits limits() {
  http::Limits l;
  l.head_bytes = 16 * 1024;
  return l;
}

std::string chunk(const std::string& text) {
  char size[18];
  size_t n = http::chunk_header(size, text.size());
  return std::string(size, n) + text + "\r\n";
}

std::string render(const AdminAnswer& a, bool head_only) {
  std::string out;
  http::HeadWriter head(out);
  head.status_line(a.status, http::reason_phrase(a.status));
  head.field("Content-Type", a.content_type);
  head.field("Cache-Control", "no-store");
  if (!a.allow.empty()) head.field("Allow", a.allow);
  if (a.status == 401) head.field("WWW-Authenticate", "Bearer");
  if (a.retry_after_s > 0) head.field("Retry-After", static_cast<uint64_t>(a.retry_after_s));
  head.field("Connection", "close");
  if (a.heartbeat_ms > 0)
    head.framing(http::Framing::chunked, 0);
  else
    head.framing(http::Framing::length, a.body.size());
  head.end();
  if (head_only) return out;
  return out + (a.heartbeat_ms > 0 ? chunk(a.body) : a.body);
}

}  // namespace

AdminConnection::AdminConnection(Admin& admin, Admin::Door door, UniqueFd socket, std::string who)
    : admin_(admin),
      door_(door),
      stream_(std::make_unique<loop::Stream>(admin.worker_, std::move(socket), *this)),
      timer_(admin.worker_, this, &loop::Calls<&AdminConnection::on_timeout>::call),
      parser_(limits()),
      self_(std::make_shared<AdminConnection*>(this)) {
  request_.who = std::move(who);
  timer_.set(request_ms);
}

void AdminConnection::proceed() {
  if (state_ == State::reading && read()) parse();
  if (state_ == State::writing || state_ == State::watching) write();
  if (state_ == State::watching || state_ == State::parting) discard();
}

// False: nothing new, or the connection is over.
bool AdminConnection::read() {
  char buffer[16 * 1024];
  bool news = false;
  for (;;) {
    size_t got = 0;
    loop::Io io = stream_->read(buffer, sizeof buffer, got);
    if (io == loop::Io::would_block) return news;
    if (io != loop::Io::done) {
      if (!news) close();
      return news;
    }
    in_.append(buffer, got);
    news = true;
    if (in_.size() > longest_body) return true;  // parse what is there; the rest comes later
  }
}

void AdminConnection::parse() {
  size_t used = 0;
  for (bool more = true; more && state_ == State::reading;) {
    http::Step step = parser_.next(std::string_view(in_).substr(used));
    used += step.consumed;
    more = on_step(step);
  }
  in_.erase(0, used);
  if (state_ == State::reading && stream_->may_read()) admin_.worker_.run_next_turn(*this);
}

bool AdminConnection::on_step(const http::Step& step) {
  switch (step.event) {
    case http::Event::need_more:
      return false;
    case http::Event::head:
      begin(parser_.head());
      return true;
    case http::Event::body:
      if (request_.body.size() + step.data.size() > longest_body)
        answer(admin_error(413, "the body is larger than 64 KiB"));
      else
        request_.body.append(step.data);
      return true;
    case http::Event::end:
      ask();
      return false;
    case http::Event::error:
      answer(admin_error(parser_.status(), parser_.reason()));
      return false;
  }
  return false;
}

void AdminConnection::begin(const http::RequestHead& head) {
  request_.door = door_;
  request_.method = head.method_text;
  request_.path = head.path;
  request_.query = head.query;
  request_.has_query = head.has_query;
  request_.authority = head.authority;
  authorization_ = head.fields.find(http::FieldId::authorization).value_or("");
  chunks_allowed_ = head.minor_version >= 1;
}

// By a token of [server.purge]; RFC 6750 §3.
bool AdminConnection::admitted() {
  std::string name(admin_.purge_access_.admit(authorization_));
  if (name.empty()) {
    static log::Limit limit;
    if (limit.pass(admin_.worker_.now_ms()))
      log::warning("purge refused",
                   {{"by", request_.who}, {"reason", authorization_.empty() ? "no token" : "no such token"}});
    answer(admin_error(401, "a token of server.purge.tokens_file is needed: Authorization: Bearer …"));
    return false;
  }
  request_.who = "token " + name + " from " + request_.who;
  request_.take = [&admin = admin_, name, who = request_.who](size_t purges) {
    int64_t now_ms = admin.worker_.now_ms(), wait_ms = admin.purge_access_.take(name, purges, now_ms);
    static log::Limit limit;
    if (wait_ms > 0 && limit.pass(now_ms)) log::warning("purge refused", {{"by", who}, {"reason", "too many"}});
    return wait_ms;
  };
  return true;
}

void AdminConnection::ask() {
  if (door_ == Admin::Door::purge && !admitted()) return;
  state_ = State::waiting;
  timer_.cancel();
  std::weak_ptr<AdminConnection*> self = self_;
  answer_admin(admin_.backend_, request_, [self](AdminAnswer a) {
    if (auto still_there = self.lock()) (*still_there)->answer(std::move(a));
  });
}

void AdminConnection::answer(AdminAnswer a) {
  if (state_ == State::closed) return;
  if (!chunks_allowed_) a.heartbeat_ms = 0;
  bool head_only = request_.method == "HEAD";
  out_.append(Slice::copy_of(render(a, head_only)));
  heartbeat_ms_ = head_only ? 0 : a.heartbeat_ms;
  state_ = heartbeat_ms_ > 0 ? State::watching : State::writing;
  timer_.set(heartbeat_ms_ > 0 ? heartbeat_ms_ : write_ms);
  write();
}

void AdminConnection::refuse(int status, const std::string& what) {
  answer(admin_error(status, what));
}

void AdminConnection::push(const std::string& line) {
  out_.append(Slice::copy_of(chunk(line)));
  write();
}

void AdminConnection::write() {
  loop::Io io = stream_->write(out_);
  if (io == loop::Io::error) return close();
  if (io == loop::Io::more) return admin_.worker_.run_next_turn(*this);
  if (io != loop::Io::done) return;
  stalled_beats_ = 0;
  if (state_ == State::writing) part();
}

// Closing a socket with unread bytes resets it, and the answer might be lost: the other side closes
// first.
void AdminConnection::part() {
  state_ = State::parting;
  stream_->shut_write();
  timer_.set(parting_ms);
  admin_.worker_.run_next_turn(*this);
}

void AdminConnection::discard() {
  char buffer[4096];
  for (int i = 0; i < 16; ++i) {
    size_t got = 0;
    loop::Io io = stream_->read(buffer, sizeof buffer, got);
    if (io == loop::Io::would_block) return;
    if (io != loop::Io::done) return close();
  }
  admin_.worker_.run_next_turn(*this);
}

void AdminConnection::on_timeout() {
  if (state_ == State::reading && parser_.started())
    return answer(admin_error(408, "no whole request within ten seconds"));
  if (state_ != State::watching) return close();
  // A watcher that reads nothing for ten heartbeats is gone.
  if (!out_.empty() && ++stalled_beats_ >= most_stalled_beats) return close();
  timer_.set(heartbeat_ms_);
  if (out_.empty()) push(health::to_json(admin_.backend_.health()) + "\n");
}

void AdminConnection::close() {
  if (state_ == State::closed) return;
  state_ = State::closed;
  timer_.cancel();
  self_.reset();
  admin_.closed(*this);  // buries this
}

}  // namespace portolan::daemon
