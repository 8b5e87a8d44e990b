#include "edge/inspect.hh"

#include "tests/unit/edge/support.hh"

namespace portolan::edge::test {
namespace {

using Verdict = Writer::Verdict;
const Pairs minute = {{"Cache-Control", "max-age=60"}, {"ETag", "\"v1\""}};

TEST(Cache, MissThenHitThenStaleThenValidated) {
  Cache cache(config(), 1);
  Request request("/a");
  store(cache, "/a", minute, "hello");
  Lookup hit = cache.find(request.at(start_ms + 10'000));
  ASSERT_EQ(hit.outcome, Outcome::hit);
  EXPECT_EQ(body_of(hit.object), "hello");
  EXPECT_EQ(hit.object->age_s(start_ms + 10'500), 10);
  EXPECT_EQ(hit.object->ttl_s(start_ms + 10'000), 50);
  EXPECT_EQ(hit.object->content_length(), 5u);

  int64_t later = start_ms + 61'000;
  Lookup stale = cache.find(request.at(later));
  ASSERT_EQ(stale.outcome, Outcome::stale);
  EXPECT_EQ(stale.forward, Forward::stale);
  http::Fields conditional;
  stale.writer->add_conditional_fields(conditional);
  EXPECT_EQ(conditional.find("If-None-Match"), "\"v1\"");
  Lookup other = cache.find(request.at(later));
  ASSERT_EQ(other.outcome, Outcome::follow);
  EXPECT_EQ(other.reader->state(), Reader::State::pending);

  Response not_changed(Pairs{{"Cache-Control", "max-age=100"}, {"ETag", "\"v1\""}, {"X-New", "1"}}, 304);
  EXPECT_EQ(stale.writer->head(not_changed.head, later, later), Verdict::not_modified);
  for (Reader* reader : {stale.reader.get(), other.reader.get()}) {
    ASSERT_EQ(reader->state(), Reader::State::more);
    EXPECT_TRUE(reader->validated());
    EXPECT_EQ(reader->object()->status(), 200);
    EXPECT_EQ(reader->object()->fields().find("X-New"), "1");
    EXPECT_EQ(drain(*reader), "hello");
  }
  Lookup again = cache.find(request.at(later + 90'000));
  ASSERT_EQ(again.outcome, Outcome::hit);
  EXPECT_EQ(again.object->age_s(later + 90'000), 90);
  EXPECT_EQ(cache.stats().validated, 1u);
}

TEST(Cache, A304OfAnotherTagIsRefused) {
  Cache cache(config(), 1);
  Request request("/a");
  store(cache, "/a", minute, "hello");
  Lookup stale = cache.find(request.at(start_ms + 61'000));
  Response other(Pairs{{"ETag", "\"v2\""}}, 304);
  EXPECT_EQ(stale.writer->head(other.head, start_ms, start_ms), Verdict::not_modified);
  EXPECT_EQ(stale.reader->state(), Reader::State::released);
  EXPECT_TRUE(stale.reader->retry());
  EXPECT_EQ(cache.find(request.at(start_ms + 61'000)).outcome, Outcome::miss);
}

// RFC 9111 §4.3.4: a tag that the stored answer hasn't is of something else, unless the dates are the same.
TEST(Cache, A304WithATagWhereNoneIsStored) {
  const std::string old = date(start_ms - 864'000'000);
  for (bool dated : {false, true}) {
    Cache cache(config(), 1);
    store(cache, "/a", {{"Cache-Control", "max-age=60"}, {"Last-Modified", old}}, "x");
    Request request("/a");
    int64_t later = start_ms + 61'000;
    Lookup stale = cache.find(request.at(later));
    ASSERT_EQ(stale.outcome, Outcome::stale);
    Pairs fields = {{"Cache-Control", "max-age=60"}, {"ETag", "\"v2\""}};
    if (dated) fields.emplace_back("Last-Modified", old);
    EXPECT_EQ(stale.writer->head(Response(fields, 304).head, later, later), Verdict::not_modified);
    EXPECT_EQ(stale.reader->state(), dated ? Reader::State::more : Reader::State::released);
    EXPECT_EQ(cache.find(request.at(later)).outcome, dated ? Outcome::hit : Outcome::miss);
  }
}

// Servers that code say the plain bytes' tag with the 304: coded ones never get it.
TEST(Cache, A304MakesNoTagStrong) {
  const std::string old = date(start_ms - 864'000'000);
  for (const char* tag : {"W/\"v1\"", ""}) {
    Cache cache(config(), 1);
    Pairs fields = {{"Cache-Control", "max-age=60"}, {"Last-Modified", old}, {"Content-Encoding", "gzip"}};
    if (*tag) fields.emplace_back("ETag", tag);
    store(cache, "/a", fields, "x");
    Request request("/a");
    int64_t later = start_ms + 61'000;
    Lookup stale = cache.find(request.at(later));
    Response plain({{"Cache-Control", "max-age=60"}, {"ETag", "\"v1\""}, {"Last-Modified", old}, {"X-New", "1"}}, 304);
    stale.writer->head(plain.head, later, later);
    Lookup hit = cache.find(request.at(later));
    ASSERT_EQ(hit.outcome, Outcome::hit);
    EXPECT_EQ(hit.object->etag(), tag);
    EXPECT_EQ(hit.object->fields().count(http::FieldId::etag), *tag ? 1u : 0u);
    EXPECT_EQ(hit.object->fields().find("X-New"), "1");
  }
}

TEST(Cache, A304MayMakeATagWeak) {
  Cache cache(config(), 1);
  store(cache, "/a", minute, "x");
  Request request("/a");
  int64_t later = start_ms + 61'000;
  Lookup stale = cache.find(request.at(later));
  stale.writer->head(Response({{"Cache-Control", "max-age=60"}, {"ETag", "W/\"v1\""}}, 304).head, later, later);
  EXPECT_EQ(cache.find(request.at(later)).object->etag(), "W/\"v1\"");
}

// RFC 9111 §4.3.4: a date selects what has the same.
TEST(Cache, A304OfAnotherDateIsRefused) {
  const int64_t old_ms = start_ms - 864'000'000;
  for (int how = 0; how < 3; ++how) {
    SCOPED_TRACE(how);
    Cache cache(config(), 1);
    store(cache, "/a", {{"Cache-Control", "max-age=60"}, {"Last-Modified", date(old_ms)}}, "x");
    Request request("/a");
    int64_t later = start_ms + 61'000;
    Lookup stale = cache.find(request.at(later));
    Pairs fields = {{"Cache-Control", "max-age=60"}};
    if (how > 0) fields.emplace_back("Last-Modified", date(how == 1 ? old_ms : old_ms + 5000));
    stale.writer->head(Response(fields, 304).head, later, later);
    EXPECT_EQ(stale.reader->state(), how == 2 ? Reader::State::released : Reader::State::more);
    EXPECT_EQ(cache.find(request.at(later)).outcome, how == 2 ? Outcome::miss : Outcome::hit);
  }
}

TEST(Cache, A304ThatForbidsToStoreSaysSo) {
  for (const auto& [name, value] : Pairs{{"Cache-Control", "no-store"}, {"Vary", "*"}, {"X-Fine", "1"}}) {
    Cache cache(config(), 1);
    Request request("/a");
    store(cache, "/a", minute, "hello");
    int64_t later = start_ms + 61'000;
    Lookup stale = cache.find(request.at(later));
    stale.writer->head(Response({{name, value}}, 304).head, later, later);
    EXPECT_EQ(stale.reader->dropped(), name != "X-Fine") << name;
  }
}

TEST(Cache, A304WithSetCookieServesItsClientOnly) {
  Cache cache(config(), 1);
  Request request("/a");
  store(cache, "/a", minute, "hello");
  int64_t later = start_ms + 61'000;
  Lookup stale = cache.find(request.at(later));
  Lookup other = cache.find(request.at(later));
  Response cookie(Pairs{{"Cache-Control", "max-age=60"}, {"Set-Cookie", "sid=1"}}, 304);
  stale.writer->head(cookie.head, later, later);
  EXPECT_EQ(stale.reader->object()->fields().find("Set-Cookie"), "sid=1");
  EXPECT_TRUE(other.reader->retry());
  EXPECT_EQ(cache.stats().objects, 0u);
}

TEST(Cache, FieldsThatDontTravelAreNotStored) {
  Cache cache(config(), 1);
  store(cache, "/a",
        {{"Cache-Control", "max-age=60"},
         {"Connection", "x-hop"},
         {"X-Hop", "1"},
         {"Keep-Alive", "5"},
         {"Age", "3"},
         {"X-Kept", "yes"}},
        "b");
  Request request("/a");
  Lookup hit = cache.find(request.at(start_ms));
  ASSERT_EQ(hit.outcome, Outcome::hit);
  const http::Fields& fields = hit.object->fields();
  EXPECT_FALSE(fields.find("X-Hop"));
  EXPECT_FALSE(fields.find("Keep-Alive"));
  EXPECT_FALSE(fields.find("Connection"));
  EXPECT_FALSE(fields.find("Age"));
  EXPECT_EQ(fields.find("X-Kept"), "yes");
  EXPECT_EQ(hit.object->age_s(start_ms), 3);
}

TEST(Cache, RequestDirectives) {
  Cache cache(config(), 1);
  store(cache, "/a", minute, "hello");
  struct Row {
    const char* directive;
    int64_t after_s;
    Outcome outcome;
  };
  const Row rows[] = {
      {"max-age=20", 10, Outcome::hit},
      {"max-age=5", 10, Outcome::stale},
      {"max-age=0", 0, Outcome::stale},
      {"no-cache", 0, Outcome::stale},
      {"min-fresh=40", 10, Outcome::hit},
      {"min-fresh=55", 10, Outcome::stale},
      {"max-stale", 600, Outcome::hit},
      {"max-stale=10", 65, Outcome::hit},
      {"max-stale=10", 75, Outcome::stale},
      {"only-if-cached", 10, Outcome::hit},
      {"only-if-cached", 70, Outcome::only_if_cached_miss},
      {"no-store", 10, Outcome::hit},
      {"no-store", 70, Outcome::bypass},
  };
  for (const Row& row : rows) {
    Request request("/a", {{"Cache-Control", row.directive}});
    EXPECT_EQ(cache.find(request.at(start_ms + row.after_s * 1000)).outcome, row.outcome)
        << row.directive << " after " << row.after_s;
  }
  Request elsewhere("/b", {{"Cache-Control", "only-if-cached"}});
  EXPECT_EQ(cache.find(elsewhere.at(start_ms)).outcome, Outcome::only_if_cached_miss);
}

TEST(Cache, MustRevalidateOverrulesMaxStale) {
  Cache cache(config(), 1);
  store(cache, "/a", {{"Cache-Control", "max-age=60, must-revalidate"}, {"ETag", "\"a\""}}, "x");
  Request request("/a", {{"Cache-Control", "max-stale"}});
  EXPECT_EQ(cache.find(request.at(start_ms + 61'000)).outcome, Outcome::stale);
}

TEST(Cache, HeadIsAnsweredByGetAndElsePasses) {
  Cache cache(config(), 1);
  Request head("/a", {}, "HEAD");
  EXPECT_EQ(cache.find(head.at(start_ms)).outcome, Outcome::bypass);
  store(cache, "/a", minute, "hello");
  EXPECT_EQ(cache.find(head.at(start_ms)).outcome, Outcome::hit);
}

TEST(Cache, WithoutFragmentsRangesComeFromWholeObjectsOnly) {
  CacheConfig whole = config();
  whole.fragments = false;
  Cache cache(whole, 1);
  Request range("/a", {{"Range", "bytes=1-3"}});
  EXPECT_EQ(cache.find(range.at(start_ms)).outcome, Outcome::bypass);
  store(cache, "/a", minute, "hello");
  Lookup hit = cache.find(range.at(start_ms));
  ASSERT_EQ(hit.outcome, Outcome::hit);
  Reader reader(hit.object);
  reader.select(1, 3);
  EXPECT_EQ(drain(reader), "ell");
  EXPECT_EQ(reader.state(), Reader::State::end);
}

TEST(Cache, VariantsLiveSideBySide) {
  Cache cache(config(), 1);
  Pairs fields = minute;
  fields.push_back({"Vary", "Accept-Language"});
  for (const char* language : {"de", "en"}) {
    Request request("/a", {{"Accept-Language", language}});
    Lookup l = cache.find(request.at(start_ms));
    ASSERT_TRUE(l.writer);
    EXPECT_EQ(l.forward, language == std::string("de") ? Forward::uri_miss : Forward::vary_miss);
    fill(l, Response(fields), language);
  }
  for (const char* language : {"de", "en"}) {
    Request request("/a", {{"Accept-Language", language}});
    Lookup hit = cache.find(request.at(start_ms));
    ASSERT_EQ(hit.outcome, Outcome::hit);
    EXPECT_EQ(body_of(hit.object), language);
  }
  EXPECT_EQ(cache.purge("http://EXAMPLE.com:80/a"), 2u);
  EXPECT_EQ(cache.stats().objects, 0u);
}

TEST(Cache, VariantsAreBounded) {
  Cache cache(config(), 1);
  Pairs fields = minute;
  fields.push_back({"Vary", "X-Any"});
  for (int i = 0; i < 200; ++i) {
    Request request("/a", {{"X-Any", std::to_string(i)}});
    Lookup l = cache.find(request.at(start_ms));
    ASSERT_TRUE(l.writer);
    fill(l, Response(fields), "x");
  }
  EXPECT_EQ(cache.stats().objects, 64u);
}

TEST(Cache, UnsafeMethodsInvalidate) {  // RFC 9111 §4.4
  Cache cache(config(), 1);
  for (const char* path : {"/a", "/b/c", "/d", "/e"}) store(cache, path, minute, "x");
  Request post("/a", {}, "POST");
  cache.invalidate(post.at(start_ms), Response({}, 500).head);
  EXPECT_EQ(cache.stats().objects, 4u);
  cache.invalidate(post.at(start_ms),
                   Response(Pairs{{"Location", "b/c"}, {"Content-Location", "http://other.example/d"}}, 201).head);
  EXPECT_EQ(cache.stats().objects, 2u);
  Request get("/d");
  EXPECT_EQ(cache.find(get.at(start_ms)).outcome, Outcome::hit);
  cache.invalidate(get.at(start_ms), Response({}, 200).head);
  EXPECT_EQ(cache.stats().objects, 2u);
  // RFC 9110 §16.1.1
  for (const char* safe : {"HEAD", "OPTIONS", "TRACE", "PROPFIND", "REPORT", "SEARCH", "QUERY"}) {
    cache.invalidate(Request("/d", {}, safe).at(start_ms), Response({}, 200).head);
    EXPECT_EQ(cache.stats().objects, 2u) << safe;
  }
  cache.invalidate(Request("/d", {}, "PROPPATCH").at(start_ms), Response({}, 200).head);
  EXPECT_EQ(cache.stats().objects, 1u) << "what nobody knows to be safe isn't";
}

TEST(Cache, WhatAStricterProfileForbidsIsServedNoMore) {
  CacheConfig rfc = config(), safe = config();
  rfc.profile = "rfc";
  Cache cache(rfc, 1);
  store(cache, "/cookie", {{"Cache-Control", "max-age=60"}, {"Set-Cookie", "a=1"}}, "x");
  store(cache, "/plain", minute, "x");
  {
    Lookup lookup = cache.find(Request("/bad").at(start_ms));
    EXPECT_EQ(fill(lookup, Response(minute, 400), "x"), Writer::Verdict::stored);
  }
  cache.reconfigure(safe);
  EXPECT_FALSE(cache.inspect(Request("/cookie").at(start_ms)).present());
  EXPECT_EQ(cache.find(Request("/cookie").at(start_ms)).outcome, Outcome::miss);
  EXPECT_EQ(cache.find(Request("/bad").at(start_ms)).outcome, Outcome::miss);
  EXPECT_EQ(cache.find(Request("/plain").at(start_ms)).outcome, Outcome::hit);
  EXPECT_EQ(cache.stats().objects, 1u) << "dropped";
}

TEST(Cache, PurgeReachesEveryValueOfExtraKeys) {
  CacheConfig c = config();
  c.key_headers = {"x-device"};
  Cache cache(c, 1);
  for (const char* device : {"phone", "desk"}) {
    Request request("/a", {{"X-Device", device}});
    Lookup l = cache.find(request.at(start_ms));
    fill(l, Response(minute), device);
  }
  EXPECT_EQ(cache.purge("http://example.com/a"), 2u);
}

TEST(Cache, APurgedFetchIsNotStored) {
  Cache cache(config(), 1);
  Request request("/a");
  Lookup l = cache.find(request.at(start_ms));
  Lookup waiting = cache.find(request.at(start_ms));
  cache.purge("http://example.com/a");
  Response response(minute);
  EXPECT_EQ(l.writer->head(response.head, start_ms, start_ms), Verdict::uncacheable);
  EXPECT_TRUE(waiting.reader->retry());
  l.writer->append(Slice::literal("old"));
  EXPECT_TRUE(l.writer->finish());
  EXPECT_EQ(drain(*l.reader), "old");

  Lookup second = cache.find(request.at(start_ms));
  second.writer->head(response.head, start_ms, start_ms);
  second.writer->append(Slice::literal("ol"));
  cache.purge("http://example.com/a");
  second.writer->append(Slice::literal("d"));
  EXPECT_TRUE(second.writer->finish());
  EXPECT_EQ(drain(*second.reader), "old");
  EXPECT_EQ(cache.find(request.at(start_ms)).outcome, Outcome::miss);
  EXPECT_EQ(cache.stats().objects, 0u);
}

TEST(Cache, ClientConditionals) {
  Cache cache(config(), 1);
  store(cache, "/a", {{"Cache-Control", "max-age=60"}, {"ETag", "W/\"v1\""}, {"Last-Modified", date(start_ms - 5000)}},
        "x");
  Request plain("/a");
  ObjectRef object = cache.find(plain.at(start_ms)).object;
  auto matches = [&](Pairs pairs) { return not_modified(Request("/a", pairs).head, *object); };
  EXPECT_TRUE(matches({{"If-None-Match", "\"x\", \"v1\""}}));
  EXPECT_FALSE(matches({{"If-None-Match", "\"x\""}}));
  EXPECT_FALSE(matches({{"If-None-Match", "\"x\""}, {"If-Modified-Since", date(start_ms)}}));
  EXPECT_TRUE(matches({{"If-Modified-Since", date(start_ms)}}));
  EXPECT_FALSE(matches({{"If-Modified-Since", date(start_ms - 60'000)}}));
  EXPECT_FALSE(matches({}));
}

TEST(Cache, StaleIfError) {  // RFC 5861 §4
  Cache cache(config(), 1);
  store(cache, "/a", {{"Cache-Control", "max-age=60, stale-if-error=100"}, {"ETag", "\"v\""}}, "ok");
  Request request("/a");
  int64_t later = start_ms + 90'000;
  Lookup l = cache.find(request.at(later));
  Lookup f = cache.find(request.at(later));
  EXPECT_EQ(l.writer->head(Response({}, 503).head, later, later), Verdict::stale_on_error);
  EXPECT_TRUE(f.reader->stale_on_error());
  EXPECT_EQ(drain(*f.reader), "ok");
  Lookup broken = cache.find(request.at(later));
  broken.writer->abort(later);
  EXPECT_EQ(drain(*broken.reader), "ok");
  Lookup late = cache.find(request.at(start_ms + 161'000));
  late.writer->abort(start_ms + 161'000, 504);
  EXPECT_EQ(late.reader->state(), Reader::State::failed);
  EXPECT_EQ(late.reader->error_status(), 504);
}

TEST(Cache, IgnoredCookiesDontTravel) {
  CacheConfig c = config();
  c.ignore_cookies = {"_ga*"};
  Cache cache(c, 1);
  EXPECT_EQ(cache.filter_cookies(Request("/", {{"Cookie", "_ga=1; a=2; _gat=3; b=4"}}).head), "a=2; b=4");
  EXPECT_FALSE(cache.filter_cookies(Request("/", {{"Cookie", "_ga=1"}}).head));
}

TEST(Cache, NeverFreshAnswersAreValidatedByEachAlone) {
  Cache cache(config(), 1);
  store(cache, "/a", {{"Cache-Control", "no-cache"}, {"ETag", "\"v\""}}, "x");
  Request request("/a");
  Lookup one = cache.find(request.at(start_ms));
  Lookup two = cache.find(request.at(start_ms));
  EXPECT_EQ(one.outcome, Outcome::stale);
  EXPECT_EQ(two.outcome, Outcome::stale);
}

TEST(Cache, ReloadKeepsObjectsAndShrinks) {
  Cache cache(config(1 << 20, 1 << 18), 1);
  for (int i = 0; i < 100; ++i) store(cache, "/" + std::to_string(i), minute, std::string(5000, 'x'));
  EXPECT_EQ(cache.stats().objects, 100u);
  cache.reconfigure(config(1 << 18, 1 << 16));
  Stats s = cache.stats();
  EXPECT_LE(s.bytes, s.budget);
  EXPECT_GT(s.objects, 20u);
  EXPECT_LT(s.objects, 60u);
  Request newest("/99"), oldest("/0");
  EXPECT_EQ(cache.find(newest.at(start_ms)).outcome, Outcome::hit);
  EXPECT_EQ(cache.find(oldest.at(start_ms)).outcome, Outcome::miss);
}

TEST(CacheStatus, Composes) {
  EXPECT_EQ(cache_status("edge-1", {.outcome = Outcome::hit, .ttl_s = 30}), "edge-1; hit; ttl=30");
  EXPECT_EQ(cache_status("edge-1", {.outcome = Outcome::miss, .forward = Forward::uri_miss, .stored = true}),
            "edge-1; fwd=uri-miss; stored");
  EXPECT_EQ(cache_status("edge-1", {.outcome = Outcome::stale, .forward = Forward::stale, .forward_status = 304}),
            "edge-1; fwd=stale; fwd-status=304");
  EXPECT_EQ(cache_status("9 x", {.detail = "cookie"}), "\"9 x\"; fwd=bypass; detail=cookie");
  EXPECT_EQ(cache_status("e", {.outcome = Outcome::follow, .forward = Forward::vary_miss, .collapsed = true}),
            "e; fwd=vary-miss; collapsed");
}

}  // namespace
}  // namespace portolan::edge::test
