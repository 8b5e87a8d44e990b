#include "edge/purge/clock.hh"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "core/base/clock.hh"
#include "edge/purge/digest.hh"
#include "edge/rules.hh"

namespace portolan::edge::test {
namespace {

std::string key_of(const std::string& path) {
  static const Rules rules{CacheConfig{}};
  std::string key;
  compose_url_key(rules, "http", "a.test", path, std::nullopt, key);
  return key;
}

PurgeTags tags(const std::vector<std::string>& names) {
  PurgeTags out;
  for (const std::string& name : names) out.digests.push_back(tag_digest(name));
  return out;
}

PurgeClock::Mark tag_mark(const std::string& name, bool soft = false, int64_t at_ms = 0) {
  return {tag_digest(name), 0, soft, at_ms};
}

TEST(PurgeClock, NothingIsPurgedAtFirst) {
  PurgeClock clock;
  EXPECT_EQ(clock.latest(), 0u);
  EXPECT_EQ(clock.generation(), 0u);
  EXPECT_EQ(clock.check(key_of("/"), tags({"a"}), 1).how, Purged::no);
  EXPECT_EQ(clock.bytes(), 0u);
}

// Among a hundred thousand names none is taken for another, and every one is found while the table grows.
TEST(PurgeClock, ManyNamesAreExact) {
  PurgeClock clock;
  uint64_t sequence = 0;
  for (int i = 0; i < 100'000; ++i) {
    EXPECT_EQ(clock.check(key_of("/"), tags({std::to_string(i)}), 0).how, Purged::no);
    clock.add(tag_mark(std::to_string(i)), [&] { return ++sequence; });
  }
  for (int i = 0; i < 100'000; ++i) {
    auto n = static_cast<uint64_t>(i);
    ASSERT_EQ(clock.check(key_of("/"), tags({"x", std::to_string(i)}), n).how, Purged::hard);
    ASSERT_EQ(clock.check(key_of("/"), tags({std::to_string(i)}), n + 1).how, Purged::no);
    ASSERT_EQ(clock.check(key_of("/" + std::to_string(i)), tags({"no" + std::to_string(i)}), 0).how, Purged::no);
  }
  EXPECT_FALSE(clock.take_retired().empty());
}

TEST(PurgeClock, HardWinsOverSoftAndTheFirstSoftCounts) {
  PurgeClock clock;
  uint64_t sequence = 10;
  auto next = [&] { return ++sequence; };
  clock.add(tag_mark("a", true, 500), next);
  clock.add(tag_mark("b", true, 400), next);
  EXPECT_EQ(clock.check(key_of("/"), tags({"a", "b"}), 5).how, Purged::soft);
  EXPECT_EQ(clock.check(key_of("/"), tags({"a", "b"}), 5).at_ms, 400);
  EXPECT_EQ(clock.check(key_of("/"), tags({"a", "b"}), 11).how, Purged::soft);
  EXPECT_EQ(clock.check(key_of("/"), tags({"a", "b"}), 12).how, Purged::no);
  clock.add(tag_mark("a"), next);
  EXPECT_EQ(clock.check(key_of("/"), tags({"b", "a"}), 5).how, Purged::hard);
  clock.add_all(true, 300, next);
  EXPECT_EQ(clock.check(key_of("/"), {}, 13).at_ms, 300);
  clock.raise({100, 0, 0});
  EXPECT_EQ(clock.check(key_of("/"), {}, 99).how, Purged::hard);
  EXPECT_EQ(clock.check(key_of("/"), {}, 100).how, Purged::no);
  clock.raise({50, 0, 0});
  EXPECT_EQ(clock.floors().hard, 100u);
}

// Before it is numbered: whoever has a higher number than a purge can't miss it.
TEST(PurgeClock, AMarkIsSeenBeforeItHasItsNumber) {
  PurgeClock clock;
  uint64_t sequence = 10;
  for (bool soft : {true, false}) {
    uint64_t generation = clock.generation();
    clock.add(tag_mark("a", soft, 7), [&] {
      EXPECT_NE(clock.generation(), generation);
      EXPECT_EQ(clock.check(key_of("/"), tags({"a"}), sequence).how, soft ? Purged::soft : Purged::hard);
      EXPECT_EQ(clock.check(key_of("/"), tags({"b"}), sequence).how, Purged::no);
      generation = clock.generation();
      return ++sequence;
    });
    EXPECT_NE(clock.generation(), generation) << "what was numbered later meanwhile is asked about again";
    EXPECT_EQ(clock.check(key_of("/"), tags({"a"}), sequence).how, Purged::no);
    EXPECT_EQ(clock.latest(), sequence);
  }
  for (bool soft : {true, false}) {
    PurgeClock other;
    other.add_all(soft, 7, [&] {
      EXPECT_EQ(other.check(key_of("/"), {}, sequence).how, soft ? Purged::soft : Purged::hard);
      return ++sequence;
    });
    EXPECT_EQ(other.check(key_of("/"), {}, sequence).how, Purged::no);
  }
}

TEST(PurgeClock, RebuiltItKnowsWhatItWasToldAgain) {
  PurgeClock clock;
  uint64_t sequence = 0;
  for (const char* name : {"a", "b", "c"}) clock.add(tag_mark(name), [&] { return ++sequence; });
  uint64_t generation = clock.generation();
  clock.rebuild({1, 0, 0}, [](PurgeClock& fresh) { fresh.restore(tag_mark("c"), 3); });
  EXPECT_NE(clock.generation(), generation);
  EXPECT_EQ(clock.check(key_of("/"), tags({"b"}), 1).how, Purged::no);
  EXPECT_EQ(clock.check(key_of("/"), tags({"c"}), 1).how, Purged::hard);
  EXPECT_EQ(clock.check(key_of("/"), {}, 0).how, Purged::hard);
  EXPECT_EQ(clock.latest(), 3u);
}

// Whoever gets a number above a purge's sees that purge from then on, and who was found unpurged since a generation
// wasn't purged before it.
TEST(PurgeClock, NumbersAndMarksAgreeAcrossThreads) {
  PurgeClock clock;
  std::mutex readers;
  std::atomic<uint64_t> sequence{0}, done{0}, taken{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&, t] {
      Rng rng(static_cast<uint64_t>(t));
      std::string key = key_of("/x");
      while (!stop) {
        uint64_t before = done;  // this many purges of the tag have come back
        std::lock_guard lock(readers);
        uint64_t mine = ++sequence;
        auto verdict = clock.check(key, tags({"a"}), before == 0 ? mine : before - 1);
        if (before > 0) EXPECT_EQ(verdict.how, Purged::hard);
        // A purge whose number is below ours, though it may not have come back yet.
        uint64_t numbered = taken;
        if (numbered != 0 && numbered < mine) EXPECT_EQ(clock.check(key, tags({"a"}), numbered - 1).how, Purged::hard);
      }
    });
  for (int i = 0; i < 3000; ++i) {
    done = clock.add(tag_mark("a"), [&] { return taken = ++sequence; });
    clock.add(tag_mark(std::to_string(i)), [&] { return ++sequence; });
    done = clock.add(tag_mark("a"), [&] { return taken = ++sequence; });
    auto retired = clock.take_retired();
    std::lock_guard lock(readers);  // nobody reads them any more
    if (i % 500 == 0) {
      clock.rebuild({}, [&](PurgeClock& fresh) { fresh.restore(tag_mark("a"), done); });
    }
  }
  stop = true;
  for (std::thread& t : threads) t.join();
}

}  // namespace
}  // namespace portolan::edge::test
