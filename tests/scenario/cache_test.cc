// The cache in front of a server.
#include "world.hh"

namespace portolan::scenario {
namespace {

class CacheScenario : public ::testing::Test {
 protected:
  // One request that reaches the server, which answers.
  Message fetch(ServerEnd& server, Client& client, const std::string& path, const std::string& body,
                const std::string& answer_fields, const std::string& fields = "") {
    client.asks("GET " + path, fields);
    last_seen = server.receives();
    server.answers(body, answer_fields);
    return client.gets();
  }
  ServerEnd warm(Client& client) {
    client.asks("GET /warm");
    ServerEnd server = w.origin().accepts();
    server.receives();
    server.answers("warm", "Cache-Control: no-store\r\n");
    client.gets();
    return server;
  }
  World w{{.cache = edge::CacheConfig{}}};
  Message last_seen;
};

constexpr const char* minute = "Cache-Control: max-age=60\r\nETag: \"v1\"\r\n";

TEST_F(CacheScenario, AMissThenHitsWithTheirAge) {
  auto client = w.client();
  auto server = warm(client);
  Message miss = fetch(server, client, "/a", "hello", minute, "If-None-Match: \"old\"\r\nRange: bytes=0-\r\n");
  EXPECT_EQ(miss.status(), 206);
  miss = fetch(server, client, "/b", "hello", minute, "If-None-Match: \"old\"\r\n");
  EXPECT_FALSE(last_seen.has("If-None-Match"));
  EXPECT_EQ(miss.field("Cache-Status"), "edge-1; fwd=uri-miss; fwd-status=200; ttl=60; stored");
  EXPECT_FALSE(miss.has("Age"));
  w.advance(10'000);
  Message hit = client.get("/b");
  EXPECT_EQ(hit.body, "hello");
  EXPECT_EQ(hit.field("Age"), "10");
  EXPECT_TRUE(hit.field("Cache-Status").starts_with("edge-1; hit; ttl=")) << hit.field("Cache-Status");
  EXPECT_EQ(hit.field("ETag"), "\"v1\"");
  server.gets_nothing();
  client.asks("HEAD /b");
  Message head = client.gets(Kind::answer_to_head);
  EXPECT_EQ(head.field("Content-Length"), "5");
  Message part = client.get("/b", "Range: bytes=1-2\r\n");
  EXPECT_EQ(part.status(), 206);
  EXPECT_EQ(part.body, "el");
  EXPECT_EQ(part.field("Content-Range"), "bytes 1-2/5");
  EXPECT_EQ(client.get("/b", "Range: bytes=9-\r\n").status(), 416);
  Message same = client.get("/b", "If-None-Match: \"v1\"\r\n");
  EXPECT_EQ(same.status(), 304);
  EXPECT_EQ(same.body, "");
  EXPECT_EQ(client.get("/b", "If-None-Match: \"v2\"\r\n").status(), 200);
  server.gets_nothing();
}

// By what leads to a route, not by its place nor by its name.
TEST_F(CacheScenario, AnswersOfARouteStayItsOwnOverReloads) {
  auto tenant = [](const std::string& name, const std::string& who) {
    proxy::RouteConfig r;
    r.name = name;
    r.pool = "app";
    r.cache = "edge";
    r.headers = {{"x-tenant", {proxy::ValueMatch::Form::exact, {who}}}};
    return r;
  };
  const std::string acme = "X-Tenant: acme\r\n", bolt = "X-Tenant: bolt\r\n";
  w.plan.routes = {tenant("one", "acme"), tenant("two", "bolt")};
  w.publish();
  auto client = w.client();
  auto server = warm(client);
  EXPECT_EQ(fetch(server, client, "/x", "acme's", minute, acme).body, "acme's");
  EXPECT_EQ(fetch(server, client, "/x", "bolt's", minute, bolt).body, "bolt's");
  w.plan.routes = {tenant("one", "bolt"), tenant("two", "acme")};  // as where they are named by their places
  w.publish();
  EXPECT_EQ(client.get("/x", acme).body, "acme's");
  EXPECT_EQ(client.get("/x", bolt).body, "bolt's");
  server.gets_nothing();
  w.plan.routes = {tenant("one", "other"), tenant("two", "bolt")};  // its name stays, what leads to it doesn't
  w.publish();
  EXPECT_EQ(fetch(server, client, "/x", "other's", minute, "X-Tenant: other\r\n").body, "other's");
  EXPECT_EQ(fetch(server, client, "/x", "all's", minute, acme).body, "all's");
  EXPECT_EQ(client.get("/x", bolt).body, "bolt's");
}

// RFC 3986 §6.2.3, RFC 9110 §4.2.3
TEST_F(CacheScenario, AHostIsTheSameHoweverItIsWritten) {
  auto client = w.client();
  auto server = warm(client);
  auto ask = [&](const std::string& host) {
    client.sends("GET /h HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
    return client.gets();
  };
  client.sends("GET /h HTTP/1.1\r\nHost: ex\r\n\r\n");
  server.receives();
  server.answers("ex", minute);
  client.gets();
  for (const char* host : {"EX", "ex.", "ex:", "ex:80", "ex:080", "ex.:00080"})
    EXPECT_TRUE(ask(host).field("Cache-Status").starts_with("edge-1; hit")) << host;
  server.gets_nothing();
  client.sends("POST /h HTTP/1.1\r\nHost: ex.:080\r\nContent-Length: 1\r\n\r\nx");
  server.receives();
  server.answers("done");
  client.gets();
  client.sends("GET /h HTTP/1.1\r\nHost: ex\r\n\r\n");
  server.receives();
  server.answers("new", minute);
  EXPECT_EQ(client.gets().body, "new");
  EXPECT_EQ(ask("ex..").status(), 400);
}

TEST_F(CacheScenario, SeveralRangesOfAStoredAnswer) {
  auto client = w.client();
  auto server = warm(client);
  fetch(server, client, "/a", "0123456789", "Cache-Control: max-age=60\r\nETag: \"v1\"\r\nContent-Type: a/b\r\n");
  Message two = client.get("/a", "Range: bytes=0-1,-2\r\n");
  EXPECT_EQ(two.status(), 206);
  EXPECT_FALSE(two.has("Content-Range"));
  std::string type = two.field("Content-Type");
  ASSERT_TRUE(type.starts_with("multipart/byteranges; boundary=")) << type;
  std::string mark = "\r\n--" + type.substr(type.find('=') + 1),
              part = "\r\nContent-Type: a/b\r\nContent-Range: bytes ";
  EXPECT_EQ(two.body, mark + part + "0-1/10\r\n\r\n01" + mark + part + "8-9/10\r\n\r\n89" + mark + "--\r\n");
  EXPECT_EQ(two.field("ETag"), "\"v1\"");
  EXPECT_EQ(client.get("/a", "Range: bytes=0-1,20-\r\n").field("Content-Range"), "bytes 0-1/10");
  EXPECT_EQ(client.get("/a", "Range: bytes=0-3,2-5\r\n").status(), 200);      // overlapping
  EXPECT_EQ(client.get("/a", "Range: bytes=8-8,0-0,4-4\r\n").status(), 200);  // many small ones in no order
  EXPECT_EQ(client.get("/a", "Range: bytes=0-1,4-5\r\nIf-Range: \"v2\"\r\n").status(), 200);
  EXPECT_EQ(client.get("/a", "Range: bytes=0-1\r\nIf-Range: \"v1\"\r\n").status(), 206);
  EXPECT_EQ(client.get("/a", "Range: bytes=20-,30-\r\n").field("Content-Range"), "bytes */10");
  server.gets_nothing();
}

TEST_F(CacheScenario, ARangeOfAnAnswerThatStillComes) {
  auto client = w.client();
  auto server = warm(client);
  auto other = w.client();
  client.asks("GET /a");
  server.receives();
  server.sends("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 10\r\n\r\n012345");
  client.gets_head();
  EXPECT_EQ(client.reads(6), "012345");
  EXPECT_EQ(other.get("/a", "Range: bytes=2-4\r\n").body, "234");
  other.asks("GET /a", "Range: bytes=5-7\r\n");
  EXPECT_EQ(other.gets_head().field("Content-Range"), "bytes 5-7/10");
  EXPECT_EQ(other.reads(1), "5");
  server.sends("6789");
  EXPECT_EQ(other.reads(2), "67");
  EXPECT_EQ(client.reads(4), "6789");
}

TEST_F(CacheScenario, AStaleAnswerIsValidated) {
  auto client = w.client();
  auto server = warm(client);
  fetch(server, client, "/a", "hello", minute);
  w.advance(61'000);
  client = w.client();  // the first had its minute, too
  client.asks("GET /a");
  auto again = w.origin().accepts();  // the idle connection has had its minute
  EXPECT_EQ(again.receives().field("If-None-Match"), "\"v1\"");
  again.sends("HTTP/1.1 304 Not Modified\r\nCache-Control: max-age=60\r\nETag: \"v1\"\r\n\r\n");
  Message answer = client.gets();
  EXPECT_EQ(answer.status(), 200);
  EXPECT_EQ(answer.body, "hello");
  EXPECT_NE(answer.field("Cache-Status").find("fwd=stale; fwd-status=304"), std::string::npos);
  EXPECT_EQ(client.get("/a").body, "hello");
  again.gets_nothing();
}

TEST_F(CacheScenario, AValidationThatForbidsToStoreSaysSo) {
  auto client = w.client();
  auto server = warm(client);
  fetch(server, client, "/a", "one", "Cache-Control: max-age=1\r\nETag: \"v1\"\r\n");
  w.advance(2'000);
  client.asks("GET /a");
  server.receives();
  server.sends("HTTP/1.1 304 Not Modified\r\nCache-Control: no-store\r\nETag: \"v1\"\r\n\r\n");
  EXPECT_EQ(client.gets().field("Cache-Status"), "edge-1; fwd=stale; fwd-status=304");
}

// RFC 9110 §15.4.5
TEST_F(CacheScenario, A304SaysNothingOfTheBody) {
  auto client = w.client();
  auto server = warm(client);
  const std::string more =
      "Content-Type: text/plain\r\nContent-Encoding: gzip\r\nContent-Language: de\r\nContent-Location: /a.txt\r\n"
      "Vary: Accept-Encoding\r\nContent-Security-Policy: x\r\nLast-Modified: Sun, 01 Jan 2023 00:00:00 GMT\r\n";
  fetch(server, client, "/a", "one", minute + more, "Accept-Encoding: gzip\r\n");
  Message same = client.get("/a", "If-None-Match: \"v1\"\r\nAccept-Encoding: gzip\r\n");
  EXPECT_EQ(same.status(), 304);
  for (const char* name : {"Content-Type", "Content-Encoding", "Content-Language", "Content-Length", "Last-Modified"})
    EXPECT_FALSE(same.has(name)) << name;
  for (const char* name : {"ETag", "Date", "Vary", "Cache-Control", "Content-Location", "Content-Security-Policy"})
    EXPECT_TRUE(same.has(name)) << name;
  EXPECT_TRUE(client.get("/a", "Accept-Encoding: gzip\r\n").has("Content-Encoding"));
  fetch(server, client, "/b", "one", "Cache-Control: max-age=60\r\n" + more, "Accept-Encoding: gzip\r\n");
  Message dated = client.get("/b", "If-Modified-Since: Sun, 01 Jan 2023 00:00:00 GMT\r\nAccept-Encoding: gzip\r\n");
  EXPECT_EQ(dated.status(), 304);
  EXPECT_TRUE(dated.has("Last-Modified"));
}

TEST_F(CacheScenario, AFailedValidationServesTheStaleAnswerWhereItMay) {
  auto client = w.client();
  auto server = warm(client);
  fetch(server, client, "/a", "hello", "Cache-Control: max-age=10, stale-if-error=60\r\nETag: \"1\"\r\n");
  fetch(server, client, "/b", "hello", "Cache-Control: max-age=10, must-revalidate\r\nETag: \"1\"\r\n");
  w.advance(20'000);
  client.asks("GET /a");
  server.receives();
  server.answers("oops", "", "503 Service Unavailable");
  Message stale = client.gets();
  EXPECT_EQ(stale.status(), 200);
  EXPECT_EQ(stale.body, "hello");
  EXPECT_EQ(stale.field("Age"), "20");
  client.asks("GET /b");
  server.receives();
  server.answers("oops", "", "503 Service Unavailable");
  EXPECT_EQ(client.gets().status(), 503);
}

TEST_F(CacheScenario, EachVariantIsItsOwn) {
  auto client = w.client();
  auto server = warm(client);
  std::string vary = "Cache-Control: max-age=60\r\nVary: Accept-Language\r\n";
  fetch(server, client, "/a", "hallo", vary, "Accept-Language: de\r\n");
  Message second = fetch(server, client, "/a", "bonjour", vary, "Accept-Language: fr\r\n");
  EXPECT_NE(second.field("Cache-Status").find("fwd=vary-miss"), std::string::npos);
  EXPECT_EQ(client.get("/a", "Accept-Language: de\r\n").body, "hallo");
  EXPECT_EQ(client.get("/a", "Accept-Language: fr\r\n").body, "bonjour");
  server.gets_nothing();
}

TEST_F(CacheScenario, TwoWhoAskAtOnceShareOneFetch) {
  auto a = w.client(), b = w.client();
  a.asks("GET /a");
  auto server = w.origin().accepts();
  server.receives();
  b.asks("GET /a");
  w.origin().nobody_comes();
  server.sends("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 10\r\n\r\nfirst");
  EXPECT_EQ(a.gets_head().status(), 200);
  EXPECT_EQ(a.reads(5), "first");
  Message head = b.gets_head();
  EXPECT_NE(head.field("Cache-Status").find("collapsed"), std::string::npos) << head.field("Cache-Status");
  EXPECT_EQ(b.reads(5), "first");  // both read while it grows
  auto c = w.client();
  c.asks("GET /a");
  c.gets_head();
  EXPECT_EQ(c.reads(5), "first");
  server.sends("-last");
  EXPECT_EQ(a.reads(5) + b.reads(5) + c.reads(5), "-last-last-last");
  EXPECT_EQ(w.cache->stats().collapsed, 2u);
}

TEST_F(CacheScenario, TheFirstMayLeaveAndTheFetchGoesOn) {
  auto a = w.client(), b = w.client();
  a.asks("GET /a");
  auto server = w.origin().accepts();
  server.receives();
  b.asks("GET /a");
  w.settle();
  a.resets();
  server.gets_nothing();
  server.answers("hello", minute);
  EXPECT_EQ(b.gets().body, "hello");
}

TEST_F(CacheScenario, WhatBreaksOffIsNeverStored) {
  for (const std::string& framing : {std::string("Content-Length: 10\r\n\r\nhalf"),
                                     std::string("Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")}) {
    std::string target = "GET /" + std::to_string(framing.size());
    auto a = w.client(), b = w.client();
    a.asks(target);
    auto server = w.origin().accepts();
    server.receives();
    b.asks(target);
    w.settle();
    server.sends("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n" + framing);
    a.gets_head();
    b.gets_head();
    server.closes();
    a.is_cut();
    b.is_cut();
    auto c = w.client();
    c.asks(target);
    auto again = w.origin().accepts();
    again.receives();
    again.answers("whole", "Cache-Control: no-store\r\nConnection: close\r\n");
    EXPECT_EQ(c.gets().body, "whole");
    EXPECT_EQ(w.cache->stats().objects, 0u);
  }
  EXPECT_EQ(w.count("portolan_responses_cut_total"), 4u);
}

TEST_F(CacheScenario, AnAnswerNobodyMayShareFreesThoseWhoWait) {
  auto a = w.client(), b = w.client();
  a.asks("GET /mine");
  auto first = w.origin().accepts();
  first.receives();
  b.asks("GET /mine");
  w.origin().nobody_comes();
  first.answers("for a", "Cache-Control: private\r\n");
  EXPECT_EQ(a.gets().body, "for a");
  EXPECT_EQ(first.receives().start, "GET /mine HTTP/1.1");
  first.answers("for b", "Cache-Control: private\r\n");
  Message answer = b.gets();
  EXPECT_EQ(answer.body, "for b");
  EXPECT_NE(answer.field("Cache-Status").find("collapse-miss"), std::string::npos) << answer.field("Cache-Status");
}

TEST_F(CacheScenario, ACookieGoesToTheServer) {
  auto client = w.client();
  auto server = warm(client);
  fetch(server, client, "/a", "shared", minute);
  Message own = fetch(server, client, "/a", "mine", "", "Cookie: sid=1\r\n");
  EXPECT_EQ(last_seen.field("Cookie"), "sid=1");
  EXPECT_EQ(own.body, "mine");
  EXPECT_EQ(own.field("Cache-Status"), "edge-1; fwd=bypass; detail=cookie");
  EXPECT_EQ(client.get("/a").body, "shared");
}

TEST_F(CacheScenario, WhatARuleLetsPassIsCounted) {
  w.plan.amend_route = [](proxy::RouteConfig& route) {
    route.cache_bypass.emplace();
    route.cache_bypass->headers = {"x-preview"};
  };
  w.publish();
  auto client = w.client();
  auto server = warm(client);
  const uint64_t before = w.cache->stats().bypasses;
  Message own = fetch(server, client, "/a", "mine", minute, "X-Preview: 1\r\n");
  EXPECT_EQ(own.field("Cache-Status"), "edge-1; fwd=bypass; detail=rule");
  EXPECT_EQ(w.cache->stats().bypasses, before + 1);
  fetch(server, client, "/a", "shared", minute, "X-Preview: 0\r\n");
  EXPECT_EQ(w.cache->stats().bypasses, before + 1);
}

TEST_F(CacheScenario, AnUnsafeRequestInvalidates) {
  auto client = w.client();
  auto server = warm(client);
  fetch(server, client, "/a", "old", minute);
  client.asks("POST /a", "", "change");
  server.receives();
  server.answers("changed");
  EXPECT_EQ(client.gets().field("Cache-Status"), "edge-1; fwd=method");
  EXPECT_EQ(fetch(server, client, "/a", "new", minute).body, "new");
  client.asks("POST /a", "", "change");
  server.receives();
  server.answers("no", "", "403 Forbidden");
  EXPECT_EQ(client.gets().status(), 403);
  EXPECT_EQ(client.get("/a").body, "new");  // nothing happened: nothing is forgotten
}

TEST_F(CacheScenario, AFailureIsToldToAllWhoWait) {
  auto a = w.client(), b = w.client();
  a.asks("GET /a");
  auto server = w.origin().accepts();
  server.receives();
  b.asks("GET /a");
  w.advance(60'000);
  EXPECT_EQ(a.gets().status(), 504);
  auto again = w.origin().accepts();  // for the other, whose request may fare better
  again.receives();
  w.advance(60'000);
  EXPECT_EQ(b.gets().status(), 504);
  EXPECT_EQ(b.get("/b", "Cache-Control: only-if-cached\r\n").status(), 504);
  w.origin().nobody_comes();
}

TEST(CacheLimits, WhatIsTooLargeStreamsThrough) {
  edge::CacheConfig config;
  config.memory_bytes = 4 << 20;
  config.max_object_bytes = 10'000;
  World w({.cache = config});
  auto client = w.client();
  std::string body(50'000, 'x');
  for (int i = 0; i < 2; ++i) {
    client.asks("GET /large");
    auto server = w.origin().accepts();
    server.receives();
    server.answers(body, "Cache-Control: max-age=60\r\nConnection: close\r\n");
    EXPECT_EQ(client.gets().body, body);
    client.asks("GET /growing");
    auto second = w.origin().accepts();
    second.receives();
    second.sends(
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
    for (int k = 0; k < 5; ++k) second.sends("2710\r\n" + std::string(10'000, 'y') + "\r\n");
    second.sends("0\r\n\r\n");
    EXPECT_EQ(client.gets().body, std::string(50'000, 'y'));
  }
  EXPECT_EQ(w.cache->stats().objects, 0u);
}

TEST(CacheLimits, AnEndlessAnswerNobodyReadsPausesItsServer) {
  edge::CacheConfig config;
  config.memory_bytes = 4 << 20;
  config.max_object_bytes = 100'000;
  World w({.cache = config});
  auto client = w.client();
  client.asks("GET /large");
  auto server = w.origin().accepts();
  server.receives();
  constexpr size_t size = 32 << 20;
  server.sends("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n");
  size_t poured = server.pours(size);
  EXPECT_LT(poured, size / 2);
  EXPECT_LT(w.cache->stats().passing_bytes, 4u << 20);
  client.gets_head();
  for (size_t read = 0; read < size;) {
    read += client.reads(poured - read).size();
    poured += server.pours(std::min<size_t>(size - poured, 1 << 20));
  }
  client.gets_nothing();
}

}  // namespace
}  // namespace portolan::scenario
