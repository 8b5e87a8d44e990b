// Looking inside: it says what find() would do, and leaves everything as it was.
#include "edge/inspect.hh"

#include "core/base/clock.hh"
#include "tests/unit/edge/support.hh"

namespace portolan::edge::test {
namespace {

std::string url_of(const std::string& path) {
  return "http://example.com" + path;
}

TEST(Inspect, TellsTheVariantsOfAUrl) {
  Cache cache(config(), 1);
  for (const char* language : {"de", "en"}) {
    Request request("/a?x=1", {{"Accept-Language", language}});
    Lookup lookup = cache.find(request.at(start_ms));
    Response response(
        {{"Cache-Control", "max-age=60, must-revalidate"}, {"Vary", "Accept-Language"}, {"ETag", "\"1\""}});
    ASSERT_EQ(fill(lookup, response, "hello"), Writer::Verdict::stored);
  }
  Request german("/a?x=1", {{"Accept-Language", "de"}});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(cache.find(german.at(start_ms)).outcome, Outcome::hit);
  Inspection found = cache.inspect(german.at(start_ms + 20'000));
  EXPECT_EQ(found.key, url_of("/a?x=1"));
  EXPECT_EQ(found.outcome, Outcome::hit);
  EXPECT_EQ(found.why, "fresh for 40 s more");
  ASSERT_EQ(found.variants.size(), 2u);
  const VariantView& newest = found.variants[0];
  EXPECT_EQ(newest.vary, "accept-language: en");
  EXPECT_FALSE(newest.chosen);
  EXPECT_EQ(newest.hits, 0u);
  const VariantView& mine = found.variants[1];
  EXPECT_TRUE(mine.chosen);
  EXPECT_EQ(mine.hits, 3u);
  EXPECT_EQ(mine.age_s, 20);
  EXPECT_EQ(mine.ttl_s, 40);
  EXPECT_EQ(mine.bytes, 5u);
  EXPECT_EQ(mine.etag, "\"1\"");
  EXPECT_TRUE(mine.must_revalidate);

  Inspection french = cache.inspect(Request("/a?x=1", {{"Accept-Language", "fr"}}).at(start_ms));
  EXPECT_EQ(french.outcome, Outcome::miss);
  EXPECT_EQ(french.forward, Forward::vary_miss);
  EXPECT_TRUE(french.present());
  EXPECT_FALSE(cache.inspect(Request("/b").at(start_ms)).present());
}

struct Case {
  Pairs response;
  Pairs request;
  int64_t after_s;
  const char* why;
  const char* method = "GET";
};
const Case cases[] = {
    {{{"Cache-Control", "max-age=60"}}, {}, 59, "fresh for 1 s more"},
    {{{"Cache-Control", "max-age=60"}}, {}, 61, "stale for 1 s"},
    {{{"Cache-Control", "max-age=60"}}, {}, 61, "stale for 1 s; the answer isn't stored for its method, HEAD", "HEAD"},
    {{{"Cache-Control", "max-age=60"}},
     {{"Cache-Control", "max-stale=5"}},
     63,
     "stale for 3 s, which the request's max-stale allows"},
    {{{"Cache-Control", "max-age=60"}}, {{"Cache-Control", "no-cache"}}, 5, "the request says no-cache"},
    {{{"Cache-Control", "max-age=60"}},
     {{"Cache-Control", "max-age=10"}},
     20,
     "20 s old, and the request's max-age is 10 s"},
    {{{"Cache-Control", "max-age=60"}},
     {{"Cache-Control", "min-fresh=30"}},
     40,
     "fresh for 20 s more, and the request's min-fresh is 30 s"},
    {{{"Cache-Control", "max-age=60"}},
     {{"Cache-Control", "no-cache, only-if-cached"}},
     40,
     "the request says no-cache; the request takes only what is stored: 504"},
    {{{"Cache-Control", "no-cache"}, {"ETag", "\"e\""}},
     {},
     1,
     "the answer says no-cache: it is validated before every use"},
    {{{"Cache-Control", "max-age=0"}, {"ETag", "\"e\""}}, {}, 1, "the answer gave it no lifetime"},
    {{{"Cache-Control", "max-age=60"}}, {{"Cookie", "a=b"}}, 1, "passed by for its cookie"},
    {{{"Cache-Control", "max-age=60"}}, {}, 1, "only GET and HEAD are looked up", "POST"},
};

TEST(Inspect, SaysWhatFindWouldDo) {
  for (const Case& c : cases) {
    Cache cache(config(), 1);
    store(cache, "/a", c.response, "body");
    Request request("/a", c.request, c.method);
    int64_t now_ms = start_ms + c.after_s * 1000;
    Stats before = cache.stats();
    Inspection found = cache.inspect(request.at(now_ms));
    EXPECT_EQ(found.why, c.why);
    EXPECT_EQ(cache.stats().hits + cache.stats().misses + cache.stats().bypasses + cache.stats().stale,
              before.hits + before.misses + before.bypasses + before.stale)
        << "nothing is counted";
    EXPECT_EQ(cache.stats().filling, 0u);
    Lookup lookup = cache.find(request.at(now_ms));
    EXPECT_EQ(lookup.outcome, found.outcome) << c.why;
    EXPECT_EQ(lookup.forward, found.forward) << c.why;
  }
}

TEST(Inspect, SeesFetchesAndWhatIsKeptApart) {
  Cache cache(config(), 1);
  Request request("/a");
  Lookup leader = cache.find(request.at(start_ms));
  Inspection found = cache.inspect(request.at(start_ms));
  EXPECT_EQ(found.fetches, 1u);
  EXPECT_EQ(found.outcome, Outcome::follow);
  Response response(Pairs{{"Cache-Control", "no-store"}});
  fill(leader, response, "mine");
  found = cache.inspect(request.at(start_ms));
  EXPECT_EQ(found.fetches, 0u);
  EXPECT_GT(found.apart_ms, 0);
  EXPECT_EQ(found.outcome, Outcome::miss);
}

TEST(Inspect, DisturbsNoOrder) {
  std::string body(200'000, 'x');
  for (bool look : {false, true}) {
    Cache cache(config(1 << 20, 250'000), 1);
    for (const char* path : {"/old", "/new"}) store(cache, path, {{"Cache-Control", "max-age=60"}}, body);
    if (look) {
      cache.inspect(Request("/old").at(start_ms));
      cache.top(10);
    }
    for (int i = 0; cache.stats().evictions == 0; ++i)
      store(cache, "/more" + std::to_string(i), {{"Cache-Control", "max-age=60"}}, body);
    EXPECT_FALSE(cache.inspect(Request("/old").at(start_ms)).present()) << "the oldest goes first";
    EXPECT_TRUE(cache.inspect(Request("/new").at(start_ms)).present());
  }
}

TEST(Top, TheMostAskedForComeFirst) {
  Cache cache(config(64 << 20), 1);  // four shards
  for (int i = 0; i < 3000; ++i) store(cache, "/" + std::to_string(i), {{"Cache-Control", "max-age=60"}}, "x");
  for (int i = 1; i <= 20; ++i)
    for (int n = 0; n < i; ++n) cache.find(Request("/" + std::to_string(i * 100)).at(start_ms));
  std::vector<HotKey> top = cache.top(5);
  ASSERT_EQ(top.size(), 5u);
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(top[i].key, url_of("/" + std::to_string((20 - i) * 100)));
    EXPECT_EQ(top[i].hits, 20 - i);
    EXPECT_EQ(top[i].requests, 21 - i) << "the one that filled it counts";
    EXPECT_EQ(top[i].variants, 1u);
    EXPECT_GT(top[i].bytes, 0u);
  }
  EXPECT_TRUE(cache.top(0).empty());
  EXPECT_EQ(cache.top(100'000).size(), most_hot_keys);
}

TEST(Top, UrlsAreEachOnce) {
  CacheConfig c = config();
  c.key_headers = {"x-v"};
  Cache cache(c, 1);
  auto ask = [&](const std::string& target, const char* value, int times) {
    Request request(target, {{"X-V", value}});
    for (int i = 0; i < times; ++i) {
      Lookup lookup = cache.find(request.at(start_ms));
      if (lookup.writer) fill(lookup, Response(Pairs{{"Cache-Control", "max-age=60"}}), "x");
    }
  };
  ask("/a?q=1", "1", 3);
  ask("/a?q=1", "2", 9);
  ask("/b", "1", 5);
  ask("/c", "1", 1);
  EXPECT_EQ(cache.hot_urls(3), (std::vector<std::string>{"http://example.com/a?q=1", "http://example.com/b"}));
  EXPECT_EQ(cache.hot_urls(100).size(), 3u);
}

TEST(Top, UrlsAreOfWhatIsStoredAndGood) {
  CacheConfig c = config();
  Cache cache(c, 1);
  auto put = [&](const std::string& path, const Pairs& fields, int status = 200) {
    Request request(path);
    Lookup lookup = cache.find(request.at(start_ms));
    ASSERT_TRUE(lookup.writer);
    fill(lookup, Response(fields, status), "x");
  };
  const Pairs minute = {{"Cache-Control", "max-age=60"}};
  put("/good", minute);
  put("/purged", minute);
  put("/missing", minute, 404);
  put("/own", {{"Cache-Control", "no-store"}});
  Request fetching("/fetching");
  Lookup under_way = cache.find(fetching.at(start_ms));
  EXPECT_EQ(cache.top(10).size(), 5u);
  EXPECT_TRUE(cache.purge(Purge{PurgeKind::prefix, "example.com/purged", false}, start_ms));
  EXPECT_EQ(cache.hot_urls(10), std::vector<std::string>{url_of("/good")});
}

TEST(Top, HitsStayWhereAnAnswerIsReplaced) {
  Cache cache(config(), 1);
  store(cache, "/a", {{"Cache-Control", "max-age=60"}}, "x");
  for (int i = 0; i < 4; ++i) cache.find(Request("/a").at(start_ms));
  Request request("/a");
  int64_t later = start_ms + 61'000;
  Lookup lookup = cache.find(request.at(later));
  ASSERT_EQ(lookup.outcome, Outcome::stale);
  ASSERT_EQ(fill(lookup, Response(Pairs{{"Cache-Control", "max-age=60"}}), "y", later), Writer::Verdict::stored);
  EXPECT_EQ(cache.inspect(request.at(later)).variants.at(0).hits, 4u);
  EXPECT_EQ(cache.top(1).at(0).requests, 6u);
}

}  // namespace
}  // namespace portolan::edge::test
