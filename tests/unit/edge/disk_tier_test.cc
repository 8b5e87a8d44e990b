// Memory and disk as they go along: what memory serves stays on the disk.
#include "tests/unit/edge/disk/fixture.hh"
#include "tests/unit/edge/support.hh"

namespace portolan::edge::test {
namespace {

using disk::test::Directory;
using disk::test::FaultFiles;
using disk::test::ManualExecutor;

const Pairs fresh = {{"Cache-Control", "max-age=600"}, {"ETag", "\"e\""}, {"Accept-Ranges", "bytes"}};

class DiskTier : public testing::Test {
 protected:
  DiskTier() { start(); }
  ~DiskTier() override { stop(); }
  void start() {
    cache = std::make_unique<Cache>(config(32 << 20, 8 << 20), ++starts);
    disk::Tuning tuning;
    tuning.segment_bytes = 4 << 20;
    store = std::make_shared<disk::Disk>(disk::Config{directory.path(), 24ull << 20}, files, executor, clock, tuning);
    store->start();
    cache->use_disk(store, &executor);
    executor.run();
  }
  void stop() {
    files.crash_after(0);
    cache.reset();
    store.reset();
    executor.run();
    files.set({});
  }
  void put(const std::string& path, uint64_t size, const Pairs& fields = fresh, const Pairs& request = {}) {
    Request asked(path, request);
    RequestView view = asked.at(clock.wall_ms());
    view.asked_disk = true;
    Lookup lookup = cache->find(view);
    ASSERT_TRUE(lookup.writer) << path;
    Response response(fields);
    response.length(size);
    ASSERT_EQ(lookup.writer->head(response.head, clock.wall_ms(), clock.wall_ms()), Writer::Verdict::stored) << path;
    const std::string body = disk::test::body_of(1, 1, size);
    for (uint64_t at = 0; at < size; at += 100'000)
      lookup.writer->append(Slice::copy_of(std::string_view(body).substr(at, 100'000)));
    lookup.writer->finish();
    executor.run();
  }
  Lookup ask(const Request& request, bool asked_disk = false) {
    RequestView view = request.at(clock.wall_ms());
    view.asked_disk = asked_disk;
    return cache->find(view);
  }
  Lookup found(const Request& request) {
    Lookup lookup = ask(request);
    if (!lookup.loading) return lookup;
    executor.run();
    return ask(request, lookup.reader->asked_disk());
  }
  Directory directory;
  FaultFiles files;
  ManualExecutor executor;
  FakeClock clock{start_ms};
  std::shared_ptr<disk::Disk> store;
  std::unique_ptr<Cache> cache;
  uint64_t starts = 0;
};

TEST_F(DiskTier, WhatMemoryServesStaysOnTheDisk) {
  const Request hot("/hot"), varied("/varied", {{"Accept-Language", "de"}});
  put("/hot", 5'000);
  Pairs vary = fresh;
  vary.emplace_back("Vary", "Accept-Language");
  put("/varied", 5'000, vary, {{"Accept-Language", "de"}});
  put("/cold", 5'000);
  for (int n = 0; n < 60; ++n) {
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(ask(hot).outcome, Outcome::hit);
      EXPECT_EQ(ask(varied).outcome, Outcome::hit);
    }
    put("/" + std::to_string(n), 1 << 20);
  }
  EXPECT_GT(store->stats().reclaimed, 6u);
  stop();
  start();
  EXPECT_EQ(found(hot).outcome, Outcome::hit);
  EXPECT_EQ(found(varied).outcome, Outcome::hit);
  EXPECT_EQ(found(Request("/cold")).outcome, Outcome::miss);
}

}  // namespace
}  // namespace portolan::edge::test
