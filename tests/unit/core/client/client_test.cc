#include "core/client/client.hh"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "core/client/url.hh"
#include "tests/unit/core/client/tiny_server.hh"

namespace portolan::client {
namespace {

using testing::run_until;
using testing::TinyServer;

class Client : public ::testing::Test {
 protected:
  Result<Response> gets(Request request) {
    std::optional<Result<Response>> result;
    auto call = send(worker_, std::move(request), [&](Result<Response> r) { result = std::move(r); });
    EXPECT_TRUE(run_until(worker_, [&] { return result.has_value(); }));
    return result ? *result : Error{"nothing came"};
  }
  Request to(const TinyServer& server) {
    Request r;
    r.to = server.address();
    return r;
  }
  SystemClock clock_;
  metrics::Shard shard_;
  loop::Worker worker_{0, "test", clock_, 1, shard_};
};

TEST_F(Client, GetsAnAnswerWithItsFieldsAndBody) {
  TinyServer server(worker_);
  server.answers("HTTP/1.1 200 OK\r\nX-Name: a\r\nContent-Length: 5\r\n\r\nhello");
  auto r = gets(to(server));
  ASSERT_TRUE(r) << r.error().text;
  EXPECT_EQ(r->status, 200);
  EXPECT_EQ(r->field("x-name"), "a");
  EXPECT_EQ(r->field("x-other"), "");
  EXPECT_EQ(r->body, "hello");
  EXPECT_EQ(server.connections.front()->received,
            "GET / HTTP/1.1\r\nHost: " + server.address().to_string() + "\r\nConnection: close\r\n\r\n");
}

TEST_F(Client, SendsMethodFieldsAndBody) {
  TinyServer server(worker_);
  server.on_bytes = [](TinyServer::Connection& c) {
    if (c.received.ends_with("{\"a\":1}")) c.send("HTTP/1.1 204 No Content\r\n\r\n");
  };
  Request request = to(server);
  request.method = "POST";
  request.host = "admin";
  request.target = "/drain";
  request.fields = {{"Content-Type", "application/json"}};
  request.body = "{\"a\":1}";
  auto r = gets(request);
  ASSERT_TRUE(r) << r.error().text;
  EXPECT_EQ(r->status, 204);
  EXPECT_EQ(server.connections.front()->received,
            "POST /drain HTTP/1.1\r\nHost: admin\r\nContent-Type: application/json\r\n"
            "Connection: close\r\nContent-Length: 7\r\n\r\n{\"a\":1}");
}

TEST_F(Client, SkipsInformationalAnswers) {
  TinyServer server(worker_);
  server.answers("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  auto r = gets(to(server));
  ASSERT_TRUE(r) << r.error().text;
  EXPECT_EQ(r->status, 200);
  EXPECT_EQ(r->body, "ok");
}

TEST_F(Client, ABodyMayEndWithTheConnection) {
  TinyServer server(worker_);
  server.answers("HTTP/1.1 200 OK\r\n\r\nuntil the end");
  auto r = gets(to(server));
  ASSERT_TRUE(r) << r.error().text;
  EXPECT_EQ(r->body, "until the end");
}

TEST_F(Client, ACutAnswerIsAnError) {
  TinyServer server(worker_);
  server.answers("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort");
  auto r = gets(to(server));
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().text, "the answer was cut short");
}

TEST_F(Client, SilenceAtTheEndOfTheConnectionIsAnError) {
  TinyServer server(worker_);
  server.answers("");
  auto r = gets(to(server));
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().text, "closed without an answer");
}

TEST_F(Client, WhatIsNotHttpIsAnError) {
  TinyServer server(worker_);
  server.answers("SSH-2.0-OpenSSH_9.2\r\n\r\n");
  auto r = gets(to(server));
  ASSERT_FALSE(r);
  EXPECT_TRUE(r.error().text.starts_with("the answer is not HTTP: ")) << r.error().text;
}

TEST_F(Client, ARefusedConnectionIsAnError) {
  TinyServer server(worker_);
  Request request = to(server);
  server.stop();
  auto r = gets(request);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().text, "connection refused");
  EXPECT_EQ(r.error().code, ECONNREFUSED);
}

TEST_F(Client, AMissingUnixSocketIsAnError) {
  Request request;
  request.to.path = "/nonexistent/admin.sock";
  auto r = gets(request);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().text, "no such file or directory");
}

TEST_F(Client, WorksOverUnixSockets) {
  std::string path = ::testing::TempDir() + "client-" + std::to_string(getpid()) + ".sock";
  TinyServer server(worker_, SocketAddress{{}, 0, path});
  server.answers("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  Request request;
  request.to.path = path;
  auto r = gets(request);
  ::unlink(path.c_str());
  ASSERT_TRUE(r) << r.error().text;
  EXPECT_EQ(r->body, "ok");
  EXPECT_NE(server.connections.front()->received.find("Host: localhost\r\n"), std::string::npos);
}

TEST_F(Client, TheWholeExchangeHasOneTimeout) {
  TinyServer server(worker_);
  server.on_bytes = [](TinyServer::Connection& c) { c.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhal"); };
  Request request = to(server);
  request.timeout_ms = 60;
  auto r = gets(request);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().text, "timed out after 60 ms");
  EXPECT_EQ(r.error().code, ETIMEDOUT);
}

TEST_F(Client, ABodyOverTheLimitIsAnError) {
  TinyServer server(worker_);
  server.answers("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world");
  Request request = to(server);
  request.max_body_bytes = 10;
  auto r = gets(request);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().text, "the answer is larger than 10 bytes");
  request.max_body_bytes = 11;
  auto whole = gets(request);
  EXPECT_TRUE(whole);
}

TEST_F(Client, DestroyingTheCallCancelsIt) {
  TinyServer server(worker_);
  server.answers("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  bool called = false;
  auto call = send(worker_, to(server), [&](Result<Response>) { called = true; });
  call.reset();
  auto later = gets(to(server));
  EXPECT_TRUE(later);
  EXPECT_FALSE(called);
}

TEST_F(Client, ACallbackMayDestroyItsCall) {
  TinyServer server(worker_);
  server.answers("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody");
  for (int at = 0; at < 3; ++at) {
    std::unique_ptr<Call> call;
    int calls = 0;
    auto count = [&](int place) {
      ++calls;
      if (place == at) call.reset();
    };
    StreamCallbacks callbacks;
    callbacks.on_head = [&](const http::ResponseHead&) { count(0); };
    callbacks.on_data = [&](std::string_view) { count(1); };
    callbacks.on_end = [&](Status) { count(2); };
    call = stream(worker_, to(server), std::move(callbacks));
    EXPECT_TRUE(run_until(worker_, [&] { return !call; }));
    EXPECT_EQ(calls, at + 1);
  }
}

TEST_F(Client, StreamsDataAsItArrives) {
  TinyServer server(worker_);
  server.on_bytes = [](TinyServer::Connection& c) {
    c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n");
  };
  std::string got;
  std::optional<Status> ended;
  StreamCallbacks callbacks;
  callbacks.on_head = [](const http::ResponseHead& head) { EXPECT_EQ(head.status, 200); };
  callbacks.on_data = [&](std::string_view data) { got += data; };
  callbacks.on_end = [&](Status s) { ended = s; };
  auto call = stream(worker_, to(server), std::move(callbacks));
  EXPECT_TRUE(run_until(worker_, [&] { return got == "one\n"; }));
  server.connections.front()->send("4\r\ntwo\n\r\n");
  EXPECT_TRUE(run_until(worker_, [&] { return got == "one\ntwo\n"; }));
  EXPECT_FALSE(ended);
  server.connections.front()->send("0\r\n\r\n");
  EXPECT_TRUE(run_until(worker_, [&] { return ended.has_value(); }));
  EXPECT_TRUE(ended->ok());
}

TEST_F(Client, AStreamMayBeBoundInItsSilence) {
  TinyServer server(worker_);
  server.on_bytes = [](TinyServer::Connection& c) {
    c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n");
  };
  std::optional<Status> ended;
  Request request = to(server);
  request.idle_timeout_ms = 50;
  StreamCallbacks callbacks{[](const auto&) {}, [](auto) {}, [&](Status s) { ended = s; }};
  auto call = stream(worker_, request, std::move(callbacks));
  EXPECT_TRUE(run_until(worker_, [&] { return ended.has_value(); }));
  EXPECT_EQ(ended->error().text, "silent for 50 ms");
}

TEST_F(Client, ReadsLargeAnswersToTheEnd) {
  TinyServer server(worker_);
  std::string body(600'000, 'x');
  server.on_bytes = [&](TinyServer::Connection& c) {
    c.send("HTTP/1.1 200 OK\r\nContent-Length: 600000\r\n\r\n" + body);
  };
  auto r = gets(to(server));
  ASSERT_TRUE(r) << r.error().text;
  EXPECT_EQ(r->body, body);
}

TEST_F(Client, TheBlockingCallRunsItsOwnLoop) {
  loop::Worker other(1, "server", clock_, 2, shard_);
  TinyServer server(other);
  server.answers("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  Request request = to(server);
  other.start();
  auto r = call_blocking(request);
  other.stop();
  other.join();
  ASSERT_TRUE(r) << r.error().text;
  EXPECT_EQ(r->body, "ok");
}

TEST(Url, IsTakenApart) {
  auto url = parse_url("http://192.0.2.10/healthz?full=1");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->endpoint.literal.to_string(), "192.0.2.10:80");
  EXPECT_EQ(url->authority, "192.0.2.10");
  EXPECT_EQ(url->target, "/healthz?full=1");
  url = parse_url("HTTP://[2001:db8::1]");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->endpoint.literal.to_string(), "[2001:db8::1]:80");
  EXPECT_EQ(url->target, "/");
  url = parse_url("http://edge.example.com:9146?x");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->endpoint.host, "edge.example.com");
  EXPECT_EQ(url->endpoint.port, 9146);
  EXPECT_EQ(url->target, "/?x");
}

TEST(Url, RefusesWhatItCannotCall) {
  for (const char* text : {"", "192.0.2.1:80", "https://a/", "http://", "http:///x", "http://u@a/", "http://a/ b",
                           "http://a/#x", "http://a:99999/", "http://[::1/"})
    EXPECT_FALSE(parse_url(text)) << text;
}

}  // namespace
}  // namespace portolan::client
