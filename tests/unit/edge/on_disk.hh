#pragma once
// A cache over a real disk tier in a directory of its own, and an executor that works when told.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/unit/edge/disk/fixture.hh"
#include "tests/unit/edge/support.hh"

namespace portolan::edge::test {

using disk::test::Directory;
using disk::test::ManualExecutor;

inline std::string body_like(uint64_t seed, size_t size) {
  return disk::test::body_of(seed, 1, size);
}

// A cache, its disk, and an executor that works when told.
class OnDisk : public testing::Test {
 protected:
  OnDisk() { start(); }
  ~OnDisk() override {
    stop();
    executor.run();
  }

  void start(uint64_t memory = 32 << 20) {
    cache = std::make_unique<Cache>(config(memory, 8 << 20), ++starts);
    cache->keep_purges(directory.path(), "node", files, executor, clock.wall_ms());
    cache->use_disk(start_disk(), &executor);
    executor.run();
  }
  std::shared_ptr<disk::Disk> start_disk() {
    disk::Config where{directory.path(), store_bytes};
    disk::Tuning tuning;
    tuning.segment_bytes = segment_bytes;
    store = std::make_shared<disk::Disk>(where, files, executor, clock, tuning);
    store->start();
    return store;
  }
  void stop_disk() {
    store->stop();
    store.reset();
    executor.run();
  }
  void stop() {
    cache.reset();
    store.reset();
  }
  void restart(bool killed = false) {
    if (killed) files.crash_after(0);
    stop();
    executor.run();
    files.set({});
    clock.advance_ms(2000);
    start();
  }

  void put(const std::string& path, const Pairs& fields, const std::string& body, const Pairs& request = {}) {
    Request asked(path, request);
    Lookup lookup = find(asked);
    ASSERT_TRUE(lookup.writer) << path;
    ASSERT_EQ(fill(lookup, Response(fields), body, clock.wall_ms()), Writer::Verdict::stored) << path;
    executor.run();
  }
  // As an exchange does it: waits for the disk, once, and looks again.
  Lookup find(const Request& request) {
    RequestView view = request.at(clock.wall_ms());
    for (int tries = 0;; ++tries) {
      Lookup lookup = cache->find(view);
      if (!lookup.loading) return lookup;
      EXPECT_LT(tries, 3);
      EXPECT_EQ(lookup.reader->state(), Reader::State::pending);
      executor.run();
      EXPECT_EQ(lookup.reader->state(), Reader::State::released);
      EXPECT_TRUE(lookup.reader->retry());
      view.asked_disk = lookup.reader->asked_disk();
    }
  }
  std::string read(const ObjectRef& object) {
    Reader reader(object);
    Body body;
    for (;;) {
      switch (reader.state()) {
        case Reader::State::more:
          reader.read(body, 10'000);
          break;
        case Reader::State::wait: {
          auto waker = std::make_shared<CountingWaker>();
          reader.wait(waker);
          executor.run();
          EXPECT_GE(waker->count, 1);
          ++waits;
          break;
        }
        default:
          return body.to_string();
      }
    }
  }
  testing::AssertionResult is(const std::string& path, const std::string& body, const Pairs& request = {}) {
    Lookup lookup = find(Request(path, request));
    if (lookup.outcome != Outcome::hit) return testing::AssertionFailure() << path << " is no hit";
    if (read(lookup.object) != body) return testing::AssertionFailure() << path << " has other bytes";
    return testing::AssertionSuccess();
  }
  testing::AssertionResult missing(const std::string& path, const Pairs& request = {}) {
    Lookup lookup = find(Request(path, request));
    if (lookup.outcome == Outcome::miss) return testing::AssertionSuccess();
    return testing::AssertionFailure() << path << ": " << static_cast<int>(lookup.outcome);
  }

  uint64_t store_bytes = 64 << 20, segment_bytes = 16 << 20;
  Directory directory;
  disk::test::FaultFiles files;
  ManualExecutor executor;
  FakeClock clock{start_ms};
  std::shared_ptr<disk::Disk> store;
  std::unique_ptr<Cache> cache;
  uint64_t starts = 0;
  int waits = 0;
};

inline const Pairs fresh = {{"Cache-Control", "max-age=600"}, {"ETag", "\"e\""}, {"X-Other", "a, b"}};

}  // namespace portolan::edge::test
