// health = { http = "/healthz" }: the server is good when its answer is as expected: by status (200 to 399), and where
// asked for by a field and a part of the body. Where the body doesn't matter only the head is read: the connection is
// closed before the body arrives.
#include <algorithm>

#include "core/client/client.hh"
#include "core/health/probe.hh"
#include "core/http/semantics.hh"

namespace portolan::health {

namespace {

constexpr size_t most_body = 64 * 1024;  // looked at

bool expected_status(const CheckConfig& check, int status) {
  if (check.expect_status.empty()) return status >= 200 && status < 400;
  for (const StatusRange& range : check.expect_status)
    if (status >= range.from && status <= range.to) return true;
  return false;
}

class HttpRun final : public ProbeRun {
 public:
  HttpRun(loop::Worker& worker, const SocketAddress& server, const CheckConfig& check, Probe::Done done)
      : check_(check), done_(std::move(done)) {
    client::Request request;
    request.to = server;
    request.method = check.http_method;
    request.host = check.http_host;
    request.target = check.http_path.empty() ? "/" : check.http_path;
    request.fields = {{"User-Agent", "Portolan-check"}, {"Accept", "*/*"}};
    request.tls = check.tls;
    request.tls_host = check.tls_host;
    request.timeout_ms = check.timeout_ms * 2;  // the checker's own timeout comes first
    if (check.http2) {
      call_ = client::send_h2(worker, std::move(request), [this](Result<client::Response> answer) {
        if (!answer) return finish({false, answer.error().text});
        if (judge_head(answer->status, answer->fields)) judge_body(answer->body, true);
      });
      return;
    }
    client::StreamCallbacks callbacks;
    callbacks.on_head = [this](const http::ResponseHead& head) {
      client::FieldList fields;
      if (!check_.expect_header.empty())
        for (const http::Field& f : head.fields) fields.emplace_back(f.name, f.value);
      judge_head(head.status, fields);
    };
    callbacks.on_data = [this](std::string_view data) {
      body_.append(data.substr(0, most_body - std::min(body_.size(), most_body)));
      judge_body(body_, body_.size() >= most_body);
    };
    callbacks.on_end = [this](Status status) {
      if (!status) return finish({false, status.error().text});
      if (status_ == 0) return finish({false, "closed without an answer"});
      judge_body(body_, true);
    };
    call_ = client::stream(worker, std::move(request), std::move(callbacks));
  }

 private:
  // True: the body is to be judged as well.
  bool judge_head(int status, const client::FieldList& fields) {
    status_ = status;
    if (!expected_status(check_, status)) return finish({false, said()}), false;
    if (!has_field(fields)) return finish({false, said() + " without \"" + check_.expect_header + "\""}), false;
    if (check_.expect_body.empty()) return finish({true, said()}), false;
    return true;
  }
  void judge_body(std::string_view body, bool whole) {
    if (body.find(check_.expect_body) != std::string_view::npos) return finish({true, said()});
    if (whole) finish({false, said() + ", but its body lacks \"" + check_.expect_body + "\""});
  }
  // `expect_header` is a name, or "Name: part of its value".
  bool has_field(const client::FieldList& fields) const {
    if (check_.expect_header.empty()) return true;
    std::string_view name = check_.expect_header, value;
    if (size_t colon = name.find(':'); colon != std::string_view::npos) {
      value = name.substr(colon + 1);
      while (value.starts_with(' ')) value.remove_prefix(1);
      name = name.substr(0, colon);
    }
    for (const auto& [n, v] : fields)
      if (http::equal_ignoring_case(n, name) && v.find(value) != std::string::npos) return true;
    return false;
  }
  std::string said() const { return "HTTP " + std::to_string(status_); }
  void finish(Verdict verdict) {
    auto done = std::move(done_);
    call_.reset();
    done(std::move(verdict));  // may destroy this
  }
  CheckConfig check_;
  int status_ = 0;
  std::string body_;
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
