// Servers that fail, in all the ways they do, and what their clients see of it.
#include "world.hh"

namespace portolan::scenario {
namespace {

TEST(Failure, ARefusedRequestGoesToTheNextServer) {
  World w({.servers = 2});
  w.origin(0).refuses();
  auto client = w.client();
  auto server = w.asked(client, "GET /", 1);
  server.answers("second");
  EXPECT_EQ(client.gets().body, "second");
  EXPECT_EQ(w.count("portolan_retries_total"), 1u);
  EXPECT_EQ(w.count("portolan_server_failures_total", "reason=\"refused\""), 1u);
  ASSERT_EQ(w.reports.size(), 1u);
  EXPECT_NE(w.reports[0].find("onnection refused"), std::string::npos) << w.reports[0];
}

TEST(Failure, AResetAndAnEarlyEndAreTriedAgain) {
  World w({.servers = 3});
  auto client = w.client();
  auto first = w.asked(client);
  first.resets();
  auto second = w.origin(1).accepts();
  second.receives();
  second.closes();
  auto third = w.origin(2).accepts();
  EXPECT_EQ(third.receives().start, "GET / HTTP/1.1");
  third.answers("third");
  EXPECT_EQ(client.gets().body, "third");
  EXPECT_EQ(w.count("portolan_server_failures_total", "reason=\"reset\""), 2u);
}

TEST(Failure, TwoRetriesAndNoMore) {
  World w({.servers = 4});
  auto client = w.client();
  client.asks("GET /");
  for (size_t i = 0; i < 3; ++i) w.origin(i).accepts().resets();
  EXPECT_EQ(client.gets().status(), 502);
  w.origin(3).nobody_comes();
  EXPECT_EQ(w.count("portolan_retries_total"), 2u);
}

TEST(Failure, ATimeoutIsTriedAgainAndThenA504) {
  World w({.servers = 2});
  auto client = w.client();
  auto first = w.asked(client);
  w.advance(59'000);
  w.origin(1).nobody_comes();
  w.advance(1'000);
  first.is_closed();
  auto second = w.origin(1).accepts();
  second.receives();
  w.advance(60'000);
  EXPECT_EQ(client.gets().status(), 504);
  EXPECT_EQ(w.count("portolan_server_failures_total", "reason=\"timeout\""), 2u);
}

TEST(Failure, APostIsNotSentTwice) {
  World w({.servers = 2});
  auto client = w.client();
  client.asks("POST /pay", "", "100 euros");
  auto first = w.origin(0).accepts();
  EXPECT_EQ(first.receives().body, "100 euros");
  first.resets();
  EXPECT_EQ(client.gets().status(), 502);
  w.origin(1).nobody_comes();
}

TEST(Failure, APostOfWhichNothingWasSentGoesToTheNextServer) {
  World w({.servers = 2});
  w.origin(0).refuses();
  auto client = w.client();
  client.asks("POST /pay", "", "100 euros");
  auto second = w.origin(1).accepts();
  EXPECT_EQ(second.receives().body, "100 euros");
  second.answers("paid");
  EXPECT_EQ(client.gets().body, "paid");
}

TEST(Failure, APutIsReplayedWithItsBody) {
  World w({.servers = 2});
  auto client = w.client();
  client.sends("PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  auto first = w.origin(0).accepts();
  first.gets_head();
  EXPECT_EQ(first.reads(8), "3\r\nabc\r\n");
  first.resets();
  auto second = w.origin(1).accepts();
  w.settle();
  client.sends("3\r\ndef\r\n0\r\n\r\n");
  EXPECT_EQ(second.receives().body, "abcdef");
  second.answers("ok");
  EXPECT_EQ(client.gets().body, "ok");
}

TEST(Failure, ALargePutIsNotReplayed) {
  World w({.servers = 2});
  auto client = w.client();
  client.sends("PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + std::string(100'000, 'x'));
  auto first = w.origin(0).accepts();
  first.gets_head();
  first.reads(100'000);
  first.resets();
  EXPECT_EQ(client.gets().status(), 502);
  w.origin(1).nobody_comes();
}

TEST(Failure, AConnectionThatClosedJustNowIsNobodysFailure) {
  World w;
  auto client = w.client();
  auto server = w.asked(client, "GET /1");
  server.answers("1");
  client.gets();
  client.asks("GET /2");
  server.receives();
  server.closes();  // as if it had closed while the request was on its way
  auto fresh = w.origin().accepts();
  EXPECT_EQ(fresh.receives().start, "GET /2 HTTP/1.1");
  fresh.answers("2");
  EXPECT_EQ(client.gets().body, "2");
  EXPECT_EQ(w.count("portolan_retries_total"), 0u);
  EXPECT_EQ(w.count("portolan_server_failures_total"), 0u);
}

TEST(Failure, AnIdleConnectionsEndIsNoticed) {
  World w;
  auto client = w.client();
  auto server = w.asked(client, "GET /1");
  server.answers("1");
  client.gets();
  server.closes();
  w.settle();
  EXPECT_EQ(w.proxy->pool().idle(), 0u);
  client.asks("POST /2", "", "x");
  auto fresh = w.origin().accepts();
  EXPECT_EQ(fresh.receives().body, "x");
  fresh.answers("2");
  EXPECT_EQ(client.gets().body, "2");
}

TEST(Failure, BytesNobodyAskedForEndAnIdleConnection) {
  World w;
  auto client = w.client();
  auto server = w.asked(client, "GET /1");
  server.answers("1");
  client.gets();
  server.sends("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nevil!");
  server.reads_to_the_end();
  auto fresh = w.asked(client, "GET /2");
  fresh.answers("2");
  EXPECT_EQ(client.gets().body, "2");
}

TEST(Failure, BytesBehindAnAnswerAreNotTheNextAnswer) {
  World w;
  auto client = w.client();
  auto server = w.asked(client, "GET /1");
  server.sends("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nevil!");
  EXPECT_EQ(client.gets().body, "1");
  auto fresh = w.asked(client, "GET /2");
  fresh.answers("2");
  EXPECT_EQ(client.gets().body, "2");
}

TEST(Failure, WithoutBudgetThereIsNoRetry) {
  World w({.servers = 2});
  w.origin(0).refuses();
  w.pool_state->window_start_ms = w.clock.now_ms();
  w.pool_state->window_retries[0] = 100;
  auto client = w.client();
  client.asks("GET /");
  EXPECT_EQ(client.gets().status(), 502);
  w.origin(1).nobody_comes();
  w.advance(10'000);  // both windows have passed
  w.pool_state->turns[0] = 0;
  auto server = w.asked(client, "GET /", 1);
  server.answers("ok");
  EXPECT_EQ(client.gets().body, "ok");
}

TEST(Failure, AnAnswerThatBreaksOffBreaksTheConnection) {
  for (const std::string& head : {std::string("Content-Length: 10\r\n\r\nhalf"),
                                  std::string("Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")}) {
    World w({.servers = 2});
    auto client = w.client();
    auto server = w.asked(client);
    server.sends("HTTP/1.1 200 OK\r\n" + head);
    EXPECT_EQ(client.gets_head().status(), 200);
    w.settle();
    server.closes();
    client.is_cut();
    EXPECT_EQ(w.count("portolan_responses_cut_total"), 1u);
    EXPECT_EQ(w.count("portolan_server_failures_total", "reason=\"reset\""), 1u);
    w.origin(1).nobody_comes();
  }
}

TEST(Failure, AResetRightBehindTheBytesIsSeenAtOnce) {
  World w;
  auto client = w.client();
  auto server = w.asked(client);
  server.sends("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
  server.resets();  // both are there when the proxy looks
  client.is_cut();

  auto other = w.client();
  auto second = w.asked(other);
  second.answers("whole");
  second.resets();
  EXPECT_EQ(other.gets().body, "whole");
  other.asks("POST /", "", "x");  // the idle connection is dead: another, without a word
  auto fresh = w.origin().accepts();
  EXPECT_EQ(fresh.receives().body, "x");
  fresh.answers("ok", "Connection: close\r\n");
  EXPECT_EQ(other.gets().body, "ok");

  auto third = w.client();
  third.sends("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf.");
  third.resets();
  auto last = w.origin().accepts();
  last.reads_to_the_end();
  EXPECT_EQ(w.count("portolan_server_failures_total"), 1u) << "of the first answer alone";
}

TEST(Failure, AMalformedAnswerIsA502AndItsConnectionIsNotUsedAgain) {
  for (const char* bad : {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
                          "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\n\r\nhello",
                          "HTTP/2 200\r\n\r\n", "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 200 OK\r\nBad Name: 1\r\n\r\n",
                          "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"}) {
    World w({.servers = 2});
    auto client = w.client();
    auto server = w.asked(client);
    server.sends(bad);
    EXPECT_EQ(client.gets().status(), 502) << bad;
    EXPECT_EQ(w.proxy->pool().idle(), 0u);
    w.origin(1).nobody_comes();  // it was answered: asking another makes it no better
    EXPECT_EQ(w.count("portolan_server_failures_total", "reason=\"malformed\""), 1u);
    w.pool_state->turns[0] = 0;
    auto fresh = w.asked(client);
    fresh.answers("ok");
    EXPECT_EQ(client.gets().body, "ok");
  }
}

TEST(Failure, AServerThatTakesNoConnectionIsGivenTwoSeconds) {
  World w({.servers = 2});
  w.origin(0).swallows();
  auto client = w.client();
  client.asks("GET /");
  w.advance(1'900);
  w.origin(1).nobody_comes();
  w.advance(100);
  auto second = w.origin(1).accepts();
  second.receives();
  second.answers("second");
  EXPECT_EQ(client.gets().body, "second");
}

TEST(Failure, AnAnswerThatStallsIsCut) {
  World w;
  auto client = w.client();
  auto server = w.asked(client);
  server.sends("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
  client.gets_head();
  EXPECT_EQ(client.reads(4), "half");
  w.advance(29'000);
  client.gets_nothing();
  server.sends("!");
  EXPECT_EQ(client.reads(1), "!");
  w.advance(29'000);
  client.gets_nothing();
  w.advance(1'100);
  client.is_cut();
}

TEST(Failure, AClientThatResetsEndsItsRequestAtTheServer) {
  World w;
  auto client = w.client();
  auto server = w.asked(client);
  client.resets();
  server.is_closed();
  EXPECT_EQ(w.count("portolan_requests_total", "status=\"499\""), 1u);
  EXPECT_EQ(w.count("portolan_server_failures_total"), 0u);
}

TEST(Failure, AClientThatResetsAmidTheBodyEndsItsRequestAtTheServer) {
  World w;
  auto client = w.client();
  auto server = w.asked(client);
  server.sends("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nbegin");
  client.gets_head();
  client.resets();
  w.settle();
  server.pours(300'000);
  server.reads_to_the_end();
  EXPECT_EQ(w.proxy->connections(), 0u);
}

}  // namespace
}  // namespace portolan::scenario
