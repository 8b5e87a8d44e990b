// Memory and disk as they go along: what memory serves stays on the disk, and a disk that stalls holds nobody up.
#include <atomic>
#include <chrono>
#include <thread>

#include "edge/parts_reader.hh"
#include "tests/unit/edge/disk/fixture.hh"
#include "tests/unit/edge/support.hh"

namespace portolan::edge::test {
namespace {

using disk::test::Call;
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
  // Somebody asks the disk, and it doesn't answer for as long as this stands.
  class Stall {
   public:
    explicit Stall(DiskTier& test) : test_(test) {
      test.files.set([this](const FaultFiles::Asked& asked) {
        if (asked.call != Call::read) return 0;
        entered_ = true;
        while (stuck_) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        return 0;
      });
      thread_ = std::thread([&test] { test.executor.run_one(); });
      while (!entered_) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ~Stall() {
      stuck_ = false;
      thread_.join();
      test_.files.set({});
    }

   private:
    DiskTier& test_;
    std::atomic<bool> stuck_{true}, entered_{false};
    std::thread thread_;
  };

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

TEST_F(DiskTier, WhoWaitsForADiskThatStallsGoesOnWithoutIt) {
  put("/a", 5'000);
  put("/b", 5'000);
  stop();
  start();
  Lookup a = ask(Request("/a")), again = ask(Request("/a")), b = ask(Request("/b"));
  ASSERT_TRUE(a.loading && again.loading && b.loading);
  {
    Stall stall(*this);
    auto waker = std::make_shared<CountingWaker>();
    b.reader->wait(waker);
    store->tick();
    EXPECT_EQ(a.reader->state(), Reader::State::pending);
    clock.advance_ms(600);
    store->tick();
    EXPECT_EQ(waker->count, 1);
    for (Lookup* l : {&a, &again, &b}) {
      ASSERT_EQ(l->reader->state(), Reader::State::released);
      EXPECT_TRUE(l->reader->retry());
      EXPECT_TRUE(l->reader->asked_disk());
    }
    EXPECT_TRUE(ask(Request("/b")).writer);  // nor does anybody else begin to wait
    put("/a", 7'000);
  }
  store->tick();
  executor.run();
  Lookup now = ask(Request("/a"));
  ASSERT_EQ(now.outcome, Outcome::hit);
  EXPECT_EQ(now.object->content()->size(), 7'000u);  // what was fetched meanwhile, and not what the disk had
  EXPECT_EQ(found(Request("/b")).outcome, Outcome::hit);
}

TEST_F(DiskTier, AFragmentThatADiskDoesNotGiveIsFetched) {
  put("/big", 10 << 20);
  stop();
  start();
  Lookup lookup = found(Request("/big"));
  ASSERT_EQ(lookup.outcome, Outcome::hit);
  ASSERT_TRUE(lookup.object->parts());
  PartsReader reader(lookup.object);
  reader.select(3 << 20, 1'000);
  ASSERT_EQ(reader.state(), PartsReader::State::wait);
  {
    Stall stall(*this);
    clock.advance_ms(600);
    store->tick();
    EXPECT_EQ(reader.state(), PartsReader::State::absent);
  }
  store->tick();
  executor.run();
  // What came too late harmed nothing.
  reader.select(3 << 20, 1'000);
  Body body;
  for (int i = 0; i < 3 && reader.state() == PartsReader::State::wait; ++i) executor.run();
  ASSERT_EQ(reader.state(), PartsReader::State::more);
  reader.read(body, 1'000);
  EXPECT_TRUE(body.to_string() == disk::test::body_of(1, 1, 10 << 20).substr(3 << 20, 1'000));
}

}  // namespace
}  // namespace portolan::edge::test
