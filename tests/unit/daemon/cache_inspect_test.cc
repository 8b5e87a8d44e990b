// What `portolan cache inspect` says: the way of a request to its cache, and what is there for it.
#include "daemon/cache_inspect.hh"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "daemon/assembly.hh"
#include "daemon/preparation.hh"
#include "daemon/signed_routes.hh"
#include "proxy/admit/signed_url.hh"
#include "tests/unit/edge/support.hh"

namespace portolan::daemon {
namespace {

using edge::test::Pairs;
using edge::test::start_ms;
using nlohmann::json;

const std::string golden = std::string(PORTOLAN_SOURCE_DIR) + "/tests/golden/cache/";
const std::string secret = "0123456789abcdef0123456789abcdef";

class CacheInspect : public ::testing::Test {
 protected:
  CacheInspect() {
    std::string name = (std::filesystem::temp_directory_path() / "portolan-inspect-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
    std::ofstream(directory_ + "/url-keys") << "k1:" << secret << "\n";
    std::stringstream text;
    text << std::ifstream(golden + "portolan.toml").rdbuf();
    std::string config = text.str();
    const std::string mark = "@keys@";
    for (size_t at; (at = config.find(mark)) != std::string::npos;)
      config.replace(at, mark.size(), directory_ + "/url-keys");
    std::ofstream(directory_ + "/portolan.toml") << config;
    made_ = prepare(load(directory_ + "/portolan.toml"), {}, {}, 1);
    EXPECT_TRUE(made_.errors.empty()) << made_.errors.front();
    caches_ = assemble_caches(made_.config, {});
    assemble_route_caches(*made_.snapshot, caches_);
  }
  ~CacheInspect() override { std::filesystem::remove_all(directory_); }

  ExplainWorld world() const { return {*made_.snapshot, board_, made_.config.caches, 0, nullptr, start_ms + 90'000}; }
  // What a request that takes `route` brought.
  void put(const std::string& cache, const std::string& host, const std::string& path, const std::string& route,
           const std::string& body, const Pairs& fields = {{"Cache-Control", "max-age=3600"}},
           const Pairs& request = {}) {
    edge::test::Request asked(path, request);
    edge::RequestView view = asked.at(start_ms);
    view.authority = host;
    for (const proxy::RouteConfig& r : made_.snapshot->routes)
      if (r.name == route) view.route = r.mark;
    edge::Lookup lookup = caches_[cache]->find(view);
    ASSERT_TRUE(lookup.writer) << path;
    edge::test::fill(lookup, edge::test::Response(fields), body);
  }
  Result<CacheInspections> look_for(const ExplainRequest& request) const {
    auto plan = plan_inspection(request, world());
    if (!plan) return plan.error();
    return look(std::move(*plan), start_ms + 90'000);
  }
  static std::string signed_url(const std::string& path, int64_t expires_s) {
    std::vector<std::string> errors;
    auto keys = proxy::UrlKeys::parse("k1:" + secret, "keys", errors);
    proxy::SignedUrl what;
    what.host = "media.example.com";
    what.path = path;
    what.expires_s = expires_s;
    return "http://media.example.com" + path + "?" + proxy::sign(keys->newest(), what);
  }

  std::string directory_;
  Preparation made_;
  health::Board board_;
  Caches caches_;
};

// PORTOLAN_BLESS=1 writes what is told now; look at the difference before you keep it.
void expect_golden(const std::string& name, const std::string& got) {
  if (std::getenv("PORTOLAN_BLESS")) std::ofstream(golden + name) << got;
  std::stringstream expected;
  expected << std::ifstream(golden + name).rdbuf();
  EXPECT_EQ(got, expected.str());
}

TEST_F(CacheInspect, GoesTheWayOfARequest) {
  put("assets", "www.example.com", "/app.js", "", std::string(3000, 'x'),
      {{"Cache-Control", "max-age=3600"}, {"ETag", "\"7\""}});
  for (const char* coding : {"gzip", "br"})
    put("assets", "www.example.com", "/style.css?v=2", "", std::string(900, 'x'),
        {{"Cache-Control", "max-age=60, must-revalidate"}, {"Vary", "Accept-Encoding"}}, {{"Accept-Encoding", coding}});
  put("assets", "www.example.com", "/app.js", "beta", "beta");
  put("assets", "www.example.com", "/refreshed", "", "old");
  put("pages", "inside.example.com", "/", "inside", "inside");
  put("assets", "media.example.com", "/v/1", "", "video");
  const int64_t now_s = start_ms / 1000 + 90;
  const ExplainRequest requests[] = {
      {"GET", "http://www.example.com/app.js", {}, "192.0.2.7", ""},
      {"GET", "http://WWW.example.com:80/style.css?v=2", {"Accept-Encoding: gzip"}, "192.0.2.7", ""},
      {"GET", "http://www.example.com/style.css?v=2", {"Accept-Encoding: zstd"}, "192.0.2.7", ""},
      {"GET", "http://www.example.com/app.js", {"X-Beta: 1"}, "192.0.2.7", ""},
      {"GET", "http://www.example.com/style.css?v=2", {"X-Beta: 1"}, "192.0.2.7", ""},
      {"GET", "http://www.example.com/app.js", {"X-Preview: 1"}, "192.0.2.7", ""},
      {"GET", "http://www.example.com/app.js", {"Cookie: wp_x=1"}, "192.0.2.7", ""},
      {"GET", "http://www.example.com/app.js", {"Cookie: other=1"}, "192.0.2.7", ""},
      {"GET", "http://www.example.com/refreshed", {"X-Preview: 1"}, "192.0.2.7", ""},
      {"HEAD", "http://www.example.com/nothing", {}, "192.0.2.7", ""},
      {"POST", "http://www.example.com/app.js", {}, "192.0.2.7", ""},
      {"GET", "http://inside.example.com/", {}, "192.0.2.7", "inside"},
      {"GET", "http://inside.example.com/", {}, "192.0.2.7", ""},
      {"GET", "http://media.example.com/v/1", {}, "192.0.2.7", ""},
      {"GET", "http://plain.example.com/", {}, "192.0.2.7", ""},
      {"GET", "http://made.example.com/", {}, "192.0.2.7", ""},
      {"GET", "http://staff.example.com/", {}, "192.0.2.7", ""},
      {"GET", "http://nobody.example.org/", {}, "192.0.2.7", ""},
      {"GET", "http://www.example.com/a/../b", {}, "192.0.2.7", ""},
      {"GET", "https://www.example.com/app.js", {}, "192.0.2.7", ""},
      {"GET", "http://www.example.com/", {}, "192.0.2.7", "outside"},
      {"GET", "/app.js", {}, "192.0.2.7", ""},
      {"G T", "http://www.example.com/app.js", {}, "192.0.2.7", ""},
  };
  std::string got;
  for (const ExplainRequest& r : requests) {
    got += "$ portolan cache inspect " + r.url + " --method '" + r.method + "'";
    for (const std::string& header : r.headers) got += " --header '" + header + "'";
    if (!r.listener.empty()) got += " --listener " + r.listener;
    auto found = look_for(r);
    got += "\n" + (found ? to_text(*found) : "error: " + found.error().text + "\n") + "\n";
  }
  expect_golden("inspect.txt", got);

  const std::pair<std::string, const char*> rows[] = {
      {signed_url("/v/1", now_s + 60), "hit"},
      {signed_url("/v/1", now_s - 1), "refused"},
      {signed_url("/v/1", now_s + 60) + "x", "refused"},
  };
  for (const auto& [url, outcome] : rows) {
    auto found = look_for({"GET", url, {}, "192.0.2.7", ""});
    ASSERT_TRUE(found);
    EXPECT_EQ(found->outcome, outcome) << url;
    ASSERT_EQ(found->caches.size(), 1u);
    EXPECT_EQ(found->caches[0].second.key, "http://media.example.com/v/1") << "what signs is no part of it";
  }
}

TEST_F(CacheInspect, IsJson) {
  put("assets", "www.example.com", "/app.js", "", "hello");
  auto found = look_for({"GET", "http://www.example.com/app.js", {}, "192.0.2.7", ""});
  ASSERT_TRUE(found);
  json j = json::parse(to_json(*found));
  EXPECT_EQ(j["outcome"], "hit");
  EXPECT_EQ(j["listener"], "web");
  EXPECT_EQ(j["caches"][0]["outcome"], "hit");
  EXPECT_EQ(j["caches"][0]["variants"][0]["chosen"], true);
  found = look_for({"GET", "http://www.example.com/app.js", {"X-Preview: 1"}, "192.0.2.7", ""});
  j = json::parse(to_json(*found));
  EXPECT_EQ(j["caches"][0]["outcome"], "bypass") << "whatever is stored";
  EXPECT_EQ(j["caches"][0]["why"], j["why"]);
}

TEST_F(CacheInspect, SeesAFetchInProgress) {
  edge::test::Request slow("/slow");
  edge::RequestView view = slow.at(start_ms);
  view.authority = "www.example.com";
  edge::Lookup fetching = caches_["assets"]->find(view);
  ASSERT_TRUE(fetching.writer);
  auto found = look_for({"GET", "http://www.example.com/slow", {}, "192.0.2.7", ""});
  ASSERT_TRUE(found);
  EXPECT_NE(to_text(*found).find("answer     follow: nothing is stored under this key; it would wait for the fetch in "
                                 "progress\nfetching   1 fetch in progress\n"),
            std::string::npos)
      << to_text(*found);
}

TEST_F(CacheInspect, AnExplanationSaysTheSame) {
  const int64_t now_s = start_ms / 1000 + 90;
  struct Row {
    std::string url;
    std::vector<std::string> headers;
    const char* line;
  };
  const Row rows[] = {
      {"http://www.example.com/a", {}, "cache      assets: key \"http www.example.com /a\"\n"},
      {"http://www.example.com/a",
       {"X-Preview: 1"},
       "cache      assets: passed by, as the route's cache_bypass says\n"},
      {"http://www.example.com/a",
       {"Cookie: wp_a=1"},
       "cache      assets: passed by, as the route's cache_bypass says\n"},
      {"http://www.example.com/a", {"Cookie: b=1"}, "cache      assets: passed by for its cookie\n"},
      {"http://www.example.com/refreshed",
       {"X-Preview: 1"},
       "asked for anew and stored, as the route's cache_bypass says\n"},
      {signed_url("/v/1", now_s),
       {},
       "admission  its signature holds\ncache      assets: key \"http media.example.com /v/1\"\n"},
      {signed_url("/v/1", now_s - 1), {}, "admission  403: the signature of the URL has expired\n"},
      {signed_url("/v/1", now_s) + "x", {}, "admission  403: the signature doesn't open this URL to this client\n"},
      {"http://media.example.com/v/1",
       {},
       "admission  403: the route asks for a signed URL, and this one isn't signed\n"},
      {"http://staff.example.com/", {}, "admission  403: allow and deny of the route keep the client out\n"},
  };
  for (const Row& row : rows) {
    auto told = explain({"GET", row.url, row.headers, "192.0.2.7", ""}, world());
    ASSERT_TRUE(told) << row.url;
    EXPECT_NE(told->find(row.line), std::string::npos) << row.line << "\n" << *told;
  }
}

TEST_F(CacheInspect, SignedUrlsAreKnownWithoutTheirSignature) {
  const std::string url = signed_url("/v/1", start_ms / 1000 + 60);
  using Urls = std::vector<std::string>;
  EXPECT_EQ(cached_urls(*made_.snapshot, url), Urls{"http://media.example.com/v/1"});
  const std::string elsewhere = "http://www.example.com/v/1?sig=1";
  EXPECT_EQ(cached_urls(*made_.snapshot, elsewhere), Urls{elsewhere}) << "a parameter like any other";
  EXPECT_EQ(cached_urls(*made_.snapshot, "http://media.example.com/v/1?a=1"), Urls{"http://media.example.com/v/1?a=1"});
  EXPECT_EQ(cached_urls(*made_.snapshot, "http://both.example.com/?b&sig=1"),
            (Urls{"http://both.example.com/?b", "http://both.example.com/?b&sig=1"}));
}

TEST_F(CacheInspect, WhatARouteAsksToBeSignedIs) {
  auto ask = [&](const std::string& url) { return url_to_ask({"GET", url, {}, "127.0.0.1", ""}, world()); };
  const std::string made = ask("http://media.example.com/v/1?q=1");
  EXPECT_TRUE(made.starts_with("http://media.example.com/v/1?q=1&sig-key=k1&")) << made;
  auto found = look_for({"GET", made, {}, "192.0.2.7", ""});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->outcome, "miss") << found->why;
  EXPECT_EQ(ask(made), made);
  for (const char* other : {"http://www.example.com/v/1", "http://nobody.example.org/", "nonsense"})
    EXPECT_EQ(ask(other), other);
}

}  // namespace
}  // namespace portolan::daemon
