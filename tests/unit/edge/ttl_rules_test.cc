// [cache.NAME].ttl: which rule fits, and what it changes.
#include "edge/ttl_rules.hh"

#include "edge/content.hh"
#include "edge/rules.hh"
#include "tests/unit/edge/support.hh"

namespace portolan::edge::test {
namespace {

constexpr int64_t year_s = 365 * 86'400;

TtlRule rule(std::optional<int64_t> ttl_s) {
  TtlRule r;
  r.ttl_s = ttl_s;
  return r;
}

TtlRule overriding(int64_t ttl_s) {
  TtlRule r = rule(ttl_s);
  r.overrides = true;
  return r;
}

TtlRule versioned() {  // as the row makes it
  TtlRule r = overriding(year_s);
  r.immutable = true;
  r.cache_control = "public, max-age=31536000, immutable";
  return r;
}

CacheConfig with(std::vector<TtlRule> rules) {
  CacheConfig c = config();
  c.ttl = std::move(rules);
  return c;
}

TEST(TtlRules, TheFirstThatFitsCounts) {
  TtlRule a = rule(1), b = rule(2), c = rule(3), d = rule(4), e = rule(5);
  a.paths = {"/assets/", "/img"};
  a.types = {"image/*"};
  b.path_regex = "\\.[0-9a-f]{8}\\.js$";
  c.statuses = {404, 410};
  d.types = {"text/html"};
  const std::vector<TtlRule> all{a, b, c, d, e};
  TtlRules rules(all);
  auto fits = [&](const char* path, int status, const char* type) -> int64_t {
    Response response(Pairs{{"Content-Type", type}}, status);
    const TtlRule* found = rules.match(path, response.head);
    return found ? *found->ttl_s : 0;
  };
  EXPECT_EQ(fits("/assets/a.png", 200, "image/png"), 1);
  EXPECT_EQ(fits("/assets", 200, "IMAGE/PNG"), 1);
  EXPECT_EQ(fits("/img/x", 200, "image/svg+xml; charset=utf-8"), 1);
  EXPECT_EQ(fits("/images/x", 200, "image/png"), 5) << "by whole segments";
  EXPECT_EQ(fits("/assets/a.png", 200, "imagepng"), 5);
  EXPECT_EQ(fits("/x/app.0123abcd.js", 200, "text/javascript"), 2);
  EXPECT_EQ(fits("/x/app.0123abcd.js", 404, "text/html"), 3);
  EXPECT_EQ(fits("/", 200, "text/html ; charset=utf-8"), 4);
  EXPECT_EQ(fits("/", 200, "text/htmlx"), 5);
  EXPECT_EQ(fits("/", 301, ""), 5);
  EXPECT_EQ(fits("/", 500, "text/html"), 0) << "errors are named or have no rule";
  EXPECT_EQ(fits("/", 410, ""), 3);
}

TEST(TtlRules, AnImmutableOneIsAbout200Alone) {
  const std::vector<TtlRule> all{versioned()};
  TtlRules rules(all);
  EXPECT_TRUE(rules.match("/a", Response({}, 200).head));
  EXPECT_FALSE(rules.match("/a", Response({}, 404).head));
  EXPECT_FALSE(rules.match("/a", Response({}, 302).head));
}

// What comes of an answer: whether it is stored, its seconds of freshness left and what clients read.
struct Fate {
  bool stored = false;
  int64_t ttl_s = 0;
  int64_t age_s = 0;
  std::string cache_control, set_cookie, expires;
};
Fate outcome(const TtlRule& r, const Pairs& answer, int status = 200, const Pairs& asked = {}) {
  Cache cache(with({r}), 1);
  Request request("/a", asked);
  Lookup lookup = cache.find(request.at(start_ms));
  Response response(answer, status);
  Fate o;
  if (!lookup.writer || fill(lookup, response, "body") != Writer::Verdict::stored) return o;
  const Object& object = *lookup.reader->object();
  o.stored = true;
  o.ttl_s = object.ttl_s(start_ms);
  o.age_s = object.age_s(start_ms);
  o.cache_control = object.fields().find("Cache-Control").value_or("");
  o.set_cookie = object.fields().find("Set-Cookie").value_or("");
  o.expires = object.fields().find("Expires").value_or("");
  return o;
}

TEST(TtlRules, ADefaultCountsWhereTheServerSaysNothing) {
  EXPECT_EQ(outcome(rule(600), {}).ttl_s, 600);
  EXPECT_EQ(outcome(rule(600), {{"Cache-Control", "public"}}).ttl_s, 600);
  EXPECT_EQ(outcome(rule(600), {{"Cache-Control", "max-age=5"}}).ttl_s, 5);
  EXPECT_EQ(outcome(rule(600), {{"Cache-Control", "s-maxage=5"}}).ttl_s, 5);
  EXPECT_EQ(outcome(rule(600), {{"Expires", date(start_ms + 7000)}, {"Date", date(start_ms)}}).ttl_s, 7);
  EXPECT_FALSE(outcome(rule(600), {{"Expires", "0"}}).stored) << "it says it is stale";
  // Not the tenth of its age that RFC 9111 §4.2.2 would guess.
  EXPECT_EQ(outcome(rule(600), {{"Last-Modified", date(start_ms - 1'000'000'000)}}).ttl_s, 600);
  EXPECT_EQ(outcome(rule(600), {}).cache_control, "") << "clients read what the server said";
}

TEST(TtlRules, StatusesThatAreNotCacheableBecomeSoWhenNamed) {
  TtlRule named = rule(10);
  named.statuses = {302, 404, 503};
  for (int status : named.statuses) EXPECT_EQ(outcome(named, {}, status).ttl_s, 10) << status;
  EXPECT_FALSE(outcome(rule(10), {}, 503).stored);
  EXPECT_TRUE(outcome(rule(10), {}, 302).stored);
  // What one client's request may bring about for all: only where a rule names it.
  TtlRule bad = rule(10);
  bad.statuses = {400, 431};
  EXPECT_TRUE(outcome(bad, {}, 400).stored);
  EXPECT_TRUE(outcome(bad, {}, 431).stored);
  for (int status : {428, 429, 511}) {  // RFC 6585
    bad.statuses = {status};
    EXPECT_FALSE(outcome(bad, {{"Cache-Control", "max-age=60"}}, status).stored) << status;
  }
  EXPECT_FALSE(outcome(named, {{"Cache-Control", "max-age=60"}}, 400).stored);
  // Naming it is enough for what the server says of its freshness to count; a ttl of 0 adds none.
  TtlRule explicit_only = rule(0);
  explicit_only.statuses = {400};
  EXPECT_EQ(outcome(explicit_only, {{"Cache-Control", "max-age=60"}}, 400).ttl_s, 60);
  EXPECT_FALSE(outcome(explicit_only, {}, 400).stored);
  EXPECT_FALSE(outcome(explicit_only, {{"Cache-Control", "max-age=60"}}, 414).stored);
}

TEST(TtlRules, AnOverrideCountsWhateverTheServerSaysOfTime) {
  EXPECT_EQ(outcome(overriding(600), {{"Cache-Control", "max-age=0"}}).ttl_s, 600);
  EXPECT_EQ(outcome(overriding(600), {{"Cache-Control", "max-age=5, s-maxage=9"}, {"Expires", "0"}}).ttl_s, 600);
  EXPECT_EQ(outcome(overriding(1), {{"Cache-Control", "max-age=99999"}}).ttl_s, 1);
  EXPECT_EQ(outcome(overriding(600), {{"CDN-Cache-Control", "max-age=5"}}).ttl_s, 600);
  EXPECT_EQ(outcome(overriding(600), {{"Cache-Control", "max-age=5"}}).cache_control, "max-age=5");
}

TEST(TtlRules, TimeRunsFromTheReceiptAndAgeStaysTrue) {
  Fate o = outcome(overriding(600), {{"Age", "1000"}});
  EXPECT_EQ(o.ttl_s, 600);
  EXPECT_EQ(o.age_s, 1000);
}

TEST(TtlRules, WhatForbidsHoldsUnlessItIsIgnored) {
  const struct {
    const char* ignored;
    Pairs answer;
  } rows[] = {
      {"no-store", {{"Cache-Control", "no-store"}}},
      {"private", {{"Cache-Control", "private, max-age=9"}}},
      {"private", {{"Cache-Control", "private=\"x, y\""}}},
      {"no-cache", {{"Cache-Control", "no-cache"}}},
      {"set-cookie", {{"Set-Cookie", "id=1"}}},
  };
  for (const auto& row : rows) {
    EXPECT_FALSE(outcome(overriding(600), row.answer).stored) << row.ignored;
    TtlRule r = overriding(600);
    r.ignore = {row.ignored};
    EXPECT_EQ(outcome(r, row.answer).ttl_s, 600) << row.ignored;
  }
  TtlRule all = overriding(600);
  all.ignore = {"no-store", "private", "no-cache", "set-cookie"};
  EXPECT_FALSE(outcome(all, {{"Vary", "*"}}).stored);
  EXPECT_FALSE(outcome(all, {}, 200, {{"Authorization", "x"}}).stored) << "RFC 9111 §3.5 is not a rule's";
  EXPECT_FALSE(outcome(all, {{"Content-Range", "bytes 0-3/9"}}).stored);
  Fate o = outcome(all, {{"Cache-Control", "private"}, {"Set-Cookie", "id=1"}, {"Set-Cookie", "b=2"}});
  EXPECT_EQ(o.set_cookie, "") << "nobody gets another's cookie";
  EXPECT_EQ(o.cache_control, "private") << "clients read what the server said";
}

TEST(TtlRules, ClientsMayBeToldAnother) {
  TtlRule r = rule(std::nullopt);
  r.cache_control = "public, max-age=10";
  Fate o = outcome(r, {{"Cache-Control", "s-maxage=600"}, {"Expires", date(start_ms)}});
  EXPECT_EQ(o.ttl_s, 600);
  EXPECT_EQ(o.cache_control, "public, max-age=10");
  EXPECT_EQ(o.expires, "");
}

struct Validated {
  Cache cache;
  explicit Validated(TtlRule r) : cache(with({std::move(r)}), 1) {}
  Lookup find(int64_t now_ms, const Pairs& asked = {}) {
    Request request("/a", asked);
    return cache.find(request.at(now_ms));
  }
  Object const& validate(int64_t now_ms, const Pairs& answer) {
    Lookup l = find(now_ms);
    EXPECT_EQ(l.outcome, Outcome::stale);
    EXPECT_EQ(l.writer->head(Response(answer, 304).head, now_ms, now_ms), Writer::Verdict::not_modified);
    kept = l.reader->object();
    return *kept;
  }
  ObjectRef kept;
};

TEST(TtlRules, ADressedAnswerIsValidatedByWhatTheServerSaid) {
  TtlRule r = rule(std::nullopt);
  r.cache_control = "no-cache";  // to clients
  Validated v(r);
  store(v.cache, "/a", {{"Cache-Control", "max-age=60"}, {"ETag", "\"1\""}}, "body");
  EXPECT_EQ(v.find(start_ms + 59'000).outcome, Outcome::hit);
  const Object& again = v.validate(start_ms + 61'000, {{"ETag", "\"1\""}});
  EXPECT_EQ(again.ttl_s(start_ms + 61'000), 60) << "the 304 says nothing new";
  EXPECT_EQ(*again.fields().find("Cache-Control"), "no-cache");
  EXPECT_EQ(v.find(start_ms + 120'000).outcome, Outcome::hit);
  const Object& other = v.validate(start_ms + 122'000, {{"ETag", "\"1\""}, {"Cache-Control", "max-age=5"}});
  EXPECT_EQ(other.ttl_s(start_ms + 122'000), 5);
  EXPECT_EQ(*other.fields().find("Cache-Control"), "no-cache");
  v.validate(start_ms + 130'000, {{"ETag", "\"1\""}, {"Cache-Control", "no-store"}});
  EXPECT_EQ(v.find(start_ms + 130'000).outcome, Outcome::miss) << "what is sent hides nothing from the cache";
}

TEST(TtlRules, WhatClientsAreToldForbidsNothingHere) {
  TtlRule r = rule(std::nullopt);
  r.cache_control = "private, no-store";
  Validated v(r);
  store(v.cache, "/a", {{"Cache-Control", "max-age=60"}, {"ETag", "\"1\""}}, "body");
  EXPECT_EQ(v.validate(start_ms + 61'000, {{"ETag", "\"1\""}}).ttl_s(start_ms + 61'000), 60);
  EXPECT_EQ(v.find(start_ms + 61'000).outcome, Outcome::hit);
  v.validate(start_ms + 122'000, {{"ETag", "\"1\""}, {"Cache-Control", "private"}});
  EXPECT_EQ(v.find(start_ms + 122'000).outcome, Outcome::miss) << "what the server says does";
}

TEST(TtlRules, RulesHoldForWhatIsValidated) {
  TtlRule r = overriding(30);
  r.ignore = {"private", "set-cookie"};
  Validated v(r);
  store(v.cache, "/a", {{"Cache-Control", "private"}, {"ETag", "\"1\""}}, "body");
  const Object& again =
      v.validate(start_ms + 31'000, {{"ETag", "\"1\""}, {"Cache-Control", "private"}, {"Set-Cookie", "id=1"}});
  EXPECT_EQ(again.ttl_s(start_ms + 31'000), 30);
  EXPECT_FALSE(again.fields().has(http::FieldId::set_cookie));
  EXPECT_EQ(v.find(start_ms + 60'000).outcome, Outcome::hit);
}

TEST(TtlRules, ReloadsOfImmutableOnesAreAnsweredFromTheCache) {
  Validated v(versioned());
  store(v.cache, "/a", {{"Cache-Control", "max-age=0"}, {"ETag", "\"1\""}}, "body");
  Lookup reload = v.find(start_ms + 1'000'000, {{"Cache-Control", "max-age=0"}});
  ASSERT_EQ(reload.outcome, Outcome::hit);
  EXPECT_EQ(*reload.object->fields().find("Cache-Control"), "public, max-age=31536000, immutable");
  EXPECT_EQ(reload.object->ttl_s(start_ms), year_s);
  // RFC 8246 §2: a user who insists is heard.
  EXPECT_EQ(v.find(start_ms + 1'000'000, {{"Cache-Control", "no-cache"}}).outcome, Outcome::stale);
}

TEST(TtlRules, StandInWhileTheServerFails) {
  const struct {
    const char* control;
    const char* profile;
    int64_t error_s, unreachable_s;  // how long; the rule says an hour, the configuration a minute
  } rows[] = {
      {"max-age=10", "cdn-safe", 3600, 3600},
      {"s-maxage=10", "cdn-safe", 3600, 3600},
      {"s-maxage=10", "rfc", 0, 0},  // RFC 9111 §5.2.2.10
      {"max-age=10", "rfc", 3600, 3600},
      {"max-age=10, must-revalidate", "cdn-safe", 0, 0},  // §5.2.2.2
      {"max-age=10, proxy-revalidate", "cdn-safe", 0, 0},
      {"max-age=10, no-cache", "cdn-safe", 0, 0},
      {"max-age=10, stale-if-error=5", "cdn-safe", 5, 5},  // the server's own counts
      {"max-age=10, stale-if-error=0", "cdn-safe", 0, 0},
  };
  for (const auto& row : rows) {
    TtlRule r = rule(10);
    r.stale_if_error_s = 3600;
    CacheConfig c = with({r});
    c.profile = row.profile;
    c.stale_if_unreachable_ms = 60'000;
    for (int64_t after_s : {1, 4, 6, 59, 61, 3599, 3601}) {
      for (bool answers : {false, true}) {
        Cache cache(c, 1);
        store(cache, "/a", {{"Cache-Control", row.control}, {"ETag", "\"1\""}}, "old");
        int64_t now = start_ms + (10 + after_s) * 1000;
        Request request("/a");
        Lookup l = cache.find(request.at(now));
        ASSERT_EQ(l.outcome, Outcome::stale);
        if (answers) {
          l.writer->head(Response({}, 503).head, now, now);
        } else {
          l.writer->abort(now, 502);
        }
        EXPECT_EQ(l.reader->stale_on_error(), after_s < (answers ? row.error_s : row.unreachable_s))
            << row.control << " " << row.profile << " " << after_s << " s, " << answers;
      }
    }
  }
}

TEST(TtlRules, AConfigurationThatSaysLongerCountsWhereNobodyAnswers) {
  TtlRule r = rule(10);
  r.stale_if_error_s = 5;
  Validated v(r);
  store(v.cache, "/a", {}, "old");
  Lookup l = v.find(start_ms + 60'000);
  l.writer->abort(start_ms + 60'000, 502);
  EXPECT_TRUE(l.reader->stale_on_error());
}

// What is kept of a dressed answer says nothing of the server's must-revalidate any more.
TEST(TtlRules, ASilent304LeavesWhatTheServerForbade) {
  TtlRule r = rule(std::nullopt);
  r.cache_control = "max-age=10";
  r.stale_if_error_s = 3600;
  Validated v(r);
  store(v.cache, "/a", {{"Cache-Control", "max-age=10, must-revalidate"}, {"ETag", "\"1\""}}, "old");
  int64_t now = start_ms + 15'000;
  v.validate(now, {{"ETag", "\"1\""}});
  now += 15'000;
  for (auto how : {Object::StandIn::error, Object::StandIn::unreachable, Object::StandIn::validation})
    EXPECT_FALSE(v.kept->may_stand_in(how, now)) << static_cast<int>(how);
}

}  // namespace
}  // namespace portolan::edge::test
