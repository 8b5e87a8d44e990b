// What one client does or doesn't do costs the others of a cache nothing.
#include <sys/ioctl.h>

#include "world.hh"

namespace portolan::scenario {
namespace {

class OthersScenario : public ::testing::Test {
 protected:
  World w{{.cache = edge::CacheConfig{}}};
};

// A request that its server won't answer: whose own fault it is shows when another asks.
TEST_F(OthersScenario, AFetchThatBreaksIsBegunAnewByOneOfThoseWhoFollow) {
  auto odd = w.client(), b = w.client(), c = w.client();
  odd.asks("GET /a", "User-Agent: sqlmap\r\n");
  auto server = w.origin().accepts();
  server.receives();
  b.asks("GET /a");
  c.asks("GET /a");
  w.origin().nobody_comes();
  server.closes();
  EXPECT_EQ(odd.gets().status(), 502);
  auto again = w.origin().accepts();
  EXPECT_FALSE(again.receives().has("User-Agent"));
  w.origin().nobody_comes();
  again.answers("hello", "Cache-Control: max-age=60\r\n");
  EXPECT_EQ(b.gets().body, "hello");
  EXPECT_EQ(c.gets().body, "hello");
  EXPECT_EQ(w.cache->stats().objects, 1u);
}

TEST_F(OthersScenario, OfAServerThatBreaksForEverybodyEachIsToldAfterASecondFetch) {
  std::vector<Client> crowd;
  for (int i = 0; i < 8; ++i) crowd.push_back(w.client());
  for (Client& client : crowd) client.asks("GET /a");
  for (int fetch = 0; fetch < 2; ++fetch) {
    auto server = w.origin().accepts();
    server.receives();
    w.origin().nobody_comes();
    server.closes();
  }
  for (Client& client : crowd) EXPECT_EQ(client.gets().status(), 502);
  w.origin().nobody_comes();
}

TEST_F(OthersScenario, AFetchThatHangsHoldsTheOthersNoLongerThanItself) {
  auto a = w.client(), b = w.client();
  a.asks("GET /a");
  auto server = w.origin().accepts();
  server.receives();
  b.asks("GET /a");
  w.advance(60'000);
  EXPECT_EQ(a.gets().status(), 504);
  auto again = w.origin().accepts();
  again.receives();
  again.answers("hello", "Cache-Control: max-age=60\r\n");
  EXPECT_EQ(b.gets().body, "hello");
}

TEST_F(OthersScenario, OfAServerThatIsNotThereAllAreToldAtOnce) {
  auto a = w.client(), b = w.client();
  w.origin().swallows();
  a.asks("GET /a");
  w.settle();
  b.asks("GET /a");
  w.settle();
  w.origin().refuses();
  w.advance(10'000);  // no connection
  EXPECT_EQ(a.gets().status(), 504);
  EXPECT_EQ(b.gets().status(), 504);
}

// RFC 9111 §4.4: whichever route it takes.
TEST(OthersOnRoutes, AnUnsafeRequestInvalidatesOnARouteWithoutACacheToo) {
  proxy::RouteConfig writes;
  writes.name = "writes";
  writes.pool = "app";
  writes.methods = {"PUT"};
  World w({.cache = edge::CacheConfig{}, .routes = {writes}});
  auto client = w.client();
  auto change = [&](ServerEnd& server, const std::string& path, const std::string& status) {
    client.asks("PUT " + path, "", "change");
    server.receives();
    server.answers("", "", status);
    EXPECT_FALSE(client.gets().has("Cache-Status"));
  };
  client.asks("GET /a");
  auto server = w.origin().accepts();
  server.receives();
  server.answers("old", "Cache-Control: max-age=60\r\n");
  client.gets();
  change(server, "/a", "403 Forbidden");
  change(server, "/b", "200 OK");
  EXPECT_EQ(client.get("/a").body, "old");
  change(server, "/a", "200 OK");
  client.asks("GET /a");
  server.receives();
  server.answers("new", "Cache-Control: max-age=60\r\n");
  EXPECT_EQ(client.gets().body, "new");
}

TEST_F(OthersScenario, APartForOneWhoIsAuthorisedIsAskedForOnce) {
  auto client = w.client();
  client.asks("GET /big", "Range: bytes=10-19\r\nAuthorization: x\r\n");
  auto server = w.origin().accepts();
  EXPECT_EQ(server.receives().field("Range"), "bytes=10-19");
  server.answers("0123456789", "Cache-Control: max-age=60\r\nETag: \"1\"\r\nContent-Range: bytes 10-19/5000000\r\n",
                 "206 Partial Content");
  EXPECT_EQ(client.gets().body, "0123456789");
  server.gets_nothing();
}

TEST_F(OthersScenario, ARangeBeyondTheEndIsAskedForOnce) {
  auto client = w.client(), other = w.client();
  client.asks("GET /small", "Range: bytes=9999999-\r\n");
  auto server = w.origin().accepts();
  EXPECT_EQ(server.receives().field("Range"), "bytes=9437184-");
  other.asks("GET /small");
  w.origin().nobody_comes();
  server.answers("beyond", "Content-Range: bytes */5\r\n", "416 Range Not Satisfiable");
  Message answer = client.gets();
  EXPECT_EQ(answer.status(), 416);
  EXPECT_EQ(answer.field("Content-Range"), "bytes */5");
  EXPECT_EQ(answer.body, "beyond");
  EXPECT_FALSE(server.receives().has("Range"));  // the other's
  server.answers("hello", "Cache-Control: max-age=60\r\n");
  EXPECT_EQ(other.gets().body, "hello");
  // If-Range may make it the whole, several may hold one that is inside: the server has to see them.
  for (const char* more : {"\r\nIf-Range: \"x\"\r\n", ",0-0\r\n"}) {
    std::string fields = std::string("Range: bytes=9999999-") + more;
    client.asks("GET /other", fields);
    server.receives();
    server.answers("beyond", "Content-Range: bytes */5\r\n", "416 Range Not Satisfiable");
    auto again = w.origin().accepts();
    EXPECT_TRUE(fields.starts_with("Range: " + again.receives().field("Range") + "\r\n"));
    again.answers("hello");
    EXPECT_EQ(client.gets().body, "hello");
    server = std::move(again);
  }
}

// What isn't stored is there only once, from its beginning to its end.
TEST_F(OthersScenario, SeveralRangesInAnyOrderOfWhatIsNotStored) {
  const std::string body = "01" + std::string(60'000, 'x') + "89";
  for (const char* order : {"0-1,60002-60003", "60002-60003,0-1"}) {
    auto client = w.client();
    client.asks("GET /a", std::string("Range: bytes=") + order + "\r\n");
    auto server = w.origin().accepts();
    server.receives();
    server.answers(body, "Cache-Control: no-store\r\nConnection: close\r\n");
    Message answer = client.gets();
    EXPECT_TRUE(answer.body == body || answer.status() == 206) << answer.status();
    EXPECT_NE(answer.body.find("01"), std::string::npos) << order;
    EXPECT_NE(answer.body.find("89"), std::string::npos) << order;
  }
}

TEST_F(OthersScenario, WhatWasNotForwardedSaysSo) {  // RFC 9211 §2.2
  auto client = w.client();
  Message miss = client.get("/a", "Cache-Control: only-if-cached\r\n");
  EXPECT_EQ(miss.status(), 504);
  EXPECT_EQ(miss.field("Cache-Status"), "edge-1; detail=only-if-cached");
  w.origin().nobody_comes();
  client.asks("GET /a");
  auto server = w.origin().accepts();
  server.receives();
  server.answers("hello", "Cache-Control: no-store\r\n");
  EXPECT_EQ(client.gets().field("Cache-Status"), "edge-1; fwd=uri-miss; fwd-status=200");
}

class SharedWindow : public ::testing::Test {
 protected:
  static edge::CacheConfig settings() {
    edge::CacheConfig config;
    config.memory_bytes = 8 << 20;
    config.max_object_bytes = 100'000;
    return config;
  }
  static constexpr size_t size = 64 << 20;  // more than the sockets between take

  ServerEnd begins(Client& client) {
    client.asks("GET /growing");
    ServerEnd server = w.origin().accepts();
    server.receives();
    return server;
  }
  void answers(ServerEnd& server) {
    server.sends("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n4000000\r\n");
  }
  // Until no more gets through; how much did.
  size_t moves(ServerEnd& server, Client& client) {
    for (int stuck = 0; stuck < 5; ++stuck) {
      size_t poured = server.pours(std::min<size_t>(size - poured_, 1 << 20)), waiting = client_has(client);
      read_ += client.reads(waiting);
      read_.erase(0, read_.size() - std::min<size_t>(read_.size(), 10));
      w.settle();
      poured_ += poured;
      if (poured + waiting > 0) stuck = 0;
    }
    return poured_;
  }
  static size_t client_has(Client& client) {
    int waiting = 0;
    ::ioctl(client.fd(), FIONREAD, &waiting);
    return static_cast<size_t>(waiting);
  }
  World w{{.cache = settings()}};
  size_t poured_ = 0;
  std::string read_;  // the last of it
};

TEST_F(SharedWindow, OneWhoHoldsTheOthersIsCut) {
  auto fast = w.client(), slow = w.client();
  auto server = begins(fast);
  slow.asks("GET /growing");
  w.settle();
  answers(server);
  fast.gets_head();
  slow.gets_head();
  size_t got = moves(server, fast);
  ASSERT_LT(got, size);
  EXPECT_LT(w.cache->stats().passing_bytes, 2u << 20);
  w.advance(3'000);
  EXPECT_EQ(moves(server, fast), size);
  server.sends("\r\n0\r\n\r\n");
  moves(server, fast);
  std::string end = read_;
  while (!end.ends_with("x\r\n0\r\n\r\n") && !HasFailure()) end += fast.reads(1);
  slow.is_cut();
  EXPECT_EQ(w.count("portolan_responses_cut_total"), 1u);
}

TEST_F(SharedWindow, OneAloneMayTakeItsTime) {
  auto slow = w.client();
  auto server = begins(slow);
  answers(server);
  slow.gets_head();
  while (size_t n = server.pours(size - poured_)) poured_ += n;
  ASSERT_LT(poured_, size);
  w.advance(3'000);
  while (poured_ < size) {
    slow.reads(1 << 20);
    poured_ += server.pours(size - poured_);
  }
  EXPECT_EQ(w.count("portolan_responses_cut_total"), 0u);
}

}  // namespace
}  // namespace portolan::scenario
