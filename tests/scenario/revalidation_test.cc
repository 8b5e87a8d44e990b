// What the cache does beside its clients: it validates in the background, stands in for servers that are down, passes
// hints on, and takes answers it didn't ask for.
#include "world.hh"

namespace portolan::scenario {
namespace {

class Revalidation : public ::testing::Test {
 protected:
  // /a with this Cache-Control is stored and then is `aged_ms` old.
  ServerEnd store(const std::string& control, int64_t aged_ms) {
    auto client = w.client();
    client.asks("GET /a");
    ServerEnd server = w.origin().accepts();
    server.receives();
    server.answers("old", "Cache-Control: " + control + "\r\nETag: \"1\"\r\n");
    EXPECT_EQ(client.gets().body, "old");
    w.advance(aged_ms);
    return server;
  }
  World w{{.cache = edge::CacheConfig{}}};
};

TEST_F(Revalidation, NobodyWaitsForIt) {
  auto server = store("max-age=10, stale-while-revalidate=60", 15'000);
  auto client = w.client(), other = w.client();
  Message stale = client.get("/a");
  EXPECT_EQ(stale.body, "old");
  EXPECT_EQ(stale.field("Age"), "15");
  EXPECT_TRUE(stale.field("Cache-Status").starts_with("edge-1; hit; ttl=-")) << stale.field("Cache-Status");
  EXPECT_EQ(other.get("/a").body, "old");
  EXPECT_EQ(server.receives().field("If-None-Match"), "\"1\"");
  w.origin().nobody_comes();  // one is enough
  server.gets_nothing();
  server.answers("new", "Cache-Control: max-age=60\r\n");
  w.settle();
  EXPECT_EQ(client.get("/a").body, "new");
}

TEST_F(Revalidation, GoesOnWhenTheClientLeaves) {
  auto server = store("max-age=10, stale-while-revalidate=60", 15'000);
  auto client = w.client();
  client.get("/a");
  client.resets();
  w.settle();
  server.receives();
  server.sends("HTTP/1.1 304 Not Modified\r\nCache-Control: max-age=60\r\n\r\n");
  w.settle();
  auto other = w.client();
  EXPECT_EQ(other.get("/a").field("Cache-Status"), "edge-1; hit; ttl=60");
  server.gets_nothing();
}

TEST_F(Revalidation, TheBoardDecidesWithoutAnAttempt) {
  auto server = store("max-age=10, stale-if-error=600", 15'000);
  w.origin().is(health::State::down);
  auto client = w.client();
  for (int i = 0; i < 3; ++i) {
    Message stale = client.get("/a");
    EXPECT_EQ(stale.body, "old");
    EXPECT_EQ(stale.field("Cache-Status"), "edge-1; fwd=stale; ttl=-6; detail=stale-on-error");
  }
  server.is_closed();  // with nothing asked
  w.origin().nobody_comes();
  EXPECT_EQ(client.get("/never").status(), 503);
  w.origin().is(health::State::up);
  client.asks("GET /a");
  server = w.origin().accepts();
  server.receives();
  server.answers("new", "Cache-Control: max-age=60\r\n");
  EXPECT_EQ(client.gets().body, "new");
}

TEST_F(Revalidation, WhoSaysNothingOfErrorsStandsInWhileServersAreGone) {
  auto server = store("max-age=10", 15'000);
  server.closes();
  w.origin().refuses();
  auto client = w.client();
  EXPECT_EQ(client.get("/a").body, "old");
}

TEST_F(Revalidation, MustRevalidateIsAnErrorThen) {
  store("max-age=10, must-revalidate", 15'000);
  w.origin().is(health::State::down);
  EXPECT_EQ(w.client().get("/a").status(), 503);
}

TEST_F(Revalidation, HintsPassAtOnceToWhoAskedAndAreNotKept) {
  auto client = w.client();
  client.asks("GET /a");
  auto server = w.origin().accepts();
  server.receives();
  server.sends("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n");
  Message hint = client.gets_head();
  EXPECT_EQ(hint.status(), 103);
  EXPECT_EQ(hint.field("Link"), "</a.css>; rel=preload");
  server.answers("page", "Cache-Control: max-age=60\r\n");
  Message page = client.gets();
  EXPECT_EQ(page.status(), 200);
  EXPECT_FALSE(page.has("Link"));
  Message hit = client.get("/a");
  EXPECT_EQ(hit.status(), 200);
  EXPECT_FALSE(hit.has("Link"));
}

TEST_F(Revalidation, AnAnswerToPostMayBeStored) {
  auto client = w.client();
  client.asks("POST /a", "", "change");
  auto server = w.origin().accepts();
  server.receives();
  server.answers("changed", "Cache-Control: max-age=60\r\nContent-Location: /a\r\n");
  EXPECT_EQ(client.gets().body, "changed");
  EXPECT_EQ(client.get("/a").body, "changed");
  client.asks("POST /b", "", "change");
  server.receives();
  server.sends(
      "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Location: /b\r\nContent-Length: 10\r\n\r\nhalf");
  client.gets_head();
  server.closes();
  client.is_cut();
  auto other = w.client();
  other.asks("GET /b");
  auto again = w.origin().accepts();
  again.receives();
  again.answers("whole");
  EXPECT_EQ(other.gets().body, "whole");
}

TEST_F(Revalidation, EncodingsAreAskedForInFewWays) {
  auto client = w.client();
  client.asks("GET /a", "Accept-Encoding: deflate, GZIP;q=0.5, br\r\n");
  auto server = w.origin().accepts();
  EXPECT_EQ(server.receives().field("Accept-Encoding"), "br, gzip");
  server.answers("packed", "Cache-Control: max-age=60\r\nVary: Accept-Encoding\r\n");
  client.gets();
  EXPECT_EQ(client.get("/a", "Accept-Encoding: gzip, br\r\n").body, "packed");
  client.asks("GET /a", "Cookie: a=b\r\nAccept-Encoding: deflate\r\n");  // past the cache it is the client's own
  EXPECT_EQ(server.receives().field("Accept-Encoding"), "deflate");
  server.answers("own");
  EXPECT_EQ(client.gets().body, "own");
}

}  // namespace
}  // namespace portolan::scenario
