// Answers to POST that a GET would get (RFC 9110 §9.3.3).
#include "tests/unit/edge/support.hh"

namespace portolan::edge::test {
namespace {

const Pairs minute_of_p = {{"Content-Location", "/p"}, {"Cache-Control", "max-age=60"}};

Lookup ask(Cache& cache, const std::string& path, int64_t now_ms) {
  Request request(path);
  return cache.find(request.at(now_ms));
}

TEST(Adopt, TakesWhatAGetWouldGet) {
  struct Row {
    const char* what;
    Pairs request;
    Pairs response;
    int status;
    bool taken;
  };
  const Row rows[] = {
      {"absolute", {}, {{"Content-Location", "http://example.com/p?q"}, {"Cache-Control", "max-age=60"}}, 200, true},
      {"relative", {}, {{"Content-Location", "/p?q"}, {"Expires", date(start_ms + 60'000)}}, 200, true},
      {"another path", {}, {{"Content-Location", "/p"}, {"Cache-Control", "max-age=60"}}, 200, false},
      {"another host", {}, {{"Content-Location", "http://o.example/p?q"}, {"Cache-Control", "max-age=60"}}, 200, false},
      {"none", {}, {{"Cache-Control", "max-age=60"}}, 200, false},
      {"heuristics", {}, {{"Content-Location", "/p?q"}, {"Last-Modified", date(0)}}, 200, false},
      {"no-store", {}, {{"Content-Location", "/p?q"}, {"Cache-Control", "max-age=60, no-store"}}, 200, false},
      {"created", {}, {{"Content-Location", "/p?q"}, {"Cache-Control", "max-age=60"}}, 201, false},
      {"a cookie", {{"Cookie", "a=b"}}, {{"Content-Location", "/p?q"}, {"Cache-Control", "max-age=60"}}, 200, false},
      {"Authorization",
       {{"Authorization", "x"}},
       {{"Content-Location", "/p?q"}, {"Cache-Control", "max-age=60"}},
       200,
       false},
  };
  for (const Row& row : rows) {
    Cache cache(config(), 1);
    Request request("/p?q", row.request, "POST");
    Response response(row.response, row.status);
    auto writer = cache.adopt(request.at(start_ms), response.head, start_ms, start_ms);
    EXPECT_EQ(writer != nullptr, row.taken) << row.what;
    if (!writer) continue;
    writer->append(Slice::copy_of("body"));
    EXPECT_TRUE(writer->finish());
    Lookup l = ask(cache, "/p?q", start_ms);
    ASSERT_EQ(l.outcome, Outcome::hit) << row.what;
    EXPECT_EQ(body_of(l.object), "body");
  }
}

TEST(Adopt, NothingOfWhatBreaks) {
  Cache cache(config(), 1);
  Request request("/p", {}, "POST");
  Response response(Pairs{{"Content-Location", "/p"}, {"Cache-Control", "max-age=60"}});
  response.length(10);
  auto writer = cache.adopt(request.at(start_ms), response.head, start_ms, start_ms);
  ASSERT_TRUE(writer);
  writer->append(Slice::copy_of("body"));
  EXPECT_FALSE(writer->finish());
  writer.reset();
  EXPECT_EQ(ask(cache, "/p", start_ms).outcome, Outcome::miss);
  EXPECT_EQ(cache.stats().filling, 0u);
}

// A POST passes untouched: what a fetch wouldn't have said may be what its answer was made of.
TEST(Adopt, NothingThatWasAskedForInAnotherWayThanByAFetch) {
  struct Row {
    Pairs request;
    bool taken;
    Pairs more = {};
  };
  const Row rows[] = {
      {{{"User-Agent", "x"}, {"Content-Type", "text/plain"}, {"Accept-Language", "de"}}, true},
      {{{"X-Forwarded-Host", "evil"}}, false},
      {{{"X-Original-URL", "/evil"}}, false},
      {{{"X-HTTP-Method-Override", "GET"}}, false},
      {{{"X-Mine", "evil"}}, false},  // of drop_headers
      {{{"X-Lang", "de"}}, true},     // in the key
      {{{"Authorization", "x"}}, false, {{"Cache-Control", "public"}}},
      {{{"If-None-Match", "\"a\""}}, false},
      {{{"Range", "bytes=0-"}}, false},
      {{{"Cookie", "currency=eur"}}, true},  // in the key
      {{{"Cookie", "_ga=evil"}}, false},     // ignored: a fetch doesn't take it along
      {{{"Cookie", "currency=eur; _ga=evil"}}, false},
      {{{"Cookie", "currency=eur"}, {"Cookie", "currency=usd"}}, false},
      {{{"Accept-Encoding", "gzip, deflate, br;q=0.9"}}, true},
      {{{"Accept-Encoding", "gzip, deflate"}}, true, {{"Content-Encoding", "gzip"}}},
      {{{"Accept-Encoding", "gzip, deflate"}}, false, {{"Content-Encoding", "deflate"}}},
      {{{"Accept-Encoding", "gzip"}}, false, {{"Content-Encoding", "br"}}},
      {{{"Accept-Encoding", "gzip, evil"}}, false},
      {{{"Accept-Encoding", "gzip;evil=1"}}, false},
      {{{"Accept-Encoding", "gzip,"}}, false},
      {{{"Accept-Encoding", "gzip"}, {"Accept-Encoding", "br"}}, false},
  };
  CacheConfig c = config();
  c.drop_headers = {"x-mine"};
  c.key_headers = {"x-lang"};
  c.key_cookies = {"currency"};
  c.ignore_cookies = {"_ga"};
  for (const char* profile : {"cdn-safe", "rfc"}) {
    c.profile = profile;
    for (const Row& row : rows) {
      Cache cache(c, 1);
      Request request("/p", row.request, "POST");
      Pairs said = minute_of_p;
      said.insert(said.end(), row.more.begin(), row.more.end());
      bool taken = cache.adopt(request.at(start_ms), Response(said).head, start_ms, start_ms) != nullptr;
      EXPECT_EQ(taken, row.taken) << profile << " " << row.request[0].first << ": " << row.request.back().second;
    }
  }
}

TEST(Adopt, NothingOfAQueryThatIsNotAllInTheKey) {
  auto taken = [](const QueryKey& query, bool sort, const std::string& target) {
    CacheConfig c = config();
    c.query = query;
    c.sort_query = sort;
    Cache cache(c, 1);
    Request request(target, {}, "POST");
    Response response(Pairs{{"Content-Location", target}, {"Cache-Control", "max-age=60"}});
    return cache.adopt(request.at(start_ms), response.head, start_ms, start_ms) != nullptr;
  };
  const QueryKey drop{QueryKey::Mode::drop, {"utm_*"}};
  EXPECT_TRUE(taken(drop, false, "/p?page=1"));
  EXPECT_FALSE(taken(drop, false, "/p?page=1&utm_x=evil"));
  EXPECT_FALSE(taken({QueryKey::Mode::none, {}}, false, "/p?x=evil"));
  EXPECT_TRUE(taken({}, true, "/p?a=1&b=2"));
  EXPECT_FALSE(taken({}, true, "/p?b=2&a=1"));
}

TEST(Adopt, StandsUnderTheKeyOfItsRouteAndPool) {
  CacheConfig c = config();
  c.key_country = true;
  Cache cache(c, 1);
  Request post("/p", {}, "POST"), get("/p");
  auto view_of = [](const Request& request, const char* route, const char* pool, const char* country) {
    RequestView view = request.at(start_ms);
    view.route = route;
    view.pool = pool;
    view.country = country;
    return view;
  };
  auto writer = cache.adopt(view_of(post, "beta", "b", "DE"), Response(minute_of_p).head, start_ms, start_ms);
  ASSERT_TRUE(writer);
  writer->append(Slice::copy_of("beta"));
  ASSERT_TRUE(writer->finish());
  EXPECT_EQ(cache.find(view_of(get, "", "", "DE")).outcome, Outcome::miss);
  EXPECT_EQ(cache.find(view_of(get, "beta", "a", "DE")).outcome, Outcome::miss);
  EXPECT_EQ(cache.find(view_of(get, "beta", "b", "FR")).outcome, Outcome::miss);
  EXPECT_EQ(cache.find(view_of(get, "beta", "b", "DE")).outcome, Outcome::hit);
}

TEST(Adopt, NothingOfWhoTheServerKnows) {
  Cache cache(config(), 1);
  Request post("/p", {}, "POST");
  RequestView view = post.at(start_ms);
  view.identified = true;
  EXPECT_FALSE(cache.adopt(view, Response(minute_of_p).head, start_ms, start_ms));
  view.identified = false;
  view.told = "x-forwarded-for\n";
  Pairs varies = minute_of_p;
  varies.emplace_back("Vary", "X-Forwarded-For");
  EXPECT_FALSE(cache.adopt(view, Response(varies).head, start_ms, start_ms));
  EXPECT_TRUE(cache.adopt(view, Response(minute_of_p).head, start_ms, start_ms));
}

TEST(Adopt, HtmlUnderAnAssetsNameLeavesNoNote) {
  Cache cache(config(), 1);
  Request post("/p.css", {}, "POST");
  Response page(Pairs{{"Content-Location", "/p.css"}, {"Cache-Control", "max-age=60"}, {"Content-Type", "text/html"}});
  EXPECT_FALSE(cache.adopt(post.at(start_ms), page.head, start_ms, start_ms));
  Lookup leads = ask(cache, "/p.css", start_ms);
  EXPECT_EQ(leads.outcome, Outcome::miss);
  EXPECT_EQ(ask(cache, "/p.css", start_ms).outcome, Outcome::follow);
}

}  // namespace
}  // namespace portolan::edge::test
