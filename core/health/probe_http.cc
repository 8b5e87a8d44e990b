// health = { http = "/healthz" }: the server is good when it answers GET with a status from 200 to
// 399. Only the head is read: the connection is closed before the body arrives.
#include "core/client/client.hh"
#include "core/health/probe.hh"

namespace portolan::health {

namespace {

class HttpRun final : public ProbeRun {
 public:
  HttpRun(loop::Worker& worker, const SocketAddress& server, const CheckConfig& check, Probe::Done done)
      : done_(std::move(done)) {
    client::Request request;
    request.to = server;
    request.host = check.http_host;
    request.target = check.http_path.empty() ? "/" : check.http_path;
    request.fields = {{"User-Agent", "Portolan-check"}, {"Accept", "*/*"}};
    request.tls = check.tls;
    request.tls_host = check.tls_host;
    request.timeout_ms = check.timeout_ms * 2;  // the checker's own timeout comes first
    if (check.http2) {
      call_ = client::send_h2(worker, std::move(request), [this](Result<client::Response> answer) {
        if (!answer) return finish({false, answer.error().text});
        finish({answer->status >= 200 && answer->status < 400, "HTTP " + std::to_string(answer->status)});
      });
      return;
    }
    client::StreamCallbacks callbacks;
    callbacks.on_head = [this](const http::ResponseHead& head) {
      finish({head.status >= 200 && head.status < 400, "HTTP " + std::to_string(head.status)});
    };
    callbacks.on_data = [](std::string_view) {};
    callbacks.on_end = [this](Status status) {
      finish({false, status ? "closed without an answer" : status.error().text});
    };
    call_ = client::stream(worker, std::move(request), std::move(callbacks));
  }

 private:
  void finish(Verdict verdict) {
    auto done = std::move(done_);
    call_.reset();
    done(std::move(verdict));  // may destroy this
  }
  Probe::Done done_;
  std::unique_ptr<client::Call> call_;
};

const Registration<Probe> registered{{"http",
                                      [](loop::Worker& worker, const SocketAddress& server, const CheckConfig& check,
                                         Probe::Done done) -> std::unique_ptr<ProbeRun> {
                                        return std::make_unique<HttpRun>(worker, server, check, std::move(done));
                                      }}};

}  // namespace

}  // namespace portolan::health
