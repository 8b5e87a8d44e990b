// What a client may not do, how long it may take, and how many may do it at once.
#include <sys/socket.h>

#include "world.hh"

namespace portolan::scenario {
namespace {

TEST(Limits, WhatCannotBeReadIsRefusedAndNothingIsForwarded) {
  struct Case {
    std::string request;
    int status;
  };
  std::string host = "Host: a\r\n";
  for (const Case& c : {
           Case{"GET / HTTP/1.1\r\n" + host + "X: " + std::string(40'000, 'x') + "\r\n\r\n", 431},
           Case{"GET /" + std::string(9'000, 'x') + " HTTP/1.1\r\n" + host + "\r\n", 414},
           Case{"GET / HTTP/1.1\r\n\r\n", 400},
           Case{"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
           Case{"GET  / HTTP/1.1\r\n" + host + "\r\n", 400},
           Case{"GET / HTTP/1.1\r\n" + host + "X : 1\r\n\r\n", 400},
           Case{"GET / HTTP/1.1\r\n" + host + " folded: 1\r\n\r\n", 400},
           Case{"POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
           Case{"POST / HTTP/1.1\r\n" + host + "Content-Length: +3\r\n\r\nabc", 400},
           Case{"GET / HTTP/3.0\r\n" + host + "\r\n", 505},
           Case{std::string("\x16\x03\x01\x02\x00\x01\x00\r\n", 9), 400},
       }) {
    World w;
    auto client = w.client();
    client.sends(c.request);
    Message answer = client.gets();
    EXPECT_EQ(answer.status(), c.status) << c.request.substr(0, 80);
    EXPECT_EQ(answer.field("Connection"), "close");
    client.is_closed();
    w.origin().nobody_comes();
  }
}

TEST(Limits, WhatIsNoProxysBusinessIsRefused) {
  World w({.route_all = true});
  auto client = w.client();
  EXPECT_EQ(client.get("/a/../b").status(), 400);
  EXPECT_EQ(client.get("/a/%2e%2E/b").status(), 400);
  EXPECT_EQ(client.get("/", "Expect: a-wonder\r\n").status(), 417);
  client.asks("TRACE /", "Max-Forwards: 0\r\n");
  EXPECT_EQ(client.gets().status(), 405);
  client.asks("OPTIONS *", "Max-Forwards: 0\r\n");
  EXPECT_EQ(client.gets().status(), 204);
  client.sends("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n");
  EXPECT_GE(client.gets().status(), 400);
  w.origin().nobody_comes();
}

TEST(Limits, ABrokenBodyEndsTheRequestAtTheServerToo) {
  World w;
  auto client = w.client();
  client.sends("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  auto server = w.origin().accepts();
  server.gets_head();
  client.sends("zz\r\n");
  Message answer = client.gets();
  EXPECT_EQ(answer.status(), 400);
  client.is_closed();
  EXPECT_EQ(server.reads_to_the_end(), "3\r\nabc\r\n");  // and no last chunk
}

TEST(Limits, ARequestThatEndsAmidItsBodyIsNotCompleted) {
  World w;
  auto client = w.client();
  client.sends("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf.");
  auto server = w.origin().accepts();
  server.gets_head();
  client.ends_its_side();
  EXPECT_EQ(client.gets().status(), 400);
  EXPECT_EQ(server.reads_to_the_end(), "half.");
}

TEST(Limits, AHeadHasTenSeconds) {
  World w;
  auto client = w.client();
  client.sends("GET / HT");
  w.advance(5'000);
  client.sends("T");  // a byte now and then doesn't help
  w.advance(4'900);
  client.gets_nothing();
  w.advance(100);
  EXPECT_EQ(client.gets().status(), 408);
  client.is_closed();
  w.origin().nobody_comes();
}

TEST(Limits, EveryWaitHasAnEndByDefault) {
  proxy::Timeouts t;
  for (int64_t ms : {t.header, t.connect, t.response, t.idle, t.keepalive, t.tunnel, t.min_rate_after,
                     proxy::QueueConfig().timeout_ms, health::CheckConfig().timeout_ms}) {
    EXPECT_GT(ms, 0);
    EXPECT_LE(ms, 3'600'000);
  }
  EXPECT_GT(t.min_rate, 0u);
  EXPECT_EQ(proxy::TimeoutOverrides().over(t), t) << "what is set nowhere is the default";
}

TEST(Limits, AnIdleConnectionHasAMinute) {
  World w;
  auto fresh = w.client();
  auto used = w.client();
  auto server = w.asked(used);
  server.answers("ok");
  used.gets();
  w.advance(59'500);
  fresh.gets_nothing();
  used.gets_nothing();
  server.gets_nothing();
  w.advance(500);
  fresh.is_closed();
  used.is_closed();
  server.is_closed();
  EXPECT_EQ(w.proxy->connections(), 0u);
}

TEST(Limits, AStalledRequestBodyIsA408) {
  World w({.timeouts = {.min_rate = 0}});
  auto client = w.client();
  client.sends("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf.");
  auto server = w.origin().accepts();
  server.gets_head();
  w.advance(29'000);
  client.sends("x");
  w.advance(29'000);
  client.gets_nothing();
  w.advance(1'100);
  EXPECT_EQ(client.gets().status(), 408);
  client.is_closed();
  server.reads_to_the_end();
  EXPECT_EQ(w.count("portolan_server_failures_total"), 0u);
}

TEST(Limits, AClientThatTakesNothingIsLeft) {
  World w;
  auto client = w.client();
  auto server = w.asked(client);
  server.sends("HTTP/1.1 200 OK\r\nContent-Length: 33554432\r\n\r\n");
  server.pours(32 << 20);
  w.advance(31'000);
  EXPECT_EQ(w.proxy->connections(), 0u);
  server.reads_to_the_end();
}

TEST(Limits, AFullServerIsPassedOverAndAFullPoolIsA503) {
  World w({.servers = 2, .amend_pool = [](proxy::PoolConfig& pool) { pool.queue.size = 0; }});
  w.origin(0).max_connections = 1;
  w.origin(1).max_connections = 1;
  w.publish_board();
  auto a = w.client(), b = w.client(), c = w.client();
  auto first = w.asked(a, "GET /a");
  auto second = w.asked(b, "GET /b", 1);
  Message refused = c.get("/c");
  EXPECT_EQ(refused.status(), 503);
  EXPECT_EQ(refused.field("Retry-After"), "5");
  first.answers("a");
  EXPECT_EQ(a.gets().body, "a");
  c.asks("GET /c");
  EXPECT_EQ(first.receives().start, "GET /c HTTP/1.1");
  first.answers("c");
  EXPECT_EQ(c.gets().body, "c");
  second.answers("b");
  EXPECT_EQ(b.gets().body, "b");
}

TEST(Limits, MoreClientsThanAllowedAreClosedAtOnce) {
  World w;
  w.shared.most_connections = 1;
  auto first = w.client();
  auto server = w.asked(first);
  auto second = w.client();
  second.reads_to_the_end();
  first.gets_nothing();
  first.resets();
  w.settle();
  auto third = w.client();
  third.gets_nothing();
  EXPECT_EQ(w.count("portolan_connections_refused_total"), 1u);
  EXPECT_EQ(w.count("portolan_connections"), 1u);
}

TEST(Limits, AProxyHeaderSaysWhoTheClientIs) {
  World w({.trusted = {"127.0.0.0/8"}, .proxy_protocol = true});
  auto client = w.client();
  client.sends("PROXY TCP4 198.51.100.7 203.0.113.1 5000 80\r\nGET / HT");
  client.sends("TP/1.1\r\nHost: a\r\n\r\n");
  auto server = w.origin().accepts();
  EXPECT_EQ(server.receives().field("X-Forwarded-For"), "198.51.100.7");
  server.answers("ok");
  EXPECT_EQ(client.gets().body, "ok");
  auto without = w.client();
  without.sends("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  without.reads_to_the_end();
  w.origin().nobody_comes();
  auto silent = w.client();
  w.advance(10'000);
  silent.is_closed();
}

TEST(Limits, AProxyHeaderOfAStrangerIsNotBelieved) {
  World w({.trusted = {"10.0.0.0/8"}, .proxy_protocol = true});
  auto client = w.client();
  client.sends("PROXY TCP4 198.51.100.7 203.0.113.1 5000 80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
  client.reads_to_the_end();
  w.origin().nobody_comes();
}

}  // namespace
}  // namespace portolan::scenario
