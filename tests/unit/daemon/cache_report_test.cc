// What `portolan cache` says, from real caches.
#include "daemon/cache_report.hh"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/unit/edge/support.hh"

namespace portolan::daemon {
namespace {

using edge::test::Pairs;
using edge::test::start_ms;
using nlohmann::json;

const std::string golden = std::string(PORTOLAN_SOURCE_DIR) + "/tests/golden/cache/";

struct Caches {
  Caches() {
    edge::CacheConfig config = edge::test::config(64 << 20);
    config.name = "assets";
    all["assets"] = std::make_shared<edge::Cache>(config, 1);
    config.name = "pages";
    config.key_headers = {"accept-language"};
    all["pages"] = std::make_shared<edge::Cache>(config, 1);
    fill("assets", "/app.js", {}, {{"Cache-Control", "max-age=3600"}, {"ETag", "\"7\""}}, std::string(3000, 'x'));
    for (const char* coding : {"gzip", "br"})
      fill("assets", "/style.css?v=2", {{"Accept-Encoding", coding}},
           {{"Cache-Control", "max-age=60, must-revalidate"}, {"Vary", "Accept-Encoding"}}, std::string(900, 'x'));
    fill("pages", "/", {{"Accept-Language", "de"}},
         {{"Date", edge::test::date(start_ms)}, {"Last-Modified", edge::test::date(start_ms - 864'000'000)}}, "hello");
    for (int i = 0; i < 7; ++i) ask("assets", "/app.js", {});
    for (int i = 0; i < 2; ++i) ask("assets", "/style.css?v=2", {{"Accept-Encoding", "gzip"}});
    fill("assets", "/me", {}, {{"Cache-Control", "no-store"}}, "you");
    fetching = ask("pages", "/slow", {});
  }
  edge::Lookup ask(const std::string& cache, const std::string& path, const Pairs& fields) {
    edge::test::Request request(path, fields);
    return all[cache]->find(request.at(start_ms));
  }
  void fill(const std::string& cache, const std::string& path, const Pairs& request, const Pairs& response,
            const std::string& body) {
    edge::Lookup lookup = ask(cache, path, request);
    ASSERT_TRUE(lookup.writer);
    edge::test::fill(lookup, edge::test::Response(response), body);
  }
  std::map<std::string, std::shared_ptr<edge::Cache>> all;
  edge::Lookup fetching;
};

// PORTOLAN_BLESS=1 writes what is told now; look at the difference before you keep it.
void expect_golden(const std::string& name, const std::string& got) {
  if (std::getenv("PORTOLAN_BLESS")) std::ofstream(golden + name) << got;
  std::stringstream expected;
  expected << std::ifstream(golden + name).rdbuf();
  EXPECT_EQ(got, expected.str());
}

TEST(CacheReport, Stats) {
  Caches caches;
  CacheCounts counts;
  uint64_t empty = edge::Cache(edge::test::config(64 << 20), 1).stats().bytes;  // what the policy remembers
  for (auto& [name, cache] : caches.all) {
    edge::Stats stats = cache->stats();
    EXPECT_GT(stats.bytes, empty);
    stats.bytes -= empty;
    stats.bytes = stats.bytes > 4096 ? 5000 : 1000;  // what an object costs beside its body is the compiler's
    counts.caches.emplace_back(name, stats);
  }
  expect_golden("stats.txt", to_text(counts));
  json j = json::parse(to_json(counts));
  EXPECT_EQ(j["caches"][0]["hits"], 9);
  EXPECT_EQ(j["caches"][0]["objects"], 3);
  EXPECT_EQ(to_text(CacheCounts{}), "no caches\n");
}

TEST(CacheReport, StatsOfDisks) {
  CacheCounts counts;
  counts.caches = {{"assets", {}}, {"pages", {}}, {"small", {}}};
  edge::disk::Stats& serving = counts.caches[0].second.disk.emplace();
  uint64_t n = 0;
  serving.state = edge::disk::Stats::State::serving;
  for (uint64_t* v : {&serving.objects, &serving.bytes, &serving.budget, &serving.index_bytes, &serving.segments,
                      &serving.segments_free, &serving.segments_without_room, &serving.reads, &serving.writes,
                      &serving.written_bytes, &serving.rewritten_bytes, &serving.refused, &serving.damaged,
                      &serving.evicted, &serving.reclaimed, &serving.syncs, &serving.errors})
    *v = ++n;
  counts.caches[0].second.promoted = ++n;
  edge::disk::Stats& aside = counts.caches[1].second.disk.emplace();
  aside.state = edge::disk::Stats::State::aside;
  aside.reason = "the disk doesn't answer";
  serving.set_aside = "it is of another version; its files end in .set-aside-1 now";
  expect_golden("disk_stats.txt", to_text(counts));
  json j = json::parse(to_json(counts));
  EXPECT_EQ(j["caches"][0]["disk"]["state"], "serving");
  EXPECT_EQ(j["caches"][0]["disk"]["size"], 3);
  EXPECT_EQ(j["caches"][0]["disk"]["errors"], 17);
  EXPECT_EQ(j["caches"][0]["promoted"], 18);
  EXPECT_EQ(j["caches"][1]["disk"]["reason"], "the disk doesn't answer");
  EXPECT_FALSE(j["caches"][2].contains("disk"));
}

TEST(CacheReport, Segments) {
  using Kind = edge::disk::SegmentReport::Kind;
  CacheSegments segments;
  segments.now_ms = start_ms;
  segments.caches = {{"assets",
                      {{Kind::probation, false, start_ms - 59'999, 40, 4096},
                       {Kind::free, false, 0, 0, 0},
                       {Kind::main, true, start_ms - 60'000, 10, 1 << 20},
                       {Kind::main, false, start_ms - 900'000'000, 0, 32 << 20},
                       {Kind::probation, true, start_ms + 500, 1, 100}}},
                     {"pages", {{Kind::free, false, 0, 0, 0}}}};
  expect_golden("segments.txt", to_text(segments));
  json j = json::parse(to_json(segments));
  EXPECT_EQ(j["caches"][0]["segments"].size(), 4u);
  EXPECT_EQ(j["caches"][0]["segments"][0],
            json::parse(R"({"kind":"probation", "open":true, "age_s":0, "objects":1, "bytes":100})"));
  EXPECT_EQ(j["caches"][0]["segments"][3]["age_s"], 900'000);
  EXPECT_EQ(j["caches"][1]["segments"].size(), 0u);
  EXPECT_EQ(to_text(CacheSegments{}), "no cache has a disk\n");
}

TEST(CacheReport, Top) {
  Caches caches;
  CacheTops tops;
  for (auto& [name, cache] : caches.all) {
    std::vector<edge::HotKey> keys = cache->top(3);
    for (edge::HotKey& k : keys) k.bytes = k.bytes / 1024 * 1024;
    tops.caches.emplace_back(name, std::move(keys));
  }
  expect_golden("top.txt", to_text(tops));
  json j = json::parse(to_json(tops));
  EXPECT_EQ(j["caches"][0]["keys"][0]["key"], "http://example.com/app.js");
  EXPECT_EQ(j["caches"][0]["keys"][0]["requests"], 8);
  EXPECT_EQ(to_text(CacheTops{}), "nothing is stored\n");
}

}  // namespace
}  // namespace portolan::daemon
