// Serving stale (RFC 5861, RFC 9111 §4.2.4), and what invalidates together (RFC 9875), on a clock of its own.
#include "edge/groups.hh"
#include "tests/unit/edge/support.hh"

namespace portolan::edge::test {
namespace {

constexpr int64_t second = 1000;

Lookup ask(Cache& cache, const std::string& path, int64_t at_ms, Pairs fields = {}, std::string method = "GET") {
  Request request(path, std::move(fields), std::move(method));
  return cache.find(request.at(at_ms));
}

TEST(Stale, OneFetchForAllWhoAreServedMeanwhile) {
  Cache cache(config(), 1);
  store(cache, "/a", {{"Cache-Control", "max-age=10, stale-while-revalidate=30"}, {"ETag", "\"1\""}}, "old");
  int64_t now = start_ms + 15 * second;
  Lookup first = ask(cache, "/a", now);
  ASSERT_EQ(first.outcome, Outcome::hit);
  ASSERT_TRUE(first.writer);
  EXPECT_FALSE(first.reader);
  EXPECT_EQ(body_of(first.object), "old");
  http::Fields conditions;
  first.writer->add_conditional_fields(conditions);
  EXPECT_EQ(conditions.find(http::FieldId::if_none_match), "\"1\"");
  Lookup second_one = ask(cache, "/a", now);
  EXPECT_EQ(second_one.outcome, Outcome::hit);
  EXPECT_FALSE(second_one.writer);

  Response fresh({{"Cache-Control", "max-age=10"}, {"ETag", "\"2\""}});
  ASSERT_EQ(first.writer->head(fresh.head, now, now), Writer::Verdict::stored);
  first.writer->append(Slice::copy_of("new"));
  ASSERT_TRUE(first.writer->finish());
  Lookup after = ask(cache, "/a", now);
  EXPECT_EQ(body_of(after.object), "new");
  EXPECT_FALSE(after.writer);
}

TEST(Stale, A304InTheBackgroundMakesItFresh) {
  Cache cache(config(), 1);
  store(cache, "/a", {{"Cache-Control", "max-age=10, stale-while-revalidate=30"}, {"ETag", "\"1\""}}, "body");
  int64_t now = start_ms + 15 * second;
  Lookup l = ask(cache, "/a", now);
  ASSERT_TRUE(l.writer);
  Response same({{"Cache-Control", "max-age=10"}, {"ETag", "\"1\""}}, 304);
  EXPECT_EQ(l.writer->head(same.head, now, now), Writer::Verdict::not_modified);
  Lookup after = ask(cache, "/a", now + 5 * second);
  EXPECT_EQ(after.outcome, Outcome::hit);
  EXPECT_TRUE(after.object->fresh(now + 5 * second));
}

TEST(Stale, AfterAFailureNobodyAsksForASecond) {
  Cache cache(config(), 1);
  store(cache, "/a", {{"Cache-Control", "max-age=10, stale-while-revalidate=30"}, {"ETag", "\"1\""}}, "old");
  int64_t now = start_ms + 15 * second;
  {
    Lookup l = ask(cache, "/a", now);
    ASSERT_TRUE(l.writer);
    l.writer->abort(now, 502);
  }
  EXPECT_FALSE(ask(cache, "/a", now + 900).writer);
  Lookup again = ask(cache, "/a", now + 1100);
  ASSERT_TRUE(again.writer);
  Response busy({}, 503);
  again.writer->head(busy.head, now + 1100, now + 1100);
  again.writer.reset();
  Lookup paused = ask(cache, "/a", now + 1200);
  EXPECT_EQ(paused.outcome, Outcome::hit);
  EXPECT_FALSE(paused.writer);
}

TEST(Stale, WhoMayNotFetchIsServedAndBeginsNothing) {
  Cache cache(config(), 1);
  store(cache, "/a", {{"Cache-Control", "max-age=10, stale-while-revalidate=30"}, {"ETag", "\"1\""}}, "old");
  int64_t now = start_ms + 15 * second;
  EXPECT_FALSE(ask(cache, "/a", now, {}, "HEAD").writer);
  EXPECT_FALSE(ask(cache, "/a", now, {{"Cache-Control", "no-store"}}).writer);
  EXPECT_FALSE(ask(cache, "/a", now, {{"Cache-Control", "only-if-cached"}}).writer);
  EXPECT_TRUE(ask(cache, "/a", now).writer);
}

TEST(Stale, PurgedAmidItsValidationItIsNotStored) {
  Cache cache(config(), 1);
  store(cache, "/a", {{"Cache-Control", "max-age=10, stale-while-revalidate=30"}, {"ETag", "\"1\""}}, "old");
  int64_t now = start_ms + 15 * second;
  Lookup l = ask(cache, "/a", now);
  ASSERT_TRUE(l.writer);
  EXPECT_EQ(cache.purge("http://example.com/a"), 1u);
  Response fresh(Pairs{{"Cache-Control", "max-age=10"}});
  EXPECT_EQ(l.writer->head(fresh.head, now, now), Writer::Verdict::uncacheable);
  l.writer.reset();
  EXPECT_EQ(ask(cache, "/a", now).outcome, Outcome::miss);
}

struct WindowRow {
  const char* cache_control;
  int64_t stale_s;
  bool safe_error, safe_unreachable, safe_validation;
  bool rfc_error, rfc_unreachable, rfc_validation;
};

TEST(Stale, WhatWasPurgedAmidItsFetchStandsInForNothing) {
  for (int status : {0, 503}) {
    for (bool purged : {false, true}) {
      Cache cache(config(), 1);
      store(cache, "/a", {{"Cache-Control", "max-age=10, stale-if-error=60"}, {"ETag", "\"1\""}}, "old");
      int64_t now = start_ms + 15 * second;
      Lookup l = ask(cache, "/a", now);
      ASSERT_EQ(l.outcome, Outcome::stale);
      if (purged) cache.purge("http://example.com/a");
      if (status != 0) {
        Response error({}, status);
        EXPECT_EQ(l.writer->head(error.head, now, now) == Writer::Verdict::stale_on_error, !purged);
      } else {
        l.writer->abort(now, 502);
        EXPECT_EQ(l.reader->state() == Reader::State::failed, purged);
      }
    }
  }
}

// What is validated before every use is of no use to those whom the error is kept from.
TEST(Stale, AnErrorMayTakeThePlaceOfNoCacheButNotOfWhatIsFresh) {
  for (bool no_cache : {false, true}) {
    Cache cache(config(), 1);
    store(cache, "/a", {{"Cache-Control", no_cache ? "max-age=60, no-cache" : "max-age=60"}, {"ETag", "\"1\""}}, "old");
    Lookup l = ask(cache, "/a", start_ms, {{"Cache-Control", "no-cache"}});
    ASSERT_EQ(l.outcome, Outcome::stale);
    Response error({{"Cache-Control", "max-age=5"}}, 505);
    EXPECT_EQ(fill(l, error, "no"), no_cache ? Writer::Verdict::stored : Writer::Verdict::uncacheable);
    Lookup after = ask(cache, "/a", start_ms);
    ASSERT_EQ(after.outcome, Outcome::hit);
    EXPECT_EQ(body_of(after.object), no_cache ? "no" : "old");
  }
}

TEST(Stale, WindowsFollowTheTable) {
  const WindowRow rows[] = {
      {"max-age=10", 20, false, true, false, false, true, false},
      {"max-age=10", 31, false, false, false, false, false, false},
      {"max-age=10, stale-if-error=20", 19, true, true, false, true, true, false},
      {"max-age=10, stale-if-error=20", 21, false, false, false, false, false, false},
      {"max-age=10, stale-if-error=0", 1, false, false, false, false, false, false},
      {"max-age=10, stale-while-revalidate=20", 19, false, true, true, false, true, true},
      {"max-age=10, stale-while-revalidate=20", 21, false, true, false, false, true, false},
      {"max-age=10, stale-while-revalidate=20, stale-if-error=20, must-revalidate", 5, false, false, false, false,
       false, false},
      {"max-age=10, stale-while-revalidate=20, stale-if-error=20, proxy-revalidate", 5, false, false, false, false,
       false, false},
      {"max-age=10, stale-while-revalidate=20, stale-if-error=20, no-cache", 5, false, false, false, false, false,
       false},
      {"s-maxage=10", 5, false, false, false, false, false, false},
      {"s-maxage=10, stale-while-revalidate=20, stale-if-error=20", 5, true, true, true, false, false, false},
  };
  for (const WindowRow& row : rows) {
    for (bool safe : {true, false}) {
      CacheConfig c = config();
      c.profile = safe ? "cdn-safe" : "rfc";
      c.stale_if_unreachable_ms = 30 * second;
      Response response(Pairs{{"Cache-Control", row.cache_control}, {"ETag", "\"a\""}});
      Cache cache(c, 1);
      Lookup l = ask(cache, "/", start_ms);
      fill(l, response, "x");
      int64_t now = start_ms + 10 * second + row.stale_s * second;
      ObjectRef object = ask(cache, "/", now).object;
      ASSERT_TRUE(object) << row.cache_control;
      auto may = [&](Object::StandIn what) { return object->may_stand_in(what, now); };
      EXPECT_EQ(may(Object::StandIn::error), safe ? row.safe_error : row.rfc_error) << row.cache_control << safe;
      EXPECT_EQ(may(Object::StandIn::unreachable), safe ? row.safe_unreachable : row.rfc_unreachable)
          << row.cache_control << safe;
      EXPECT_EQ(may(Object::StandIn::validation), safe ? row.safe_validation : row.rfc_validation)
          << row.cache_control << safe;
    }
  }
}

TEST(Stale, ErrorsDontStandInUnasked) {
  Cache cache(config(), 1);
  Lookup l = ask(cache, "/gone", start_ms);
  fill(l, Response(Pairs{{"Cache-Control", "max-age=10"}, {"ETag", "\"a\""}}, 404), "gone");
  ObjectRef object = ask(cache, "/gone", start_ms + 11 * second).object;
  ASSERT_TRUE(object);
  EXPECT_FALSE(object->may_stand_in(Object::StandIn::unreachable, start_ms + 11 * second));
}

TEST(Stale, StandsInForWhoPassesByUnlessPurgedMeanwhile) {
  Cache cache(config(), 1);
  store(cache, "/a", {{"Cache-Control", "max-age=10, stale-if-error=600"}}, "old");
  const int64_t now = start_ms + 15'000;
  Request head("/a", {}, "HEAD"), no_store("/a", {{"Cache-Control", "no-store"}}), cookie("/a", {{"Cookie", "id=1"}});
  auto stand_in = [&](const Request& r, int64_t at) { return cache.stand_in(r.at(at), Object::StandIn::error); };
  Lookup lookup = cache.find(head.at(now));
  EXPECT_EQ(lookup.outcome, Outcome::bypass);
  EXPECT_TRUE(lookup.eligible);
  EXPECT_TRUE(stand_in(head, now));
  EXPECT_TRUE(stand_in(no_store, now));
  EXPECT_FALSE(stand_in(cookie, now));
  EXPECT_FALSE(stand_in(Request("/b"), now));
  EXPECT_FALSE(stand_in(head, start_ms + 700'000));
  ASSERT_TRUE(cache.purge(Purge{PurgeKind::url, "http://example.com/a", true}, now));
  EXPECT_TRUE(stand_in(head, now));
  ASSERT_TRUE(cache.purge(Purge{PurgeKind::url, "http://example.com/a", false}, now));
  EXPECT_FALSE(stand_in(head, now));
}

TEST(Stale, ImmutableNeedsNoReload) {
  Cache cache(config(), 1);
  store(cache, "/a", {{"Cache-Control", "max-age=10, immutable"}}, "body");
  EXPECT_EQ(ask(cache, "/a", start_ms + second, {{"Cache-Control", "max-age=0"}}).outcome, Outcome::hit);
  EXPECT_EQ(ask(cache, "/a", start_ms + second, {{"Cache-Control", "no-cache"}}).outcome, Outcome::stale);
  EXPECT_EQ(ask(cache, "/a", start_ms + 11 * second, {{"Cache-Control", "max-age=0"}}).outcome, Outcome::stale);
}

// ── groups ──

void post(Cache& cache, const std::string& path, const Pairs& fields) {
  Request request(path, {}, "POST");
  Response response(fields);
  cache.invalidate(request.at(start_ms), response.head);
}

TEST(Groups, GoTogether) {
  Cache cache(config(), 1);
  auto holds = [&](const std::string& path) { return ask(cache, path, start_ms).outcome == Outcome::hit; };
  store(cache, "/a", {{"Cache-Control", "max-age=60"}, {"Cache-Groups", "\"x\""}}, "a");
  store(cache, "/b", {{"Cache-Control", "max-age=60"}, {"Cache-Groups", "\"y\", \"x\";p"}}, "b");
  store(cache, "/c", {{"Cache-Control", "max-age=60"}, {"Cache-Groups", "\"y\""}}, "c");
  post(cache, "/other", {{"Cache-Group-Invalidation", "\"X\""}});
  EXPECT_TRUE(holds("/a"));
  post(cache, "/other", {{"Cache-Group-Invalidation", "\"x\""}});
  EXPECT_FALSE(holds("/a"));
  EXPECT_FALSE(holds("/b"));
  EXPECT_TRUE(holds("/c"));
  store(cache, "/a", {{"Cache-Control", "max-age=60"}, {"Cache-Groups", "\"x\""}}, "a");
  EXPECT_TRUE(holds("/a"));
}

TEST(Groups, WhatIsInvalidatedTakesItsGroupsAlongAndNoFurther) {
  Cache cache(config(), 1);
  auto holds = [&](const std::string& path) { return ask(cache, path, start_ms).outcome == Outcome::hit; };
  store(cache, "/a", {{"Cache-Control", "max-age=60"}, {"Cache-Groups", "\"x\""}}, "a");
  store(cache, "/b", {{"Cache-Control", "max-age=60"}, {"Cache-Groups", "\"x\", \"y\""}}, "b");
  store(cache, "/c", {{"Cache-Control", "max-age=60"}, {"Cache-Groups", "\"y\""}}, "c");
  post(cache, "/a", {});
  EXPECT_FALSE(holds("/a"));
  EXPECT_FALSE(holds("/b"));
  EXPECT_TRUE(holds("/c"));
}

TEST(Groups, BelongToTheirOrigin) {
  uint64_t one = origin_hash("https", "a.example"), other = origin_hash("http", "a.example");
  http::Fields fields;
  fields.add(cache_groups, "\"x\"");
  EXPECT_NE(group_hashes(fields, cache_groups, one), group_hashes(fields, cache_groups, other));
  EXPECT_NE(origin_hash("https", "b.example"), one);
}

TEST(Groups, AFetchThatBeganBeforeIsOfNoUse) {
  Cache cache(config(), 1);
  Lookup l = ask(cache, "/a", start_ms);
  post(cache, "/other", {{"Cache-Group-Invalidation", "\"x\""}});
  fill(l, Response(Pairs{{"Cache-Control", "max-age=60"}, {"Cache-Groups", "\"x\""}}), "old");
  EXPECT_EQ(ask(cache, "/a", start_ms).outcome, Outcome::miss);
}

TEST(Groups, InAnyNumberOnlySoFar) {
  std::string groups = "\"0\"";
  for (int i = 1; i < 128; ++i) groups += ", \"" + std::to_string(i) + "\"";
  Cache cache(config(), 1);
  store(cache, "/a", {{"Cache-Control", "max-age=60"}, {"Cache-Groups", groups}}, "a");
  post(cache, "/other", {{"Cache-Group-Invalidation", "\"127\""}});
  Lookup l = ask(cache, "/a", start_ms);
  EXPECT_EQ(l.outcome, Outcome::miss);
  EXPECT_EQ(fill(l, Response(Pairs{{"Cache-Control", "max-age=60"}, {"Cache-Groups", groups + ", \"128\""}}), "a"),
            Writer::Verdict::uncacheable);
}

}  // namespace
}  // namespace portolan::edge::test
