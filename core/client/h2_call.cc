// A call over HTTP/2: one request on a connection of its own.
#include <cerrno>

#include "core/client/client.hh"
#include "core/http/h2.hh"
#include "core/loop/stream.hh"

namespace portolan::client {
namespace {

class H2Call final : public Call, public loop::StreamHandler, public loop::Runnable, public http::H2Session::Events {
 public:
  H2Call(loop::Worker& worker, Request request, std::function<void(Result<Response>)> done)
      : worker_(worker),
        request_(std::move(request)),
        done_(std::move(done)),
        session_(http::H2Session::Role::client, {}, *this),
        deadline_(worker, this, &loop::Calls<&H2Call::on_deadline>::call) {
    deadline_.set(request_.timeout_ms);
    auto stream = loop::Stream::connect(worker_, request_.to, *this);
    if (stream)
      stream_ = std::move(*stream);
    else
      trouble_ = describe_errno(stream.error().code);
    worker_.run_soon(*this);
  }

  void on_ready() override { run(); }
  void run() override {
    if (done_ && trouble_.empty() && connected()) pass_bytes();
    if (over_ && trouble_.empty()) return finish(std::move(response_));
    if (!trouble_.empty()) finish(Error{trouble_, code_});
  }

  void on_response(http::H2Stream& stream) override {
    if (stream.response.status < 200) return;
    response_.status = stream.response.status;
    for (const auto& f : stream.response.fields) response_.fields.emplace_back(f.name, f.value);
  }
  void on_readable(http::H2Stream& stream) override {
    Slice bytes;
    while (session_.read(stream, bytes)) response_.body.append(bytes.view());
    if (response_.body.size() > request_.max_body_bytes)
      trouble_ = "the answer is larger than " + std::to_string(request_.max_body_bytes) + " bytes";
  }
  void on_room(http::H2Stream&) override {}
  void on_closed(http::H2Stream& stream, http::H2Error why) override {
    for (const auto& f : stream.trailers()) response_.fields.emplace_back(f.name, f.value);
    over_ = stream.peer_done() && response_.status != 0;
    if (!over_) trouble_ = "the stream was reset (" + std::string(http::h2_error_name(why)) + ")";
  }

 private:
  bool connected() {
    if (sent_) return true;
    loop::Io io = stream_->connected();
    if (io == loop::Io::done && request_.tls && !stream_->tls())
      stream_->start_tls(request_.tls->connect(request_.tls.get(), request_.tls_host));
    if (io == loop::Io::done && stream_->tls()) io = stream_->handshake();
    if (io == loop::Io::would_block) return false;
    if (io != loop::Io::done) {
      bool tls = stream_->tls() && !stream_->tls()->failure().empty();
      trouble_ = tls ? "TLS: " + stream_->tls()->failure() : describe_errno(stream_->error());
      code_ = stream_->error();
      return false;
    }
    if (stream_->tls() && stream_->tls()->protocol() != "h2") {
      trouble_ = "the server does not speak HTTP/2 (ALPN)";
      return false;
    }
    send();
    return true;
  }

  void send() {
    sent_ = true;
    std::string text;
    http::HeadWriter head(text);
    head.request_line(request_.method, request_.target);
    head.field("Host", request_.host.empty() ? request_.to.to_string() : request_.host);
    for (const auto& [name, value] : request_.fields) head.field(name, value);
    head.end();
    http::H2Target target{.scheme = request_.tls ? "https" : "http", .protocol = {}, .wants_trailers = true};
    http::H2Stream* stream = session_.send_request(text, target, request_.body.empty());
    if (request_.body.empty()) return;
    Body body;
    body.append(Slice::copy_of(request_.body));
    session_.send(*stream, body);
    session_.end(*stream, nullptr);
  }

  void pass_bytes() {
    session_.collect(out_, 1 << 20);
    if (!out_.empty() && stream_->write(out_) == loop::Io::error) out_.clear();
    char buffer[16 * 1024];
    while (trouble_.empty() && !over_) {
      size_t got = 0;
      loop::Io io = stream_->read(buffer, sizeof buffer, got);
      if (io == loop::Io::would_block) break;
      if (io != loop::Io::done) {
        trouble_ = io == loop::Io::eof ? "closed without an answer" : describe_errno(stream_->error());
        code_ = ECONNRESET;
      } else if (!session_.feed(Slice{{}, buffer, got}, worker_.now_ms())) {
        break;
      }
    }
    session_.collect(out_, 1 << 20);
    if (!out_.empty()) stream_->write(out_);
    if (!over_ && *session_.reason()) trouble_ = std::string("the answer is not HTTP/2: ") + session_.reason();
  }

  void on_deadline() { finish(Error{"timed out after " + std::to_string(request_.timeout_ms) + " ms", ETIMEDOUT}); }

  // The last thing done with this object: the callback may destroy it.
  void finish(Result<Response> result) {
    if (!done_) return;
    deadline_.cancel();
    stream_.reset();
    auto done = std::move(done_);
    done_ = nullptr;
    done(std::move(result));
  }

  loop::Worker& worker_;
  Request request_;
  std::function<void(Result<Response>)> done_;
  std::unique_ptr<loop::Stream> stream_;
  http::H2Session session_;
  Body out_;
  Response response_;
  bool sent_ = false;
  bool over_ = false;
  std::string trouble_;
  int code_ = 0;
  loop::Timer deadline_;
};

}  // namespace

std::unique_ptr<Call> send_h2(loop::Worker& worker, Request request,
                              std::function<void(Result<Response>)> on_response) {
  return std::make_unique<H2Call>(worker, std::move(request), std::move(on_response));
}

}  // namespace portolan::client
