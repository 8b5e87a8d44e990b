// Every probe against real sockets on the loopback. What all probes share runs for each that is
// registered.
#include "core/health/probe.hh"

#include <gtest/gtest.h>

#include <optional>

#include "tests/unit/core/client/tiny_server.hh"

namespace portolan::health {
namespace {

using testing::run_until;
using testing::TinyServer;

class Probes : public ::testing::Test {
 protected:
  Verdict check(const std::string& protocol, const SocketAddress& server) {
    CheckConfig config;
    config.protocol = protocol;
    config.http_path = "/healthz";
    config.http_host = host_;
    std::optional<Verdict> verdict;
    auto run = start_registered_probe()(worker_, server, config, [&](Verdict v) { verdict = std::move(v); });
    EXPECT_FALSE(verdict);
    EXPECT_TRUE(run_until(worker_, [&] { return verdict.has_value(); }));
    return verdict.value_or(Verdict{});
  }
  Verdict http_says(const std::string& status) {
    TinyServer server(worker_);
    server.answers("HTTP/1.1 " + status + "\r\nContent-Length: 100000\r\n\r\nonly the beginning");
    return check("http", server.address());
  }
  std::string host_;
  SystemClock clock_;
  metrics::Shard shard_;
  loop::Worker worker_{0, "test", clock_, 1, shard_};
};

class EveryProbe : public Probes, public ::testing::WithParamInterface<const Probe*> {
 protected:
  std::string name() { return std::string(GetParam()->name); }
};

TEST_P(EveryProbe, SaysWhyAConnectionFailed) {
  TinyServer server(worker_);
  SocketAddress address = server.address();
  server.stop();
  Verdict v = check(name(), address);
  EXPECT_FALSE(v.good);
  EXPECT_EQ(v.reason, "connection refused");
}

TEST_P(EveryProbe, ReportsWhatCannotEvenStart) {
  SocketAddress nowhere{{}, 0, "/nonexistent/app.sock"};
  Verdict v = check(name(), nowhere);
  EXPECT_FALSE(v.good);
  EXPECT_EQ(v.reason, "no such file or directory");
}

// Says what HTTP/1 says to whatever comes.
void answer_all(TinyServer& server) {
  server.on_bytes = [](TinyServer::Connection& c) {
    c.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    c.close();
  };
}

TEST_P(EveryProbe, DestroyingARunCancelsIt) {
  TinyServer server(worker_);
  answer_all(server);
  CheckConfig config;
  config.protocol = name();
  bool called = false;
  auto run = start_registered_probe()(worker_, server.address(), config, [&](Verdict) { called = true; });
  run.reset();
  Verdict verdict = check(name(), server.address());
  EXPECT_EQ(verdict.good, name() != "grpc");  // which is told that this is no HTTP/2
  if (name() == "grpc") EXPECT_EQ(verdict.reason, "the answer is not HTTP/2: PROTOCOL_ERROR");
  EXPECT_FALSE(called);
}

TEST_P(EveryProbe, TheCallbackMayDestroyItsRun) {
  TinyServer server(worker_);
  answer_all(server);
  CheckConfig config;
  config.protocol = name();
  std::unique_ptr<ProbeRun> run;
  run = start_registered_probe()(worker_, server.address(), config, [&](Verdict) { run.reset(); });
  EXPECT_TRUE(run_until(worker_, [&] { return !run; }));
}

INSTANTIATE_TEST_SUITE_P(Registered, EveryProbe, ::testing::ValuesIn(Registration<Probe>::all()),
                         [](const auto& p) { return std::string(p.param->name); });

TEST_F(Probes, TcpIsContentWithAConnection) {
  TinyServer server(worker_);
  Verdict v = check("tcp", server.address());
  EXPECT_TRUE(v.good);
  EXPECT_EQ(v.reason, "connected");
  EXPECT_TRUE(run_until(worker_, [&] { return server.accepted == 1; }));
  EXPECT_EQ(server.connections.front()->received, "");
}

TEST_F(Probes, HttpAsksForThePathAndReadsTheHeadAlone) {
  host_ = "app.internal";
  TinyServer server(worker_);
  server.answers("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
  Verdict v = check("http", server.address());
  EXPECT_TRUE(v.good);
  EXPECT_EQ(v.reason, "HTTP 200");
  const std::string& request = server.connections.front()->received;
  EXPECT_TRUE(request.starts_with("GET /healthz HTTP/1.1\r\nHost: app.internal\r\n")) << request;
}

TEST_F(Probes, HttpIsGoodFrom200To399) {
  for (const char* status : {"200 OK", "204 No Content", "301 Moved Permanently", "399 Odd"})
    EXPECT_TRUE(http_says(status).good) << status;
  for (const char* status : {"400 Bad Request", "404 Not Found", "500 Oops", "503 Busy"})
    EXPECT_FALSE(http_says(status).good) << status;
  EXPECT_EQ(http_says("503 Busy").reason, "HTTP 503");
}

TEST_F(Probes, HttpNamesBrokenAnswers) {
  TinyServer silent(worker_);
  silent.answers("");
  EXPECT_EQ(check("http", silent.address()).reason, "closed without an answer");
  TinyServer other(worker_);
  other.answers("220 mail.example.com ESMTP\r\n\r\n");
  EXPECT_TRUE(check("http", other.address()).reason.starts_with("the answer is not HTTP"));
}

}  // namespace
}  // namespace portolan::health
