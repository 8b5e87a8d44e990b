#include "core/client/client.hh"

#include <cctype>
#include <cerrno>
#include <cstring>

#include "core/http/h1.hh"
#include "core/loop/stream.hh"

namespace portolan::client {

namespace {

constexpr size_t read_bytes = 16 * 1024;
constexpr int reads_a_turn = 32;

std::string render(const Request& request) {
  std::string out;
  http::HeadWriter head(out);
  head.request_line(request.method, request.target);
  std::string host = request.host;
  if (host.empty()) host = request.to.is_unix() ? "localhost" : request.to.to_string();
  head.field("Host", host);
  for (const auto& [name, value] : request.fields) head.field(name, value);
  head.field("Connection", "close");
  bool has_body = !request.body.empty() || request.method == "POST" || request.method == "PUT";
  if (has_body) head.framing(http::Framing::length, request.body.size());
  head.end();
  return out + request.body;
}

class Exchange final : public Call, public loop::StreamHandler {
 public:
  Exchange(loop::Worker& worker, Request request, StreamCallbacks callbacks);
  ~Exchange() override {
    if (gone_) *gone_ = true;
  }
  void on_ready() override { proceed(); }

 private:
  struct More final : loop::Runnable {
    explicit More(Exchange& e) : exchange(e) {}
    void run() override { exchange.on_soon(); }
    Exchange& exchange;
  };
  // Tells the caller of a callback whether that callback destroyed the exchange.
  struct Guard {
    explicit Guard(Exchange& e) : exchange(e) { e.gone_ = &gone; }
    ~Guard() {
      if (!gone) exchange.gone_ = nullptr;
    }
    Exchange& exchange;
    bool gone = false;
  };

  void on_soon();
  void on_timeout();
  void proceed();
  bool connect_and_write();
  void read();
  bool parse(const Guard& guard);
  bool on_event(const http::Step& step, const Guard& guard);
  void on_eof();
  void finish(Status status);
  void fail(std::string text, int code = 0) { finish(Error{std::move(text), code}); }

  loop::Worker& worker_;
  Request request_;
  std::shared_ptr<StreamCallbacks> callbacks_;
  std::unique_ptr<loop::Stream> stream_;
  Status start_status_;
  loop::Timer timeout_;
  More more_{*this};
  Body out_;
  http::ResponseParser parser_;
  std::string in_;
  bool connecting_ = true;
  bool final_head_ = false;
  bool finished_ = false;
  bool* gone_ = nullptr;
};

Exchange::Exchange(loop::Worker& worker, Request request, StreamCallbacks callbacks)
    : worker_(worker),
      request_(std::move(request)),
      callbacks_(std::make_shared<StreamCallbacks>(std::move(callbacks))),
      timeout_(worker, this, &loop::Calls<&Exchange::on_timeout>::call) {
  out_.append(Slice::copy_of(render(request_)));
  parser_.start(http::method_of(request_.method));
  timeout_.set(request_.timeout_ms);
  auto stream = loop::Stream::connect(worker_, request_.to, *this);
  if (stream)
    stream_ = std::move(*stream);
  else
    start_status_ = stream.error();
  worker_.run_soon(more_);
}

// Connecting may have ended, or failed, at once; callbacks come from the loop all the same.
void Exchange::on_soon() {
  if (finished_) return;
  if (!start_status_) {
    int code = start_status_.error().code;
    return fail(code ? describe_errno(code) : start_status_.error().text, code);
  }
  proceed();
}

void Exchange::on_timeout() {
  int64_t limit = final_head_ ? request_.idle_timeout_ms : request_.timeout_ms;
  fail((final_head_ ? "silent for " : "timed out after ") + std::to_string(limit) + " ms", ETIMEDOUT);
}

void Exchange::proceed() {
  if (finished_ || !stream_) return;
  auto keep = callbacks_;
  if (connect_and_write()) read();
}

bool Exchange::connect_and_write() {
  if (connecting_) {
    loop::Io io = stream_->connected();
    if (io == loop::Io::would_block) return false;
    if (io != loop::Io::done) return fail(describe_errno(stream_->error()), stream_->error()), false;
    if (request_.tls && !stream_->tls())
      stream_->start_tls(request_.tls->connect(request_.tls.get(), request_.tls_host));
    if (stream_->tls()) io = stream_->handshake();
    if (io == loop::Io::would_block) return false;
    if (io != loop::Io::done) return fail("TLS: " + stream_->tls()->failure(), stream_->error()), false;
    connecting_ = false;
  }
  // A server may answer and close before it has read everything: what it said is still read.
  loop::Io io = out_.empty() ? loop::Io::done : stream_->write(out_);
  if (io == loop::Io::error) out_.clear();
  if (io == loop::Io::more) worker_.run_next_turn(more_);
  return true;
}

void Exchange::read() {
  Guard guard(*this);
  char buffer[read_bytes];
  for (int i = 0; i < reads_a_turn; ++i) {
    size_t got = 0;
    switch (stream_->read(buffer, sizeof buffer, got)) {
      case loop::Io::would_block:
        return;
      case loop::Io::done:
        in_.append(buffer, got);
        if (!parse(guard)) return;
        break;
      case loop::Io::eof:
        return on_eof();
      default:
        return fail(describe_errno(stream_->error()), stream_->error());
    }
  }
  worker_.run_next_turn(more_);
}

// False: the exchange is over or gone.
bool Exchange::parse(const Guard& guard) {
  size_t used = 0;
  for (;;) {
    http::Step step = parser_.next(std::string_view(in_).substr(used));
    if (!on_event(step, guard)) return false;
    used += step.consumed;
    if (step.event == http::Event::need_more) break;
  }
  in_.erase(0, used);
  return true;
}

bool Exchange::on_event(const http::Step& step, const Guard& guard) {
  switch (step.event) {
    case http::Event::need_more:
      return true;
    case http::Event::error:
      return fail(std::string("the answer is not HTTP: ") + parser_.reason()), false;
    case http::Event::head:
      if (parser_.head().status == 101) return fail("an upgrade nobody asked for"), false;
      if (parser_.head().status < 200) return true;
      final_head_ = true;
      if (request_.idle_timeout_ms > 0)
        timeout_.set(request_.idle_timeout_ms);
      else
        timeout_.cancel();
      callbacks_->on_head(parser_.head());
      return !guard.gone;
    case http::Event::body:
      if (request_.idle_timeout_ms > 0) timeout_.set(request_.idle_timeout_ms);
      callbacks_->on_data(step.data);
      return !guard.gone;
    case http::Event::end:
      if (final_head_) return finish({}), false;
      parser_.start(http::method_of(request_.method));
      return true;
  }
  return true;
}

void Exchange::on_eof() {
  if (final_head_ && parser_.finish_at_close()) return finish({});
  fail(final_head_ ? "the answer was cut short" : "closed without an answer", ECONNRESET);
}

void Exchange::finish(Status status) {
  if (finished_) return;
  finished_ = true;
  timeout_.cancel();
  stream_.reset();
  auto keep = callbacks_;
  keep->on_end(std::move(status));
}

// Gathers a streamed answer.
class WholeCall final : public Call {
 public:
  WholeCall(loop::Worker& worker, Request request, std::function<void(Result<Response>)> done)
      : limit_(request.max_body_bytes),
        done_(std::move(done)),
        deadline_(worker, this, &loop::Calls<&WholeCall::on_deadline>::call) {
    timeout_ms_ = request.timeout_ms;
    deadline_.set(timeout_ms_);
    request.timeout_ms = timeout_ms_ * 2;  // the deadline covers every phase
    StreamCallbacks callbacks;
    callbacks.on_head = [this](const http::ResponseHead& head) {
      response_.status = head.status;
      for (const auto& f : head.fields) response_.fields.emplace_back(f.name, f.value);
    };
    callbacks.on_data = [this](std::string_view data) { on_data(data); };
    callbacks.on_end = [this](Status status) {
      if (status)
        finish(std::move(response_));
      else
        finish(status.error());
    };
    exchange_ = stream(worker, std::move(request), std::move(callbacks));
  }

 private:
  void on_data(std::string_view data) {
    if (response_.body.size() + data.size() > limit_)
      return finish(Error{"the answer is larger than " + std::to_string(limit_) + " bytes"});
    response_.body.append(data);
  }
  void on_deadline() { finish(Error{"timed out after " + std::to_string(timeout_ms_) + " ms", ETIMEDOUT}); }
  // The last thing done with this object: the callback may destroy it.
  void finish(Result<Response> result) {
    deadline_.cancel();
    exchange_.reset();
    auto done = std::move(done_);
    done(std::move(result));
  }

  size_t limit_;
  int64_t timeout_ms_ = 0;
  std::function<void(Result<Response>)> done_;
  loop::Timer deadline_;
  Response response_;
  std::unique_ptr<Call> exchange_;
};

}  // namespace

std::string_view Response::field(std::string_view name) const {
  for (const auto& [n, v] : fields)
    if (http::equal_ignoring_case(n, name)) return v;
  return {};
}

std::unique_ptr<Call> stream(loop::Worker& worker, Request request, StreamCallbacks callbacks) {
  return std::make_unique<Exchange>(worker, std::move(request), std::move(callbacks));
}

std::unique_ptr<Call> send(loop::Worker& worker, Request request, std::function<void(Result<Response>)> on_response) {
  return std::make_unique<WholeCall>(worker, std::move(request), std::move(on_response));
}

Result<Response> call_blocking(Request request) {
  SystemClock clock;
  metrics::Shard shard;
  loop::Worker worker(0, "client", clock, 1, shard);
  Result<Response> result = Error{"no answer"};
  auto call = send(worker, std::move(request), [&](Result<Response> r) {
    result = std::move(r);
    worker.stop();
  });
  worker.run();
  return result;
}

std::string describe_errno(int code) {
  std::string text = std::strerror(code);
  if (!text.empty()) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

}  // namespace portolan::client
