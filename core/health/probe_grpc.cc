// health = { grpc = "SERVICE" }: the server is good when grpc.health.v1.Health/Check says SERVING, of a service or ("*") of
// itself (github.com/grpc/grpc, doc/health-checking.md). HTTP/2, with TLS where the pool has it.
#include "core/client/client.hh"
#include "core/health/probe.hh"

namespace portolan::health {
namespace {

constexpr const char* path = "/grpc.health.v1.Health/Check";
constexpr std::string_view states[] = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};

// A message behind its prefix: not compressed, and its length.
std::string framed(std::string_view message) {
  std::string out(1, '\0');
  for (int shift : {24, 16, 8, 0}) out.push_back(static_cast<char>(message.size() >> shift));
  return out.append(message);
}

// HealthCheckRequest: the service is its field 1, a string of at most 127 bytes here.
std::string request_for(const std::string& service) {
  if (service == "*") return framed("");
  return framed(std::string("\x0a") + static_cast<char>(service.size()) + service);
}

Verdict judge(const client::Response& answer) {
  if (answer.status != 200) return {false, "HTTP " + std::to_string(answer.status)};
  std::string_view status = answer.field("grpc-status");
  if (status != "0") return {false, "grpc-status " + std::string(status.empty() ? "missing" : status)};
  // HealthCheckResponse: field 1 is the state, an enumeration; left out: 0.
  std::string_view message = answer.body;
  size_t state = 0;
  if (message.size() >= 7 && message[5] == '\x08') state = static_cast<uint8_t>(message[6]);
  return {state == 1, std::string(state < std::size(states) ? states[state] : "an unknown state")};
}

class GrpcRun final : public ProbeRun {
 public:
  GrpcRun(loop::Worker& worker, const SocketAddress& server, const CheckConfig& check, Probe::Done done)
      : done_(std::move(done)) {
    client::Request request;
    request.to = server;
    request.method = "POST";
    request.target = path;
    request.host = check.tls_host;
    request.fields = {{"Content-Type", "application/grpc"}, {"User-Agent", "Portolan-check"}};
    request.body = request_for(check.grpc_service);
    request.tls = check.tls;
    request.tls_host = check.tls_host;
    request.timeout_ms = check.timeout_ms * 2;  // the checker's own timeout comes first
    call_ = client::send_h2(worker, std::move(request), [this](Result<client::Response> answer) {
      finish(answer ? judge(*answer) : Verdict{false, answer.error().text});
    });
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

const Registration<Probe> registered{{"grpc",
                                      [](loop::Worker& worker, const SocketAddress& server, const CheckConfig& check,
                                         Probe::Done done) -> std::unique_ptr<ProbeRun> {
                                        return std::make_unique<GrpcRun>(worker, server, check, std::move(done));
                                      }}};

}  // namespace
}  // namespace portolan::health
