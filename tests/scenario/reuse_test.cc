// Idle connections to servers, and servers that close them just as they are used.
#include "world.hh"

namespace portolan::scenario {
namespace {

// Asks once, so that a connection idles.
ServerEnd warmed(World& w, Client& client, const std::string& fields = "") {
  client.asks("GET /warm");
  ServerEnd server = w.origin().accepts();
  server.receives();
  server.answers("warm", fields);
  client.gets();
  return server;
}

TEST(Reuse, AServersKeepAliveIsLearntAndItsConnectionsRetiredInTime) {
  World w;
  auto client = w.client();
  auto server = warmed(w, client, "Keep-Alive: timeout=5, max=100\r\n");
  w.advance(3'900);
  server.gets_nothing();
  w.advance(100);
  server.is_closed();
  EXPECT_EQ(w.proxy->pool().idle(), 0u);
}

TEST(Reuse, AHabitOfClosingIsLearnt) {
  World w;
  auto client = w.client();
  for (int i = 0; i < 2; ++i) {
    auto server = warmed(w, client);
    w.advance(10'000);
    server.closes();
    w.settle();
  }
  auto server = warmed(w, client);
  w.advance(7'900);
  server.gets_nothing();
  w.advance(200);
  server.is_closed();
}

TEST(Reuse, WhatCantBeSentAgainTakesNoConnectionThatMayBeDying) {
  World w;
  auto client = w.client();
  auto server = warmed(w, client);
  client.asks("POST /1", "", "x");
  EXPECT_EQ(server.receives().start, "POST /1 HTTP/1.1") << "just used";
  server.answers("1");
  client.gets();
  w.advance(1'500);
  client.asks("POST /2", "", "x");
  auto fresh = w.origin().accepts();
  EXPECT_EQ(fresh.receives().start, "POST /2 HTTP/1.1");
  fresh.answers("2", "Connection: close\r\n");
  client.gets();
  client.asks("GET /3");
  EXPECT_EQ(server.receives().start, "GET /3 HTTP/1.1") << "a request that may be sent again takes it";
  server.answers("3");
  client.gets();
  w.advance(1'500);
  client.asks("POST /4", "", "x");
  EXPECT_EQ(server.receives().start, "POST /4 HTTP/1.1") << "they are known to live that long now";
  server.answers("4");
  EXPECT_EQ(client.gets().body, "4");
}

TEST(Reuse, TheRaceReachesNobodyWhoseRequestMayBeSentAgain) {
  for (const char* what : {"GET /2", "HEAD /2", "PUT /2", "DELETE /2", "OPTIONS /2"}) {
    for (bool reset : {false, true}) {
      World w;
      auto client = w.client();
      auto server = warmed(w, client);
      client.asks(what, "", std::string(what).starts_with("PUT") ? "body" : "");
      server.receives();
      reset ? server.resets() : server.closes();
      auto fresh = w.origin().accepts();
      EXPECT_EQ(fresh.receives().start, std::string(what) + " HTTP/1.1");
      fresh.sends("HTTP/1.1 204 No Content\r\n\r\n");
      EXPECT_EQ(client.gets_head().status(), 204) << what;
      EXPECT_EQ(w.count("portolan_retries_total"), 0u) << "nobody's failure, and no retry";
      EXPECT_EQ(w.count("portolan_server_failures_total"), 0u);
    }
  }
}

TEST(Reuse, AnAnswerThatHadBegunIsNoRace) {
  World w;
  auto client = w.client();
  auto server = warmed(w, client);
  client.asks("GET /2");
  server.receives();
  server.sends("HTTP/1.1 2");
  server.closes();
  EXPECT_EQ(client.gets().status(), 502);
  EXPECT_EQ(w.count("portolan_server_failures_total"), 1u);
}

}  // namespace
}  // namespace portolan::scenario
