// Requests that pass by the cache, on a route that has one: HEAD, no-store, cookies.
#include "world.hh"

namespace portolan::scenario {
namespace {

edge::CacheConfig with_rules() {
  edge::CacheConfig config;
  edge::TtlRule rule;
  rule.paths = {"/ruled"};
  rule.ttl_s = 10;
  rule.overrides = true;
  rule.ignore = {"set-cookie", "private"};
  rule.cache_control = "public, max-age=7";
  config.ttl = {rule};
  config.compress.codings = {http::Coding::gzip};
  return config;
}

class Passing : public ::testing::Test {
 protected:
  // `path` is stored, and has been for `aged_ms`.
  ServerEnd store(const std::string& path, const std::string& fields, int64_t aged_ms) {
    auto client = w.client();
    client.asks("GET " + path);
    ServerEnd server = w.origin().accepts();
    server.receives();
    server.answers("old", fields);
    EXPECT_EQ(client.gets().body, "old");
    w.advance(aged_ms);
    return server;
  }
  World w{{.cache = with_rules()}};
};

constexpr const char* no_store = "Cache-Control: no-store\r\n";

TEST_F(Passing, WhatIsStoredStandsInForServersThatFail) {
  auto server = store("/a", "Cache-Control: max-age=10, stale-if-error=600\r\nETag: \"1\"\r\n", 15'000);
  auto client = w.client();
  client.asks("HEAD /a");
  EXPECT_TRUE(server.receives().start.starts_with("HEAD"));
  server.sends("HTTP/1.1 500 Broken\r\nContent-Length: 3\r\nConnection: close\r\n\r\n");
  Message head = client.gets(Kind::answer_to_head);
  EXPECT_EQ(head.status(), 200);
  EXPECT_EQ(head.field("ETag"), "\"1\"");
  EXPECT_EQ(head.field("Age"), "15");
  EXPECT_EQ(head.field("Cache-Status"), "edge-1; fwd=stale; fwd-status=500; ttl=-6; detail=stale-on-error");
  client.asks("GET /a", no_store);
  auto other = w.origin().accepts();
  other.receives();
  other.answers("no", "", "503 Service Unavailable");
  Message stale = client.gets();
  EXPECT_EQ(stale.status(), 200);
  EXPECT_EQ(stale.body, "old");
  client.asks("GET /a", no_store);
  other.receives();
  other.answers("gone", "", "404 Not Found");
  EXPECT_EQ(client.gets().status(), 404);
}

TEST_F(Passing, WhatIsStoredStandsInForServersThatAreGone) {
  store("/a", "Cache-Control: max-age=10\r\nETag: \"1\"\r\n", 15'000);
  store("/strict", "Cache-Control: max-age=10, must-revalidate\r\n", 15'000);
  w.origin().is(health::State::down);
  auto client = w.client();
  client.asks("HEAD /a");
  EXPECT_EQ(client.gets(Kind::answer_to_head).status(), 200);
  EXPECT_EQ(client.get("/a", no_store).body, "old");
  EXPECT_EQ(client.get("/strict", no_store).status(), 503);
  EXPECT_EQ(client.get("/never", no_store).status(), 503);
  EXPECT_EQ(client.get("/a", "Cookie: id=1\r\n").status(), 503);
}

// What a rule says to clients holds for whoever asks, and what it takes off reaches nobody.
TEST_F(Passing, RulesHoldForWhatIsNotAnsweredFromTheStore) {
  const std::string personal = "Cache-Control: private\r\nSet-Cookie: sid=1\r\nContent-Type: text/plain\r\n";
  auto server = store("/ruled", personal, 15'000);
  auto client = w.client();
  struct Case {
    const char* what;
    const char* fields;
    bool as_stored;
  };
  for (const Case& c : {Case{"HEAD /ruled", "", true}, Case{"GET /ruled", no_store, true},
                        Case{"GET /ruled", "Cookie: id=1\r\n", false},
                        Case{"GET /ruled", "Authorization: Basic eA==\r\nRange: bytes=0-1\r\n", false}}) {
    SCOPED_TRACE(c.fields);
    client.asks(c.what, c.fields);
    server.receives();
    bool head = *c.what == 'H';
    if (head) server.sends("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n" + personal + "\r\n");
    if (!head) server.answers("new", personal);
    Message answer = client.gets(head ? Kind::answer_to_head : Kind::response);
    EXPECT_FALSE(answer.has("Set-Cookie"));
    EXPECT_EQ(answer.field("Cache-Control"), c.as_stored ? "public, max-age=7" : "private");
    EXPECT_EQ(answer.field("Vary"), c.as_stored ? "Accept-Encoding" : "");
    EXPECT_EQ(answer.field("Content-Type"), "text/plain");
  }
  client.asks("POST /ruled", "", "x");
  server.receives();
  server.answers("done", personal);
  EXPECT_TRUE(client.gets().has("Set-Cookie")) << "rules are about what may be cached";
  client.asks("GET /ruled");
  server.receives();
  server.answers("secret", "Cache-Control: no-store\r\nSet-Cookie: sid=1\r\n");
  Message unstored = client.gets();
  EXPECT_FALSE(unstored.has("Set-Cookie"));
  EXPECT_EQ(unstored.field("Cache-Control"), "no-store") << "what isn't stored isn't called public";
}

// RFC 9110 §13.1.5: a date is that of the coded bytes, too, which such a client may hold.
TEST_F(Passing, NoPartByADateForWhoMayHaveCodedBytes) {
  const std::string fields = "Content-Type: text/plain\r\nLast-Modified: Sun, 01 Jan 2023 00:00:00 GMT\r\n";
  const std::string body(5000, 'x');
  const std::string resume = "Range: bytes=100-199\r\nIf-Range: Sun, 01 Jan 2023 00:00:00 GMT\r\n";
  auto client = w.client();
  client.asks("GET /a");
  auto server = w.origin().accepts();
  server.receives();
  server.answers(body, "Cache-Control: max-age=60\r\n" + fields);
  client.gets();
  EXPECT_EQ(client.get("/a", resume).status(), 206);
  Message whole = client.get("/a", resume + "Accept-Encoding: gzip\r\n");
  EXPECT_EQ(whole.status(), 200);
  EXPECT_EQ(whole.body, body);
  client.asks("GET /a", resume + "Accept-Encoding: gzip\r\nCookie: id=1\r\n");
  EXPECT_TRUE(server.receives().has("Range"));
  server.answers(body.substr(100, 100), "Content-Range: bytes 100-199/5000\r\nConnection: close\r\n" + fields,
                 "206 Partial Content");
  auto again = w.origin().accepts();
  Message asked = again.receives();
  EXPECT_FALSE(asked.has("Range"));
  EXPECT_FALSE(asked.has("If-Range"));
  again.answers(body, fields);
  EXPECT_EQ(client.gets().body, body);
}

}  // namespace
}  // namespace portolan::scenario
