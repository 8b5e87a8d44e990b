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
    CheckConfig config = expects_;
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
  Verdict http_answers(const std::string& answer, CheckConfig expects) {
    expects_ = std::move(expects);
    TinyServer server(worker_);
    server.on_bytes = [&answer](TinyServer::Connection& c) {
      c.send(answer);
      c.close();
    };
    return check("http", server.address());
  }
  std::string host_;
  CheckConfig expects_;
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

TEST_F(Probes, HttpExpectsTheStatusesItIsTold) {
  CheckConfig odd;
  odd.expect_status = {{204, 204}, {400, 418}};
  auto says = [&](int status) {
    return http_answers("HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: 0\r\n\r\n", odd);
  };
  for (int status : {204, 400, 418}) EXPECT_TRUE(says(status).good) << status;
  for (int status : {200, 205, 399, 419, 500}) EXPECT_FALSE(says(status).good) << status;
  EXPECT_EQ(says(200).reason, "HTTP 200");
}

TEST_F(Probes, HttpExpectsAFieldAndAPartOfItsValue) {
  const std::string answer = "HTTP/1.1 200 OK\r\nX-State: not ready\r\nX-STATE: ready now\r\nContent-Length: 0\r\n\r\n";
  CheckConfig check;
  for (const char* good : {"x-state", "X-State: ready now", "X-State:not"}) {
    check.expect_header = good;
    EXPECT_TRUE(http_answers(answer, check).good) << good;
  }
  for (const char* bad : {"X-Other", "X-State: Ready"}) {
    check.expect_header = bad;
    Verdict v = http_answers(answer, check);
    EXPECT_FALSE(v.good) << bad;
    EXPECT_EQ(v.reason, "HTTP 200 without \"" + std::string(bad) + "\"");
  }
}

TEST_F(Probes, HttpExpectsAPartOfTheBody) {
  CheckConfig check;
  check.expect_body = "all is well";
  EXPECT_TRUE(http_answers("HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nall is well!\n", check).good);
  EXPECT_TRUE(
      http_answers("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nall i\r\n7\r\ns well.\r\n", check).good)
      << "as soon as it is there";
  Verdict v = http_answers("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nill\n", check);
  EXPECT_EQ(v.reason, "HTTP 200, but its body lacks \"all is well\"");
  v = http_answers("HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n" + std::string(80'000, 'x'), check);
  EXPECT_EQ(v.reason, "HTTP 200, but its body lacks \"all is well\"") << "64 KiB are enough";
  v = http_answers("HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nall", check);
  EXPECT_FALSE(v.good);
}

TEST_F(Probes, HttpAsksByTheMethodItIsTold) {
  expects_.http_method = "HEAD";
  TinyServer server(worker_);
  server.answers("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
  EXPECT_TRUE(check("http", server.address()).good);
  EXPECT_TRUE(server.connections.front()->received.starts_with("HEAD /healthz HTTP/1.1\r\n"));
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
