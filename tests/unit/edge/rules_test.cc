#include "edge/rules.hh"

#include "edge/content.hh"
#include "tests/unit/edge/support.hh"

namespace portolan::edge::test {
namespace {

// ── storability and freshness: one row a rule ──

struct StoreRow {
  const char* rule;
  Pairs request;
  int status;
  Pairs response;
  bool cdn_safe;  // stored under the default profile
  bool rfc;       // stored under "rfc"
};

const StoreRow store_rows[] = {
    {"9111 §3: explicit freshness", {}, 200, {{"Cache-Control", "max-age=60"}}, true, true},
    {"9111 §3: nothing to go by", {}, 200, {}, false, false},
    {"9111 §4.2.2: a validator alone", {}, 200, {{"ETag", "\"a\""}}, true, true},
    {"9111 §5.2.2.5 no-store", {}, 200, {{"Cache-Control", "max-age=60, no-store"}}, false, false},
    {"9111 §5.2.2.7 private", {}, 200, {{"Cache-Control", "private, max-age=60"}}, false, false},
    {"case means nothing", {}, 200, {{"Cache-Control", "MAX-AGE=60, No-Store"}}, false, false},
    {"two lines are one list", {}, 200, {{"Cache-Control", "max-age=60"}, {"Cache-Control", "private"}}, false, false},
    {"9111 §3.5 Authorization", {{"Authorization", "x"}}, 200, {{"Cache-Control", "max-age=60"}}, false, false},
    {"9111 §3.5 public", {{"Authorization", "x"}}, 200, {{"Cache-Control", "public, max-age=60"}}, true, true},
    {"9111 §3.5 s-maxage", {{"Authorization", "x"}}, 200, {{"Cache-Control", "s-maxage=60"}}, true, true},
    {"9111 §3.5 must-revalidate",
     {{"Authorization", "x"}},
     200,
     {{"Cache-Control", "max-age=60, must-revalidate"}},
     true,
     true},
    {"9111 §4.1 Vary *", {}, 200, {{"Cache-Control", "max-age=60"}, {"Vary", "a, *"}}, false, false},
    {"Set-Cookie", {}, 200, {{"Cache-Control", "max-age=60"}, {"Set-Cookie", "a=b"}}, false, true},
    {"9111 §3.3 206", {}, 206, {{"Cache-Control", "max-age=60"}}, false, false},
    {"9110 §14.4: Content-Range means nothing on a 200",
     {},
     200,
     {{"Cache-Control", "max-age=60"}, {"Content-Range", "x"}},
     true,
     true},
    {"but a sound one may be a mislabelled part",
     {},
     200,
     {{"Cache-Control", "max-age=60"}, {"Content-Range", "bytes 0-1/2"}},
     false,
     false},
    {"in whatever case (9110 §14.1)",
     {},
     200,
     {{"Cache-Control", "max-age=60"}, {"Content-Range", "Bytes 0-1/2"}},
     false,
     false},
    {"explicit 404", {}, 404, {{"Cache-Control", "max-age=60"}}, true, true},
    {"explicit unknown status", {}, 299, {{"Cache-Control", "max-age=60"}}, true, true},
    {"9111 §5.2.2.3 must-understand", {}, 299, {{"Cache-Control", "max-age=60, must-understand"}}, false, false},
    {"must-understand overrules no-store",
     {},
     200,
     {{"Cache-Control", "max-age=60, must-understand, no-store"}},
     true,
     true},
    {"400 feeds denial of service", {}, 400, {{"Cache-Control", "max-age=60"}}, false, true},
    {"406 is of one client's Accept", {}, 406, {{"Cache-Control", "max-age=60"}}, false, true},
    {"412 is of one client's If-Match", {}, 412, {{"Cache-Control", "max-age=60"}}, false, true},
    {"417 is of one client's Expect", {}, 417, {{"Cache-Control", "max-age=60"}}, false, true},
    {"6585 §3 428", {}, 428, {{"Cache-Control", "public, max-age=60"}}, false, false},
    {"6585 §4 429", {}, 429, {{"Cache-Control", "public, max-age=60"}}, false, false},
    {"6585 §5 431", {}, 431, {{"Cache-Control", "public, max-age=60"}}, false, false},
    {"6585 §6 511", {}, 511, {{"Cache-Control", "public, max-age=60"}}, false, false},
    {"501 by heuristics",
     {},
     501,
     {{"Last-Modified", date(start_ms - 100'000'000)}, {"Date", date(start_ms)}},
     false,
     true},
    {"404 for a moment", {}, 404, {}, true, true},
    {"405 for a moment", {}, 405, {}, false, true},
    {"500 never", {}, 500, {}, false, false},
    {"9213 §2.2", {}, 200, {{"Cache-Control", "no-store"}, {"CDN-Cache-Control", "max-age=60"}}, true, true},
    {"9213 §2.2 private", {}, 200, {{"Cache-Control", "max-age=60"}, {"CDN-Cache-Control", "private"}}, false, false},
    {"9213 §2.1", {}, 200, {{"Cache-Control", "no-store"}, {"CDN-Cache-Control", "max-age=\"60\""}}, false, false},
    {"302 has no heuristic",
     {},
     302,
     {{"Last-Modified", date(start_ms - 100'000'000)}, {"Date", date(start_ms)}},
     false,
     false},
    {"9111 §5.2.1.5 no-store of the request",
     {{"Cache-Control", "no-store"}},
     200,
     {{"Cache-Control", "max-age=60"}},
     false,
     false},
    {"no-cache with a validator", {}, 200, {{"Cache-Control", "no-cache"}, {"ETag", "\"a\""}}, true, true},
    {"no-cache without", {}, 200, {{"Cache-Control", "no-cache"}}, false, false},
};

TEST(Storability, FollowsTheTable) {
  for (const StoreRow& row : store_rows) {
    Request request("/", row.request);
    Response response(row.response, row.status);
    for (bool safe : {true, false}) {
      CacheConfig c = config();
      c.profile = safe ? "cdn-safe" : "rfc";
      Rules rules(c);
      RequestFacts facts = examine(rules, request.at(start_ms));
      Freshness fresh = freshness(rules, response.head, start_ms, start_ms);
      EXPECT_EQ(storable(rules, facts, response.head, fresh).store, safe ? row.cdn_safe : row.rfc)
          << row.rule << (safe ? " cdn-safe" : " rfc");
    }
  }
}

struct FreshRow {
  const char* rule;
  Pairs response;
  int64_t lifetime_s;
  int64_t age_s;
  int status = 200;
};

const FreshRow fresh_rows[] = {
    {"max-age", {{"Cache-Control", "max-age=60"}}, 60, 0},
    {"s-maxage before max-age (§4.2.1)", {{"Cache-Control", "max-age=60, s-maxage=10"}}, 10, 0},
    {"max-age before Expires", {{"Cache-Control", "max-age=60"}, {"Expires", date(start_ms)}}, 60, 0},
    {"Expires minus Date", {{"Date", date(start_ms - 5000)}, {"Expires", date(start_ms + 30'000)}}, 35, 5},
    {"Expires unreadable is past (§5.3)", {{"Expires", "0"}, {"Last-Modified", date(0)}}, 0, 0},
    {"doubled Expires is past", {{"Expires", date(start_ms + 60'000)}, {"Expires", date(start_ms + 70'000)}}, 0, 0},
    {"heuristic tenth (§4.2.2)", {{"Date", date(start_ms)}, {"Last-Modified", date(start_ms - 1'000'000)}}, 100, 0},
    {"heuristic at most a day", {{"Date", date(start_ms)}, {"Last-Modified", date(0)}}, 86400, 0},
    {"9213 before both",
     {{"CDN-Cache-Control", "max-age=5"}, {"Cache-Control", "s-maxage=60"}, {"Expires", date(start_ms)}},
     5,
     0},
    {"9213: Expires counts no more", {{"CDN-Cache-Control", "foo"}, {"Expires", date(start_ms + 60'000)}}, 0, 0},
    {"9213 with a fault", {{"CDN-Cache-Control", "max-age=5,"}, {"Cache-Control", "max-age=60"}}, 60, 0},
    {"a 404 that says nothing", {}, 5, 0, 404},
    {"nor does its Last-Modified count", {{"Last-Modified", date(0)}}, 5, 0, 404},
    {"a 404 that says something", {{"Cache-Control", "max-age=60"}}, 60, 0, 404},
    {"wrong case (§4.2)", {{"Expires", "TUE, 14 nov 2023 22:14:20 gmt"}}, 60, 0},
    {"no heuristic for 500", {{"Last-Modified", date(0)}}, 0, 0, 500},
    {"Age counts (§4.2.3)", {{"Cache-Control", "max-age=60"}, {"Age", "25"}}, 60, 25},
    {"the first Age counts", {{"Cache-Control", "max-age=60"}, {"Age", "25, 50"}}, 60, 25},
    {"Age that is none", {{"Cache-Control", "max-age=60"}, {"Age", "-7"}}, 60, 0},
    {"apparent age", {{"Cache-Control", "max-age=60"}, {"Date", date(start_ms - 40'000)}}, 60, 40},
    {"the greater of both",
     {{"Cache-Control", "max-age=60"}, {"Date", date(start_ms - 40'000)}, {"Age", "50"}},
     60,
     50},
    {"broken max-age is stale (§4.2.1)", {{"Cache-Control", "max-age=x"}}, 0, 0},
    {"the most restrictive of two", {{"Cache-Control", "max-age=60, max-age=5"}}, 5, 0},
};

TEST(Freshness, FollowsTheTable) {
  Rules rules(config());
  for (const FreshRow& row : fresh_rows) {
    Response response(row.response, row.status);
    Freshness f = freshness(rules, response.head, start_ms, start_ms);
    EXPECT_EQ(f.lifetime_ms, row.lifetime_s * 1000) << row.rule;
    EXPECT_EQ(f.initial_age_ms, row.age_s * 1000) << row.rule;
  }
}

TEST(Freshness, TheWayTakesTimeToo) {
  Rules rules(config());
  Response response(Pairs{{"Cache-Control", "max-age=60"}, {"Age", "10"}});
  Freshness f = freshness(rules, response.head, start_ms - 3000, start_ms);
  EXPECT_EQ(f.initial_age_ms, 13'000);
}

// ── requests ──

struct ExamineRow {
  const char* what;
  const char* method;
  Pairs fields;
  bool lookup;
  const char* detail;
};

TEST(Examine, SaysWhatPasses) {
  const ExamineRow rows[] = {
      {"plain", "GET", {}, true, nullptr},
      {"post", "POST", {}, false, nullptr},
      {"ignored cookie", "GET", {{"Cookie", "_ga=1; _ga_X=2"}}, true, nullptr},
      {"keyed cookie", "GET", {{"Cookie", "lang=de; _ga=1"}}, true, nullptr},
      {"other cookie", "GET", {{"Cookie", "_ga=1; sid=3"}}, false, "cookie"},
      {"cookie in a second line", "GET", {{"Cookie", "_ga=1"}, {"Cookie", "sid=3"}}, false, "cookie"},
      {"a name is no prefix", "GET", {{"Cookie", "language=de"}}, false, "cookie"},
      {"what would be a method, but is dropped", "GET", {{"X-HTTP-Method-Override", "DELETE"}}, true, nullptr},
      {"a field taken off on the way", "GET", {{"Connection", "close, X-Lang"}, {"x-lang", "de"}}, false, "connection"},
      {"nothing is taken off", "GET", {{"Connection", "close, X-Lang, Host"}, {"Host", "a"}}, true, nullptr},
      {"upgrade", "GET", {{"Upgrade", "websocket"}}, false, "upgrade"},
      {"if-match", "GET", {{"If-Match", "\"a\""}}, false, "precondition"},
  };
  CacheConfig c = config();
  c.ignore_cookies = {"_ga*"};
  c.key_cookies = {"lang"};
  Rules rules(c);
  for (const ExamineRow& row : rows) {
    Request request("/", row.fields, row.method);
    RequestFacts facts = examine(rules, request.at(start_ms));
    EXPECT_EQ(facts.lookup, row.lookup) << row.what;
    EXPECT_STREQ(facts.detail ? facts.detail : "", row.detail ? row.detail : "") << row.what;
  }
}

TEST(Examine, RfcProfileLooksAwayFromCookies) {
  CacheConfig c = config();
  c.profile = "rfc";
  Request request("/", {{"Cookie", "sid=1"}});
  EXPECT_TRUE(examine(Rules(c), request.at(start_ms)).lookup);
}

TEST(Examine, PragmaCountsOnlyWithoutCacheControl) {
  Rules rules(config());
  Request old("/", {{"Pragma", "no-cache"}});
  EXPECT_TRUE(examine(rules, old.at(start_ms)).no_cache);
  Request both("/", {{"Pragma", "no-cache"}, {"Cache-Control", "max-age=5"}});
  EXPECT_FALSE(examine(rules, both.at(start_ms)).no_cache);
}

TEST(Vary, ValuesAreNormalised) {
  auto names = vary_names(Response(Pairs{{"Vary", "Accept-Encoding, X-T"}, {"Vary", "x-t"}}).head.fields);
  ASSERT_TRUE(names);
  EXPECT_EQ(*names, "accept-encoding\nx-t\n");
  auto values = [&](Pairs pairs) {
    std::string out;
    vary_values(*names, Request("/", std::move(pairs)).head.fields, out);
    return out;
  };
  EXPECT_EQ(values({{"Accept-Encoding", "gzip,br"}}), values({{"accept-encoding", "GZIP , br"}}));
  EXPECT_EQ(values({{"Accept-Encoding", "gzip"}, {"Accept-Encoding", "br"}}),
            values({{"Accept-Encoding", "gzip, br"}}));
  EXPECT_NE(values({{"X-T", "a"}}), values({{"X-T", "A"}}));
  EXPECT_NE(values({{"X-T", ""}}), values({}));
  EXPECT_FALSE(vary_names(Response(Pairs{{"Vary", "a"}, {"Vary", "b,*"}}).head.fields));
}

}  // namespace
}  // namespace portolan::edge::test
