// Of what a cache has both in memory and on its disk the newest counts, whichever way it left memory: what a validation,
// an unsafe request or a newer answer put an end to never comes back from the disk.
#include "edge/inspect.hh"
#include "tests/unit/edge/on_disk.hh"

namespace portolan::edge::test {
namespace {

class OnDiskVersions : public OnDisk {
 protected:
  OnDiskVersions() {
    stop();
    executor.run();
    store_bytes = 256 << 20;
    start();
  }
  static Pairs with(std::string control, Pairs more = {}) {
    Pairs fields = {{"Cache-Control", std::move(control)}, {"ETag", "\"e\""}};
    fields.insert(fields.end(), more.begin(), more.end());
    return fields;
  }
  // A client's reload of what is stored, answered so.
  void reload(const std::string& path, const Pairs& fields, int status, const std::string& body = "",
              const Pairs& trailers = {}, Pairs request = {}) {
    request.emplace_back("Cache-Control", "no-cache");
    Request asked(path, request);
    Lookup lookup = find(asked);
    ASSERT_EQ(lookup.outcome, Outcome::stale) << path;
    Response answer(fields, status);
    if (status == 304) answer.head.framing = http::Framing::none;
    if (lookup.writer->head(answer.head, clock.wall_ms(), clock.wall_ms()) == Writer::Verdict::not_modified) return;
    lookup.writer->append(Slice::copy_of(body));
    http::Fields behind;
    for (const auto& [name, value] : trailers) behind.add(name, value);
    EXPECT_TRUE(lookup.writer->finish(behind));
  }
  void post(const std::string& path) {
    Request request(path, {}, "POST");
    Response answer(Pairs{});
    cache->invalidate(request.at(clock.wall_ms()), answer.head);
  }
  void push_out_of_memory(const std::string& path) {
    cache->reconfigure(config(1, 8 << 20));
    cache->reconfigure(config(32 << 20, 8 << 20));
    EXPECT_NE(cache->inspect(Request(path).at(clock.wall_ms())).outcome, Outcome::hit);
    executor.run();
  }
};

constexpr size_t large = 1 << 20;  // not written again for a head that says more

TEST_F(OnDiskVersions, ALargeBodysNewTagsCount) {
  put("/a", with("max-age=3600", {{"Surrogate-Key", "old"}}), body_like(1, large));
  clock.advance_ms(1000);
  reload("/a", with("max-age=3600", {{"Surrogate-Key", "new"}}), 304);
  executor.run();
  ASSERT_TRUE(is("/a", body_like(1, large)));
  ASSERT_TRUE(cache->purge({PurgeKind::tag, "new"}, clock.wall_ms()));
  executor.run();
  EXPECT_TRUE(missing("/a"));
  restart(true);
  EXPECT_TRUE(missing("/a"));
}

TEST_F(OnDiskVersions, ALargeBodysNewGroupsCount) {
  put("/a", with("max-age=3600"), body_like(1, large));
  reload("/a", with("max-age=3600", {{"Cache-Groups", "\"g\""}}), 304);
  executor.run();
  Request request("/other", {}, "POST");
  Response answer(Pairs{{"Cache-Group-Invalidation", "\"g\""}});
  cache->invalidate(request.at(clock.wall_ms()), answer.head);
  executor.run();
  EXPECT_TRUE(missing("/a"));
}

// Whatever the new head says less of, the old one doesn't say in its place.
TEST_F(OnDiskVersions, ALargeBodysStricterHeadCounts) {
  struct Row {
    const char* before;
    const char* after;
    bool asked;  // of somebody, five seconds later
  };
  const Row rows[] = {
      {"max-age=3600", "max-age=2", true},
      {"max-age=3600", "max-age=3600, no-cache", true},
      {"max-age=2, stale-while-revalidate=3000", "max-age=3, stale-while-revalidate=1", true},
      {"max-age=3600", "max-age=4000", false},
  };
  int n = 0;
  for (bool killed : {false, true})
    for (const Row& row : rows) {
      std::string path = "/" + std::to_string(++n);
      put(path, with(row.before), body_like(1, large));
      reload(path, with(row.after), 304);
      executor.run();
      restart(killed);
      clock.advance_ms(3000);
      EXPECT_EQ(find(Request(path)).outcome == Outcome::hit, !row.asked) << row.before << " -> " << row.after;
    }
}

TEST_F(OnDiskVersions, ALargeBodysNewVaryCounts) {
  put("/a", with("max-age=3600"), body_like(1, large), {{"Accept-Language", "de"}});
  reload("/a", with("max-age=3600", {{"Vary", "Accept-Language"}}), 304, "", {}, {{"Accept-Language", "de"}});
  executor.run();
  for (bool killed : {false, true}) {
    restart(killed);
    EXPECT_TRUE(missing("/a", {{"Accept-Language", "en"}}));
    EXPECT_TRUE(is("/a", body_like(1, large), {{"Accept-Language", "de"}}));
  }
}

TEST_F(OnDiskVersions, AnUnsafeRequestReachesWhatWaitsToBeWritten) {
  Lookup lookup = cache->find(Request("/a").at(clock.wall_ms()));
  ASSERT_EQ(fill(lookup, Response(fresh), "old", clock.wall_ms()), Writer::Verdict::stored);
  lookup = {};
  post("/a");
  executor.run();
  EXPECT_TRUE(missing("/a"));
  restart(true);
  EXPECT_TRUE(missing("/a"));
}

TEST_F(OnDiskVersions, AnUnsafeRequestReachesWhatTheDiskHasWhileItStarts) {
  put("/a", fresh, "old");
  stop();
  executor.run();
  clock.advance_ms(2000);
  cache = std::make_unique<Cache>(config(32 << 20, 8 << 20), ++starts);
  cache->keep_purges(directory.path(), "node", files, executor, clock.wall_ms());
  store = std::make_shared<disk::Disk>(disk::Config{directory.path(), store_bytes}, files, executor, clock,
                                       disk::Tuning{segment_bytes});
  store->start();
  cache->use_disk(store, &executor);
  post("/a");
  executor.run();
  EXPECT_TRUE(missing("/a"));
}

// Its newer answer isn't of use for long, or has trailers: it isn't written, and the older one is gone all the same.
TEST_F(OnDiskVersions, WhatIsNotWrittenTakesTheOlderOneAway) {
  for (bool killed : {false, true}) {
    put("/trailers", fresh, "old");
    put("/short", fresh, "old");
    put("/no-store", with("max-age=2"), "old");
    clock.advance_ms(3000);
    reload("/trailers", fresh, 200, "new", {{"X-Checksum", "1"}});
    reload("/short", {{"Cache-Control", "max-age=1, must-revalidate"}}, 200, "new");
    reload("/no-store", {{"Cache-Control", "no-store"}}, 200, "new");
    executor.run();
    EXPECT_TRUE(is("/trailers", "new"));
    restart(killed);
    for (const char* path : {"/trailers", "/short", "/no-store"}) EXPECT_TRUE(missing(path)) << path << killed;
  }
}

TEST_F(OnDiskVersions, WhatIsNotWrittenTakesTheOlderVariantAway) {
  const Pairs de = {{"Accept-Language", "de"}};
  for (bool killed : {false, true}) {
    put("/v", with("max-age=3600", {{"Vary", "Accept-Language"}}), "old", de);
    reload("/v", with("max-age=3600", {{"Vary", "Accept-Language"}}), 200, "new", {{"X-Checksum", "1"}}, de);
    executor.run();
    restart(killed);
    EXPECT_TRUE(missing("/v", de));
  }
}

TEST_F(OnDiskVersions, WhatTheDiskRefusedTakesTheOlderOneAway) {
  put("/a", fresh, "old");
  files.set(
      [](const disk::test::FaultFiles::Asked& asked) { return asked.call == disk::test::Call::write ? ENOSPC : 0; });
  put("/b", fresh, "makes it stop writing");
  EXPECT_EQ(store->stats().state, disk::Stats::State::aside);
  reload("/a", fresh, 200, "new");
  executor.run();
  push_out_of_memory("/a");
  Lookup lookup = find(Request("/a"));
  if (lookup.outcome == Outcome::hit) {
    EXPECT_EQ(read(lookup.object), "new");
  }
}

TEST_F(OnDiskVersions, WhatWasRefusedIsWrittenWhenItLeavesMemory) {
  put("/a", fresh, "old");
  files.set(
      [](const disk::test::FaultFiles::Asked& asked) { return asked.call == disk::test::Call::write ? ENOSPC : 0; });
  put("/b", fresh, "makes it stop writing");
  reload("/a", fresh, 200, "new");
  EXPECT_TRUE(is("/a", "new"));
  files.set({});
  clock.advance_ms(11'000);
  store->tick();
  executor.run();
  ASSERT_EQ(store->stats().state, disk::Stats::State::serving);
  push_out_of_memory("/a");
  for (bool killed : {false, true}) {
    EXPECT_TRUE(is("/a", "new"));
    restart(killed);
  }
}

// An answer by other fields than the one before it: should it be by those again, what was stored by them is older.
TEST_F(OnDiskVersions, AVaryThatComesBackBringsNoOlderAnswer) {
  const Pairs by_language = with("max-age=3600", {{"Vary", "Accept-Language"}});
  const Pairs by_encoding = with("max-age=3600", {{"Vary", "Accept-Encoding"}});
  const Pairs de = {{"Accept-Language", "de"}}, en = {{"Accept-Language", "en"}};
  put("/v", by_language, "de 1", de);
  put("/v", by_language, "en 1", en);
  reload("/v", by_encoding, 200, "de 2", {}, de);
  reload("/v", by_encoding, 200, "en 2", {}, en);
  executor.run();
  reload("/v", by_language, 200, "de 3", {}, de);
  executor.run();
  for (bool killed : {false, true}) {
    restart(killed);
    EXPECT_TRUE(missing("/v", en));
    EXPECT_TRUE(is("/v", "de 3", de));
  }
}

TEST_F(OnDiskVersions, VariantsStayWhenANewOneComesOverTheDisk) {
  const Pairs varies = with("max-age=3600", {{"Vary", "Accept-Language"}});
  for (const char* language : {"de", "en", "fr"}) {
    put("/v", varies, language, {{"Accept-Language", language}});
    restart();
  }
  for (const char* language : {"de", "en", "fr"}) EXPECT_TRUE(is("/v", language, {{"Accept-Language", language}}));
}

// What became of its objects while it was away nobody knows.
TEST_F(OnDiskVersions, ADiskThatWasAwayHasNothingToSay) {
  put("/a", fresh, "old");
  restart();
  cache->use_disk(nullptr, nullptr);
  put("/a", fresh, "new");
  push_out_of_memory("/a");
  cache->use_disk(store, &executor);
  EXPECT_TRUE(missing("/a"));
  put("/b", fresh, "b");
  push_out_of_memory("/b");
  EXPECT_TRUE(is("/b", "b"));
}

class OnSmallDisk : public OnDiskVersions {
 protected:
  OnSmallDisk() {
    stop();
    executor.run();
    store_bytes = 16 << 20;
    segment_bytes = 256 << 10;
    std::filesystem::remove_all(directory.path());
    start();
  }
};

TEST_F(OnSmallDisk, VariantsThatAreUsedOutliveTheirSegment) {
  const Pairs varies = with("max-age=36000", {{"Vary", "Accept-Language"}});
  const Pairs de = {{"Accept-Language", "de"}}, en = {{"Accept-Language", "en"}};
  put("/v", varies, "deutsch", de);
  put("/v", varies, "english", en);
  put("/plain", fresh, "plain");
  for (uint64_t round = 0; round < 12; ++round) {
    restart();  // out of memory, and used from the disk
    EXPECT_TRUE(is("/v", "deutsch", de)) << round;
    EXPECT_TRUE(is("/v", "english", en)) << round;
    EXPECT_TRUE(is("/plain", "plain")) << round;
    for (uint64_t n = 0; n < 30; ++n)
      put("/" + std::to_string(round) + "/" + std::to_string(n), fresh, body_like(n, 100'000));
  }
  EXPECT_GT(store->stats().reclaimed, 3u);
}

}  // namespace
}  // namespace portolan::edge::test
