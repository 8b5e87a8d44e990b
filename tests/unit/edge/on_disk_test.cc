// The cache and its disk as one: what is stored outlives the process, comes back when it is asked for, and what was
// purged, replaced or damaged never does.
#include <fcntl.h>

#include "edge/inspect.hh"
#include "edge/parts_reader.hh"
#include "edge/purge/log.hh"
#include "tests/unit/edge/on_disk.hh"

namespace portolan::edge::test {
namespace {

TEST_F(OnDisk, WhatIsStoredOutlivesTheProcess) {
  const size_t sizes[] = {0, 1, 700, 31 << 10, 33 << 10, 500'000, 5'000'000};
  for (size_t size : sizes) put("/" + std::to_string(size), fresh, body_like(size, size));
  for (bool killed : {false, true}) {
    restart(killed);
    for (size_t size : sizes) EXPECT_TRUE(is("/" + std::to_string(size), body_like(size, size))) << killed;
  }
  EXPECT_TRUE(missing("/never"));
  Request request("/700");
  ObjectRef object = find(request).object;
  EXPECT_EQ(object->etag(), "\"e\"");
  EXPECT_EQ(*object->fields().find("X-Other"), "a, b");
  EXPECT_EQ(object->age_s(clock.wall_ms()), 4) << "its age is that of what was received";
  EXPECT_EQ(object->ttl_s(clock.wall_ms()), 596);
}

TEST_F(OnDisk, AnAnswerThatIsOnesOwnLeavesWhatIsFresh) {
  const Pairs reload = {{"Cache-Control", "no-cache"}}, known = {{"Cache-Control", "no-cache"}, {"Authorization", "x"}};
  const std::pair<Pairs, int> rows[] = {{known, 304}, {known, 200}, {reload, 403}, {reload, 200}};
  put("/a", fresh, "bytes");
  for (const auto& [asked, status] : rows) {
    Request request("/a", asked);
    Lookup lookup = find(request);
    ASSERT_EQ(lookup.outcome, Outcome::stale);
    lookup.writer->head(Response({{"Cache-Control", "private"}}, status).head, clock.wall_ms(), clock.wall_ms());
    lookup = {};
    executor.run();
    EXPECT_TRUE(is("/a", "bytes")) << status;
    restart();
    EXPECT_TRUE(is("/a", "bytes")) << status << ", on the disk";
  }
}

TEST_F(OnDisk, WhatLeftMemoryComesBackFromTheDisk) {
  restart();
  for (uint64_t n = 0; n < 40; ++n) put("/" + std::to_string(n), fresh, body_like(n, 1 << 20));
  EXPECT_GT(cache->stats().evictions, 5u);
  for (uint64_t n = 0; n < 40; ++n) EXPECT_TRUE(is("/" + std::to_string(n), body_like(n, 1 << 20)));
  EXPECT_GT(cache->stats().promoted, 5u);
  EXPECT_EQ(cache->stats().fills, 40u);
}

TEST_F(OnDisk, WhatAStricterProfileForbidsStaysOnTheDiskNoMore) {
  CacheConfig rfc = config(32 << 20, 8 << 20);
  rfc.profile = "rfc";
  cache->reconfigure(rfc);
  Pairs cookie = fresh;
  cookie.emplace_back("Set-Cookie", "a=1");
  put("/cookie", cookie, "hers");
  put("/plain", fresh, "all's");
  restart();
  EXPECT_TRUE(missing("/cookie"));
  EXPECT_TRUE(is("/plain", "all's"));
  EXPECT_FALSE(cache->inspect(Request("/cookie").at(clock.wall_ms())).on_disk) << "it isn't looked for again";
}

TEST_F(OnDisk, EveryVariantIsThere) {
  Pairs varies = fresh;
  varies.emplace_back("Vary", "Accept-Language");
  put("/v", varies, "deutsch", {{"Accept-Language", "de"}});
  put("/v", varies, "english", {{"Accept-Language", "en"}});
  restart();
  EXPECT_TRUE(is("/v", "english", {{"Accept-Language", "en"}}));
  EXPECT_TRUE(is("/v", "deutsch", {{"Accept-Language", "de"}}));
  EXPECT_TRUE(missing("/v", {{"Accept-Language", "fr"}}));
}

TEST_F(OnDisk, AnInspectionSaysSoAndReadsNothing) {
  Pairs varies = fresh;
  varies.emplace_back("Vary", "Accept-Language");
  put("/v", varies, "deutsch", {{"Accept-Language", "de"}});
  put("/a", fresh, "bytes");
  EXPECT_TRUE(cache->inspect(Request("/a").at(clock.wall_ms())).on_disk);
  EXPECT_FALSE(cache->inspect(Request("/v", {{"Accept-Language", "fr"}}).at(clock.wall_ms())).on_disk);
  restart();
  const uint64_t reads = store->stats().reads;
  Inspection a = cache->inspect(Request("/a").at(clock.wall_ms()));
  EXPECT_TRUE(a.on_disk && a.present());
  EXPECT_EQ(a.outcome, Outcome::miss);
  EXPECT_EQ(a.why, "not in memory; most likely it is on the disk, which is read first");
  EXPECT_FALSE(cache->inspect(Request("/b").at(clock.wall_ms())).on_disk);
  executor.run();
  EXPECT_EQ(store->stats().reads, reads);
}

TEST_F(OnDisk, AnInspectionMayReadWhatIsThere) {
  Pairs varies = fresh;
  varies.emplace_back("Vary", "Accept-Language");
  Pairs tagged = fresh;
  tagged.emplace_back("Surrogate-Key", "t");
  put("/v", varies, "deutsch", {{"Accept-Language", "de"}});
  for (const char* path : {"/a", "/host", "/prefix/b"}) put(path, fresh, "bytes");
  for (const char* path : {"/tag", "/soft"}) put(path, tagged, "bytes");
  put("/big", fresh, body_like(1, 5'000'000));
  restart();
  auto look = [&](const std::string& path, const Pairs& request = {}) {
    return cache->inspect(Request(path, request).at(clock.wall_ms()), true);
  };
  Inspection a = look("/a");
  EXPECT_EQ(a.outcome, Outcome::hit);
  EXPECT_EQ(a.why, "on the disk: fresh for 598 s more");
  ASSERT_EQ(a.variants.size(), 1u);
  EXPECT_TRUE(a.on_disk && a.disk_read && a.variants[0].on_disk && a.variants[0].chosen);
  EXPECT_EQ(a.variants[0].bytes, 5u);
  EXPECT_EQ(look("/big").variants.at(0).bytes, 5'000'000u);
  EXPECT_EQ(look("/v", {{"Accept-Language", "de"}}).outcome, Outcome::hit);
  Inspection french = look("/v", {{"Accept-Language", "fr"}});
  EXPECT_EQ(french.forward, Forward::vary_miss);
  EXPECT_FALSE(french.on_disk);
  EXPECT_EQ(cache->stats().objects, 0u) << "nothing came into memory by it";

  const std::string origin = "http://example.com";
  EXPECT_TRUE(cache->purge(Purge{PurgeKind::url, origin + "/a", false}, clock.wall_ms()));
  EXPECT_TRUE(cache->purge(Purge{PurgeKind::prefix, origin.substr(7) + "/prefix", false}, clock.wall_ms()));
  EXPECT_TRUE(cache->purge(Purge{PurgeKind::tag, "t", true}, clock.wall_ms()));
  for (const char* path : {"/a", "/prefix/b"}) {
    Inspection gone = look(path);
    EXPECT_EQ(gone.outcome, Outcome::miss) << path;
    EXPECT_EQ(gone.why, "what the disk has was purged or invalidated") << path;
    EXPECT_FALSE(gone.on_disk) << path;
  }
  EXPECT_EQ(look("/tag").outcome, Outcome::stale);
  EXPECT_TRUE(cache->purge(Purge{PurgeKind::tag, "t", false}, clock.wall_ms()));
  EXPECT_EQ(look("/tag").outcome, Outcome::miss);
  EXPECT_EQ(look("/host").outcome, Outcome::hit);
}

TEST_F(OnDisk, AnInspectionKnowsThatADiskWasAway) {
  put("/a", fresh, "bytes");
  restart();
  EXPECT_TRUE(missing("/b"));
  cache->use_disk(nullptr, nullptr);
  EXPECT_TRUE(missing("/b"));
  stop_disk();
  cache->use_disk(start_disk(), &executor);
  executor.run();
  Inspection a = cache->inspect(Request("/a").at(clock.wall_ms()), true);
  EXPECT_EQ(a.outcome, Outcome::miss);
  EXPECT_EQ(a.why, "what is on the disk counts no more: others came since, or it was without the cache");
  EXPECT_TRUE(missing("/a"));
}

TEST_F(OnDisk, AllWhoWaitForTheDiskShareOneRead) {
  put("/a", fresh, "bytes");
  restart();
  Request request("/a");
  std::vector<Lookup> waiting;
  for (int i = 0; i < 5; ++i) waiting.push_back(cache->find(request.at(clock.wall_ms())));
  uint64_t before = store->stats().reads;
  executor.run();
  EXPECT_EQ(store->stats().reads, before + 1);
  for (Lookup& l : waiting) {
    EXPECT_TRUE(l.reader->retry());
    EXPECT_TRUE(l.reader->asked_disk());
    RequestView view = request.at(clock.wall_ms());
    view.asked_disk = true;
    EXPECT_EQ(cache->find(view).outcome, Outcome::hit);
  }
}

TEST_F(OnDisk, WhatIsntThereIsLookedForOnceByAllAndThenFetchedOnce) {
  Pairs varies = fresh;
  varies.emplace_back("Vary", "Accept-Language");
  put("/v", varies, "deutsch", {{"Accept-Language", "de"}});
  restart();
  Request request("/v", {{"Accept-Language", "fr"}});
  std::vector<Lookup> waiting;
  for (int i = 0; i < 5; ++i) waiting.push_back(cache->find(request.at(clock.wall_ms())));
  executor.run();
  int led = 0;
  std::vector<Lookup> next;
  for (Lookup& l : waiting) {
    ASSERT_TRUE(l.reader->asked_disk());
    RequestView view = request.at(clock.wall_ms());
    view.asked_disk = true;
    next.push_back(cache->find(view));
    if (next.back().outcome == Outcome::miss) ++led;
  }
  EXPECT_EQ(led, 1);
}

TEST_F(OnDisk, APurgeHoldsOverARestartWhateverItsKind) {
  Pairs tagged = fresh;
  tagged.emplace_back("Surrogate-Key", "red blue");
  for (const char* path : {"/url", "/dir/prefix", "/other"}) put(path, fresh, path);
  put("/tagged", tagged, "tagged");
  ASSERT_TRUE(cache->purge({PurgeKind::url, "http://example.com/url"}, clock.wall_ms()));
  ASSERT_TRUE(cache->purge({PurgeKind::prefix, "example.com/dir"}, clock.wall_ms()));
  ASSERT_TRUE(cache->purge({PurgeKind::tag, "blue"}, clock.wall_ms()));
  executor.run();
  for (bool killed : {true, false}) {
    restart(killed);
    for (const char* path : {"/url", "/dir/prefix", "/tagged"}) EXPECT_TRUE(missing(path)) << path;
    EXPECT_TRUE(is("/other", "/other"));
  }
  put("/tagged", tagged, "anew");
  restart();
  EXPECT_TRUE(is("/tagged", "anew"));
  ASSERT_TRUE(cache->purge({PurgeKind::all, ""}, clock.wall_ms()));
  executor.run();
  restart(true);
  EXPECT_TRUE(missing("/tagged"));
  EXPECT_TRUE(missing("/other"));
}

TEST_F(OnDisk, SoftlyPurgedItIsStaleAfterARestart) {
  put("/a", fresh, "bytes");
  ASSERT_TRUE(cache->purge({PurgeKind::url, "http://example.com/a", true}, clock.wall_ms()));
  executor.run();
  restart();
  Lookup lookup = find(Request("/a"));
  EXPECT_EQ(lookup.outcome, Outcome::stale);
}

TEST_F(OnDisk, WithoutTheLogOfPurgesNothingOlderIsServed) {
  put("/a", fresh, "bytes");
  stop();
  executor.run();
  std::filesystem::remove(directory / PurgeLog::file_name);
  clock.advance_ms(2000);
  start();
  EXPECT_TRUE(missing("/a"));
}

TEST_F(OnDisk, AnUnsafeRequestInvalidatesWhatOnlyTheDiskHas) {
  Pairs grouped = fresh;
  grouped.emplace_back("Cache-Groups", "\"g\"");
  put("/a", fresh, "old");
  put("/grouped", grouped, "old");
  put("/named", fresh, "old");
  restart();
  Request post("/a", {}, "POST");
  Response answer(Pairs{{"Cache-Group-Invalidation", "\"g\""}, {"Location", "/named"}});
  cache->invalidate(post.at(clock.wall_ms()), answer.head);
  executor.run();
  EXPECT_TRUE(missing("/a"));
  restart(true);
  for (const char* path : {"/a", "/grouped", "/named"}) EXPECT_TRUE(missing(path)) << path;
}

TEST_F(OnDisk, AnAnswerThatIsNotToBeKeptTakesTheOldOneAway) {
  put("/a", {{"Cache-Control", "max-age=1"}, {"ETag", "\"e\""}, {"Cache-Control", "stale-if-error=600"}}, "old");
  clock.advance_ms(3000);
  Request request("/a");
  Lookup lookup = find(request);
  ASSERT_EQ(lookup.outcome, Outcome::stale);
  fill(lookup, Response(Pairs{{"Cache-Control", "no-store"}}), "secret", clock.wall_ms());
  lookup = Lookup{};
  executor.run();
  EXPECT_TRUE(missing("/a"));
}

TEST_F(OnDisk, ARevalidationIsKept) {
  put("/a", {{"Cache-Control", "max-age=1"}, {"ETag", "\"e\""}}, "body");
  restart();
  Lookup lookup = find(Request("/a"));
  ASSERT_EQ(lookup.outcome, Outcome::stale);
  Response unchanged(Pairs{{"Cache-Control", "max-age=600"}, {"ETag", "\"e\""}, {"X-New", "1"}}, 304);
  unchanged.head.framing = http::Framing::none;
  EXPECT_EQ(lookup.writer->head(unchanged.head, clock.wall_ms(), clock.wall_ms()), Writer::Verdict::not_modified);
  lookup = Lookup{};
  executor.run();
  restart(true);
  EXPECT_TRUE(is("/a", "body"));
  EXPECT_EQ(*find(Request("/a")).object->fields().find("X-New"), "1");
}

TEST_F(OnDisk, ANewerAnswerIsTheOneThatStays) {
  for (int i = 0; i < 3; ++i) {
    put("/a", {{"Cache-Control", "max-age=1"}}, "version " + std::to_string(i));
    clock.advance_ms(4000);
    if (i == 1) restart();
  }
  put("/a", fresh, "the last");
  restart(true);
  EXPECT_TRUE(is("/a", "the last"));
}

TEST_F(OnDisk, DamageIsAMissAndNeverAWrongByte) {
  for (uint64_t n = 0; n < 20; ++n) put("/" + std::to_string(n), fresh, body_like(n, 40'000));
  stop();
  executor.run();
  files.set({});
  // Every 50,000th byte is another one.
  for (const auto& entry : std::filesystem::directory_iterator(directory.path())) {
    if (entry.path().filename() != "data") continue;
    int fd = ::open(entry.path().c_str(), O_RDWR);
    for (off_t at = 20'000; at < 900'000; at += 100'000) {
      char byte = 0;
      ASSERT_EQ(::pread(fd, &byte, 1, at), 1);
      byte = static_cast<char>(byte ^ 4);
      ASSERT_EQ(::pwrite(fd, &byte, 1, at), 1);
    }
    ::close(fd);
  }
  clock.advance_ms(2000);
  start();
  int gone = 0;
  for (uint64_t n = 0; n < 20; ++n) {
    Lookup lookup = find(Request("/" + std::to_string(n)));
    if (lookup.outcome == Outcome::hit) {
      EXPECT_EQ(read(lookup.object), body_like(n, 40'000));
    } else {
      ++gone;
    }
  }
  EXPECT_GT(gone, 2);
  EXPECT_LT(gone, 12);
}

TEST_F(OnDisk, WhatThePageCacheDoesntHaveIsReadOffTheLoop) {
  put("/a", fresh, body_like(1, 1 << 20));
  for (uint64_t n = 0; n < 2 * segment_bytes >> 20; ++n)  // until its segment is full, and synced
    put("/more/" + std::to_string(n), fresh, body_like(n, 1 << 20));
  restart();
  ObjectRef object = find(Request("/a")).object;
  ASSERT_TRUE(object && object->content()->on_disk());
  for (const auto& entry : std::filesystem::directory_iterator(directory.path())) {
    int fd = ::open(entry.path().c_str(), O_RDONLY);
    ::fdatasync(fd);
    ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    ::close(fd);
  }
  bool cold = !object->content()->in_page_cache(object->content()->hold(), 0, 1 << 20);
  EXPECT_EQ(read(object), body_like(1, 1 << 20));
  if (!cold) GTEST_SKIP() << "the file system here keeps its pages";
  EXPECT_GE(waits, 1);
}

TEST_F(OnDisk, WhatMemoryRemembersHoldsNoPlaceOnTheDisk) {
  put("/a", fresh, body_like(1, 1 << 20));
  restart();
  ASSERT_TRUE(is("/a", body_like(1, 1 << 20)));
  ObjectRef before = find(Request("/a")).object;
  Reader reader(before);
  ASSERT_EQ(reader.state(), Reader::State::more);
  Body taken;
  reader.read(taken, 100'000);
  for (uint64_t n = 0; n < 150; ++n) put("/" + std::to_string(n), fresh, body_like(n, 1 << 20));
  // The segment was used anew; who was reading reads on, and who comes now fetches.
  while (reader.state() == Reader::State::more) reader.read(taken, 100'000);
  EXPECT_TRUE(taken.to_string() == body_like(1, 1 << 20));
  Reader late(before);
  if (late.state() == Reader::State::released) {
    EXPECT_TRUE(late.retry());
  }
  Lookup again = find(Request("/a"));
  if (again.outcome == Outcome::hit) {
    EXPECT_TRUE(read(again.object) == body_like(1, 1 << 20));
  }
  EXPECT_GT(store->stats().reclaimed, 3u);
}

TEST_F(OnDisk, WhenTheDiskFailsRequestsGoOn) {
  put("/a", fresh, "bytes");
  files.set([](const disk::test::FaultFiles::Asked& asked) {
    return asked.call == disk::test::Call::write || asked.call == disk::test::Call::read ? EIO : 0;
  });
  put("/b", fresh, "others");
  EXPECT_TRUE(is("/a", "bytes"));
  EXPECT_TRUE(is("/b", "others"));
  executor.full = true;
  put("/c", fresh, "more");
  EXPECT_TRUE(is("/c", "more"));
  executor.full = false;
}

TEST_F(OnDisk, FragmentsAndTheirHeadComeBack) {
  const uint64_t size = 10 << 20;
  std::string whole = body_like(7, size);
  {
    Request request("/big");
    Lookup lookup = find(request);
    Pairs fields = fresh;
    fields.emplace_back("Accept-Ranges", "bytes");
    Response response(fields);
    response.length(size);
    ASSERT_EQ(lookup.writer->head(response.head, clock.wall_ms(), clock.wall_ms()), Writer::Verdict::stored);
    for (uint64_t at = 0; at < size; at += 100'000)
      lookup.writer->append(Slice::copy_of(std::string_view(whole).substr(at, 100'000)));
    lookup.writer->finish();
    executor.run();
  }
  restart(true);
  Lookup lookup = find(Request("/big"));
  ASSERT_EQ(lookup.outcome, Outcome::hit);
  ASSERT_TRUE(lookup.object->parts());
  PartsReader reader(lookup.object);
  reader.select((3 << 20) - 500, 2 << 20);
  Body body;
  for (bool more = true; more;) {
    switch (reader.state()) {
      case PartsReader::State::more:
        reader.read(body, 100'000);
        break;
      case PartsReader::State::wait:
        reader.wait(std::make_shared<CountingWaker>());
        executor.run();
        break;
      case PartsReader::State::absent:
        ADD_FAILURE() << "a fragment isn't there";
        [[fallthrough]];
      default:
        more = false;
    }
  }
  EXPECT_TRUE(body.to_string() == whole.substr((3 << 20) - 500, 2 << 20));
}

}  // namespace
}  // namespace portolan::edge::test
