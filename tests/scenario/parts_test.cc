// Ranges of large objects: kept in fragments, of one version, fetched once.
#include "core/http/semantics.hh"
#include "world.hh"

namespace portolan::scenario {
namespace {

constexpr uint64_t mib = 1 << 20;

std::string bytes_of(uint64_t first, uint64_t count) {
  std::string s(count, '\0');
  for (uint64_t i = 0; i < count; ++i) s[i] = static_cast<char>('a' + (first + i) * 7 / 5 % 26);
  return s;
}

class PartsScenario : public ::testing::Test {
 protected:
  static edge::CacheConfig settings() {
    edge::CacheConfig config;
    config.max_object_bytes = 100'000;
    return config;
  }

  void answers(ServerEnd& server, uint64_t first, uint64_t count, const std::string& more = "") {
    server.answers(bytes_of(first, count),
                   "Cache-Control: max-age=60\r\nETag: " + etag +
                       "\r\nContent-Range: " + http::content_range({first, count}, size) + "\r\n" + more,
                   "206 Partial Content");
  }

  // A client may have all of its range long before the fragment is whole; only then its connection is free again.
  void fetched() {
    EXPECT_TRUE(w.until([&] { return w.origin().state->in_flight == 0; })) << "the fetch doesn't end";
  }

  // The first fragment is there afterwards.
  ServerEnd begin(Client& client) {
    client.asks("GET /big", "Range: bytes=10-19\r\n");
    ServerEnd server = w.origin().accepts();
    Message asked = server.receives();
    EXPECT_EQ(asked.field("Range"), "bytes=0-1048575");
    EXPECT_FALSE(asked.has("If-Range"));
    answers(server, 0, mib);
    Message part = client.gets();
    EXPECT_EQ(part.status(), 206);
    EXPECT_EQ(part.body, bytes_of(10, 10));
    EXPECT_EQ(part.field("Content-Range"), "bytes 10-19/" + std::to_string(size));
    EXPECT_EQ(part.field("Cache-Status"), "edge-1; fwd=uri-miss; fwd-status=206; ttl=60; stored");
    fetched();
    return server;
  }

  World w{{.cache = settings()}};
  uint64_t size = 5 * mib + 1000;
  std::string etag = "\"v1\"";
};

TEST_F(PartsScenario, ARangeFetchesItsFragmentAndOthersAreServedFromIt) {
  auto client = w.client();
  auto server = begin(client);
  Message part = client.get("/big", "Range: bytes=500000-500009\r\n");
  EXPECT_EQ(part.body, bytes_of(500'000, 10));
  EXPECT_TRUE(part.field("Cache-Status").starts_with("edge-1; hit")) << part.field("Cache-Status");
  Message same = client.get("/big", "If-None-Match: \"v1\"\r\n");
  EXPECT_EQ(same.status(), 304);
  EXPECT_EQ(client.get("/big", "Range: bytes=99999999-\r\n").status(), 416);
  client.asks("HEAD /big");
  EXPECT_EQ(client.gets(Kind::answer_to_head).field("Content-Length"), std::to_string(size));
  EXPECT_EQ(client.get("/big", "Range: bytes=2000000-\r\nCache-Control: only-if-cached\r\n").status(), 504);
  server.gets_nothing();
}

TEST_F(PartsScenario, WhatIsMissingIsAskedForOfTheSameVersion) {
  auto client = w.client();
  auto server = begin(client);
  client.asks("GET /big", "Range: bytes=1000000-1100000\r\n");
  Message asked = server.receives();
  EXPECT_EQ(asked.field("Range"), "bytes=1048576-2097151");
  EXPECT_EQ(asked.field("If-Range"), "\"v1\"");
  answers(server, mib, mib);
  Message part = client.gets();
  EXPECT_TRUE(part.body == bytes_of(1'000'000, 100'001));
  fetched();
  client.asks("GET /big");
  EXPECT_EQ(server.receives().field("Range"), "bytes=2097152-" + std::to_string(size - 1));
  answers(server, 2 * mib, size - 2 * mib);
  Message whole = client.gets();
  EXPECT_EQ(whole.status(), 200);
  EXPECT_TRUE(whole.body == bytes_of(0, size));
  Message two = client.get("/big", "Range: bytes=0-3,5242880-5242883\r\n");
  EXPECT_NE(two.body.find(bytes_of(5 * mib, 4)), std::string::npos);
  server.gets_nothing();
}

TEST_F(PartsScenario, AVersionThatChangedIsSeenBeforeAnythingIsSent) {
  auto client = w.client();
  auto server = begin(client);
  client.asks("GET /big", "Range: bytes=3000000-3000009\r\n");
  server.receives();
  etag = "\"v2\"";
  server.answers(bytes_of(0, 50'000), "Cache-Control: max-age=60\r\nETag: \"v2\"\r\nConnection: close\r\n");
  auto again = w.origin().accepts();
  Message asked = again.receives();
  EXPECT_EQ(asked.field("Range"), "bytes=2097152-3145727");
  EXPECT_FALSE(asked.has("If-Range"));
  answers(again, 2 * mib, mib);
  Message part = client.gets();
  EXPECT_EQ(part.status(), 206);
  EXPECT_EQ(part.field("ETag"), "\"v2\"");
  EXPECT_EQ(part.body, bytes_of(3'000'000, 10));
}

TEST_F(PartsScenario, AVersionThatChangedAmidAnAnswerCutsIt) {
  auto client = w.client();
  auto server = begin(client);
  client.asks("GET /big", "Range: bytes=0-1999999\r\n");
  server.receives();
  client.gets_head();
  client.reads(mib);
  etag = "\"v2\"";
  answers(server, mib, mib);
  client.is_cut();
}

TEST_F(PartsScenario, OneThatCannotBeCombinedIsAskedForAsTheClientDid) {
  auto client = w.client();
  client.asks("GET /big", "Range: bytes=10-19\r\n");
  auto server = w.origin().accepts();
  server.receives();
  etag = "W/\"v1\"";
  answers(server, 0, mib, "Connection: close\r\n");
  auto again = w.origin().accepts();
  EXPECT_EQ(again.receives().field("Range"), "bytes=10-19");
  answers(again, 10, 10);
  EXPECT_EQ(client.gets().body, bytes_of(10, 10));
  client.asks("GET /big", "Range: bytes=10-19\r\n");  // remembered
  EXPECT_EQ(again.receives().field("Range"), "bytes=10-19");
  answers(again, 10, 10);
  EXPECT_EQ(client.gets().body, bytes_of(10, 10));
}

TEST_F(PartsScenario, AnAnswerThatIgnoresTheRangeServesIt) {
  auto client = w.client();
  client.asks("GET /small", "Range: bytes=10-19\r\n");
  auto server = w.origin().accepts();
  server.receives();
  server.answers(bytes_of(0, 50'000), "Cache-Control: max-age=60\r\n");
  Message part = client.gets();
  EXPECT_EQ(part.status(), 206);
  EXPECT_EQ(part.body, bytes_of(10, 10));
  EXPECT_EQ(client.get("/small").body, bytes_of(0, 50'000));
  client.asks("GET /large", "Range: bytes=10-19\r\n");
  server.receives();
  server.answers(bytes_of(0, 200'000), "Cache-Control: max-age=60\r\n");
  part = client.gets();
  EXPECT_EQ(part.status(), 206);
  EXPECT_EQ(part.body, bytes_of(10, 10));
}

// RFC 9110 §15.3.7: a server may send less than it is asked for.
TEST_F(PartsScenario, AServerOfShortPartsServesRangesAndTheWhole) {
  size = mib + 200'000;
  const uint64_t most = 64 << 10;
  auto client = w.client();
  auto server = begin(client);
  client.asks("GET /big", "Range: bytes=1148576-1148585\r\n");
  EXPECT_EQ(server.receives().field("Range"), "bytes=1048576-1248575");
  answers(server, mib, most);
  EXPECT_EQ(server.receives().field("Range"), "bytes=1114112-1248575");
  answers(server, mib + most, most);
  Message part = client.gets();
  EXPECT_EQ(part.field("Content-Range"), "bytes 1148576-1148585/1248576");
  EXPECT_EQ(part.body, bytes_of(mib + 100'000, 10));
  fetched();
  for (int round = 0; round < 2; ++round) {
    client.asks("GET /big");
    Message asked = server.receives();
    EXPECT_FALSE(asked.has("Range"));
    server.answers(bytes_of(0, size), "Cache-Control: no-store\r\nETag: \"v1\"\r\n");
    Message whole = client.gets();
    EXPECT_EQ(whole.status(), 200);
    EXPECT_TRUE(whole.body == bytes_of(0, size));
    EXPECT_EQ(whole.field("Cache-Status"), "edge-1; fwd=partial; fwd-status=200");
  }
}

TEST_F(PartsScenario, AServerThatGivesNoMorePartsLeavesTheURLServable) {
  auto client = w.client();
  auto server = begin(client);
  client.asks("GET /big");
  for (int tries = 0; tries < 2; ++tries) {
    if (tries > 0) server = w.origin().accepts();
    EXPECT_EQ(server.receives().field("Range"), "bytes=1048576-" + std::to_string(size - 1));
    server.answers("no", "Connection: close\r\n", "500 Internal Server Error");
  }
  client.gets_head();
  client.is_cut();
  auto other = w.client();
  other.asks("GET /big");
  server = w.origin().accepts();
  EXPECT_FALSE(server.receives().has("Range"));
  server.answers(bytes_of(0, size), "Cache-Control: max-age=60\r\nETag: " + etag + "\r\n");
  Message whole = other.gets();
  EXPECT_TRUE(whole.body == bytes_of(0, size));
}

TEST_F(PartsScenario, AServerOfOtherPartsThanAskedForIsAskedTwice) {
  auto client = w.client();
  client.asks("GET /big", "Range: bytes=10-19\r\n");
  auto server = w.origin().accepts();
  server.receives();
  answers(server, 1, mib, "Connection: close\r\n");
  auto again = w.origin().accepts();
  EXPECT_EQ(again.receives().field("Range"), "bytes=10-19");
  answers(again, 11, 10);
  EXPECT_EQ(client.gets().field("Content-Range"), "bytes 11-20/" + std::to_string(size)) << "as the server said";
}

// RFC 9211 §2.1: a hit is what isn't forwarded.
TEST_F(PartsScenario, WhatIsThereInPartIsNoHit) {
  auto client = w.client();
  auto server = begin(client);
  client.asks("GET /big", "Range: bytes=0-2000000\r\n");
  EXPECT_EQ(server.receives().field("Range"), "bytes=1048576-2097151");
  Message head = client.gets_head();
  EXPECT_EQ(head.field("Cache-Status"), "edge-1; fwd=partial; ttl=60; stored");
  answers(server, mib, mib);
  EXPECT_TRUE(client.reads(2'000'001) == bytes_of(0, 2'000'001));
  fetched();
  EXPECT_EQ(client.get("/big", "Range: bytes=0-2000000\r\n").field("Cache-Status"), "edge-1; hit; ttl=60");
  EXPECT_EQ(client.get("/big", "Range: bytes=0-1, 2000000-2000009\r\n").field("Cache-Status"), "edge-1; hit; ttl=60");
  client.asks("GET /big", "Range: bytes=0-1, 3000000-3000009\r\n");
  server.receives();
  answers(server, 2 * mib, mib);
  EXPECT_EQ(client.gets().field("Cache-Status"), "edge-1; fwd=partial; ttl=60; stored");
}

TEST_F(PartsScenario, AServerThatFailsBeforeAnythingIsSentLeavesTheClientItsOwnWay) {
  auto client = w.client();
  auto server = begin(client);
  client.asks("GET /big", "Range: bytes=3000000-3000009\r\n");
  server.receives();
  server.answers("busy", "Connection: close\r\n", "503 Service Unavailable");
  auto second = w.origin().accepts();
  EXPECT_EQ(second.receives().field("If-Range"), "\"v1\"");
  second.answers("busy", "Connection: close\r\n", "503 Service Unavailable");
  auto third = w.origin().accepts();
  EXPECT_EQ(third.receives().field("Range"), "bytes=3000000-3000009");
  answers(third, 3'000'000, 10);
  EXPECT_EQ(client.gets().body, bytes_of(3'000'000, 10));
}

}  // namespace
}  // namespace portolan::scenario
