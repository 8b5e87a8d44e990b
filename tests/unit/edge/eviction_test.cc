// What every eviction policy owes, and what each is for.
#include <algorithm>
#include <deque>
#include <set>
#include <thread>

#include "core/base/clock.hh"
#include "edge/evict/ghost.hh"
#include "edge/evict/residents.hh"
#include "tests/unit/edge/support.hh"

namespace portolan::edge::test {
namespace {

constexpr uint64_t budget = 1 << 20;

const EvictionPart& part(std::string_view name) {
  const EvictionPart* found = Registration<EvictionPart>::find(name);
  if (!found) std::abort();
  return *found;
}

uint64_t spread(uint64_t n) {
  return (n + 1) * 0x9E3779B97F4A7C15u;
}

// A shelf of a fixed number of bytes under one policy.
class Shelf {
 public:
  Shelf(std::string_view policy, uint64_t room) : residents_(part(policy), budget), room_(room) {}

  bool has(uint64_t key) const { return find(key) != nullptr; }
  // Asks for it: false, and puts it there, when it was gone.
  bool ask(uint64_t key, uint32_t bytes = 1, bool ordinary = false) {
    if (Resident* r = find(key)) {
      residents_.touch(*r);
      return true;
    }
    while (used_ + bytes > room_) evict();
    Resident& r = *things_.emplace_back(std::make_unique<Resident>());
    r.hash = spread(key);
    r.bytes = bytes;
    r.ordinary = ordinary;
    residents_.admit(r);
    used_ += bytes;
    return false;
  }
  void forget(uint64_t key) {
    Resident* r = find(key);
    residents_.forget(*r);
    drop(r);
  }
  bool evict() {
    Residents::Choice c = residents_.choose();
    if (!c.resident) return false;
    EXPECT_TRUE(residents_.claim(c));
    EXPECT_EQ(c.resident->state, Resident::State::outside);
    gone_.push_back(c.resident->hash);
    drop(c.resident);
    return true;
  }
  size_t count() const { return things_.size(); }
  uint64_t used() const { return used_; }
  const std::vector<uint64_t>& gone() const { return gone_; }
  Residents& residents() { return residents_; }

 private:
  Resident* find(uint64_t key) const {
    auto at = std::find_if(things_.begin(), things_.end(), [&](auto& t) { return t->hash == spread(key); });
    return at == things_.end() ? nullptr : at->get();
  }
  void drop(Resident* r) {
    used_ -= r->bytes;
    std::erase_if(things_, [&](auto& t) { return t.get() == r; });
  }
  Residents residents_;
  uint64_t room_;
  uint64_t used_ = 0;
  std::vector<std::unique_ptr<Resident>> things_;
  std::vector<uint64_t> gone_;
};

class Eviction : public ::testing::TestWithParam<std::string> {};

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const EvictionPart* p : Registration<EvictionPart>::all()) all.emplace_back(p->name);
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, Eviction, ::testing::ValuesIn(names()), [](const auto& test) {
  std::string name = test.param;
  std::erase(name, '-');
  return name;
});

TEST_P(Eviction, EverythingGoesOnceAndNothingElse) {
  Shelf shelf(GetParam(), UINT64_MAX);
  Rng rng(3);
  std::set<uint64_t> in;
  for (uint64_t step = 0; step < 20'000; ++step) {
    uint64_t key = rng.below(300);
    switch (rng.below(4)) {
      case 0:
        if (in.count(key)) shelf.forget(key);
        in.erase(key);
        break;
      case 1: {
        size_t before = shelf.gone().size();
        ASSERT_EQ(shelf.evict(), !in.empty());
        if (shelf.gone().size() == before) break;
        ASSERT_EQ(std::erase_if(in, [&](uint64_t k) { return spread(k) == shelf.gone().back(); }), 1u);
        break;
      }
      default:
        ASSERT_EQ(shelf.ask(key, static_cast<uint32_t>(1 + rng.below(100'000))), !in.insert(key).second);
    }
    ASSERT_EQ(shelf.count(), in.size());
  }
  while (shelf.evict()) {
  }
  EXPECT_EQ(shelf.count(), 0u);
}

TEST_P(Eviction, WhatIsUsedStays) {
  Shelf shelf(GetParam(), 100);
  for (uint64_t key = 0; key < 100; ++key) shelf.ask(key);
  for (uint64_t round = 0; round < 50; ++round) {
    for (uint64_t key = 10; key < 15; ++key) ASSERT_TRUE(shelf.ask(key)) << round;
    for (uint64_t key = 0; key < 5; ++key) shelf.ask(1000 + round * 5 + key);
  }
  EXPECT_EQ(shelf.count(), 100u);
}

TEST_P(Eviction, AChoiceIsNotTakenWhenItHasGone) {
  Residents residents(part(GetParam()), budget);
  Resident first, second;
  residents.admit(first);
  Residents::Choice choice = residents.choose();
  ASSERT_EQ(choice.resident, &first);
  EXPECT_EQ(residents.choose().resident, nullptr) << "nobody else gets it";
  residents.touch(first);  // somebody still finds it
  residents.forget(first);
  EXPECT_FALSE(residents.claim(choice));
  residents.admit(first);  // another, at the same address
  EXPECT_FALSE(residents.claim(choice));
  Residents::Choice again = residents.choose();
  ASSERT_EQ(again.resident, &first);
  EXPECT_FALSE(residents.claim(choice)) << "chosen by somebody else";
  EXPECT_TRUE(residents.claim(again));
  residents.forget(first);  // nothing
  residents.forget(second);
  EXPECT_EQ(residents.choose().resident, nullptr);
}

TEST_P(Eviction, HitsAreCounted) {
  Residents residents(part(GetParam()), budget);
  Resident r;
  residents.admit(r);
  for (int i = 0; i < 1000; ++i) residents.touch(r);
  EXPECT_EQ(r.hits, 1000u);
  EXPECT_LE(r.uses, Resident::most_uses);
  residents.forget(r);
}

// However much was used since it last chose, a choice looks at few.
TEST_P(Eviction, AChoiceIsQuickWhateverWasUsed) {
  Residents residents(part(GetParam()), budget);
  std::vector<std::unique_ptr<Resident>> all;
  for (int i = 0; i < 100'000; ++i) {
    all.push_back(std::make_unique<Resident>());
    all.back()->hash = spread(static_cast<uint64_t>(i));
    all.back()->bytes = 1000;
    residents.admit(*all.back());
  }
  for (int i = 0; i < 10; ++i)
    for (auto& r : all) residents.touch(*r);
  residents.choose();
  size_t looked_at = 0;
  for (auto& r : all) looked_at += r->uses != Resident::most_uses;
  EXPECT_LE(looked_at, 300u);
}

TEST_P(Eviction, AnotherPolicyTakesOverAllThereIs) {
  for (const std::string& other : names()) {
    Shelf shelf(GetParam(), 1000);
    for (uint64_t key = 0; key < 500; ++key) shelf.ask(key);
    shelf.residents().change(part(other), budget * 2);
    for (uint64_t key = 0; key < 500; ++key) EXPECT_TRUE(shelf.ask(key));
    size_t left = 500;
    for (; shelf.evict(); --left) {
    }
    EXPECT_EQ(left, 0u) << other;
  }
}

TEST_P(Eviction, ManyThreadsAtOnce) {
  Residents residents(part(GetParam()), budget);
  std::atomic<int> in{0};
  auto work = [&](uint64_t seed) {
    Rng rng(seed);
    std::deque<Resident> mine(200);  // its own shard, of which nobody else claims
    std::vector<Residents::Choice> others;
    for (Resident& r : mine) r.shard = static_cast<uint16_t>(seed);
    for (int step = 0; step < 20'000; ++step) {
      Resident& r = mine[rng.below(mine.size())];
      if (r.hash == 0) {
        r.hash = spread(rng.below(1000));
        r.bytes = static_cast<uint32_t>(1 + rng.below(5000));
        residents.admit(r);
        ++in;
      } else if (rng.below(3) == 0) {
        residents.forget(r);
        r.hash = 0;
        --in;
      } else {
        residents.touch(r);
      }
      if (rng.below(4) != 0) continue;
      Residents::Choice c = residents.choose();
      if (c.resident && c.shard == seed && residents.claim(c)) {
        c.resident->hash = 0;
        --in;
      }
    }
    for (Resident& r : mine) {
      if (r.hash == 0) continue;
      residents.forget(r);
      --in;
    }
  };
  std::vector<std::thread> threads;
  for (uint64_t t = 1; t <= 4; ++t) threads.emplace_back(work, t);
  for (auto& t : threads) t.join();
  EXPECT_EQ(in, 0);
  EXPECT_EQ(residents.choose().resident, nullptr);
}

TEST(Lru, TheLeastRecentlyUsedGoesFirst) {
  Shelf shelf("lru", 3);
  for (uint64_t key : {1, 2, 3, 1, 4}) shelf.ask(key);
  EXPECT_FALSE(shelf.has(2));
  shelf.ask(3);
  shelf.ask(5);
  EXPECT_FALSE(shelf.has(1));
  EXPECT_TRUE(shelf.has(3));
}

TEST(Sieve, TheHandTakesWhatWasNotUsedSinceItCameBy) {
  Shelf shelf("sieve", 4);
  for (uint64_t key : {1, 2, 3, 4, 1, 2, 5}) shelf.ask(key);
  EXPECT_FALSE(shelf.has(3)) << "1 and 2 were used";
  shelf.ask(6);
  EXPECT_FALSE(shelf.has(4)) << "the hand goes on from where it was";
  shelf.ask(7);
  EXPECT_FALSE(shelf.has(5));
  shelf.ask(8);
  EXPECT_FALSE(shelf.has(6)) << "new ones come behind the hand's way";
  EXPECT_TRUE(shelf.has(1) && shelf.has(2));
}

TEST(S3Fifo, AScanLeavesWhatIsUsedAlone) {
  Shelf shelf("s3-fifo", 1000), plain("lru", 1000);
  for (Shelf* s : {&shelf, &plain}) {
    for (uint64_t round = 0; round < 3; ++round)
      for (uint64_t key = 0; key < 500; ++key) s->ask(key);
    for (uint64_t key = 0; key < 3000; ++key) s->ask(10'000 + key);
  }
  size_t kept = 0, kept_plain = 0;
  for (uint64_t key = 0; key < 500; ++key) {
    kept += shelf.has(key);
    kept_plain += plain.has(key);
  }
  EXPECT_GT(kept, 450u);
  EXPECT_EQ(kept_plain, 0u);
}

TEST(S3Fifo, WhoComesBackSoonAfterItWentStays) {
  Shelf shelf("s3-fifo", 1000);
  for (uint64_t key = 0; key < 2000; ++key) shelf.ask(key);
  const uint64_t key = 999;
  EXPECT_FALSE(shelf.ask(key));
  for (uint64_t other = 0; other < 3000; ++other) shelf.ask(10'000 + other);
  EXPECT_TRUE(shelf.has(key)) << "it is in the main queue, which one-hit wonders don't reach";
}

TEST(S3Fifo, AmongFewTheTrialIsLongEnough) {
  Shelf shelf("s3-fifo", 100);
  for (uint64_t key = 0; key < 60; ++key) shelf.ask(key);
  for (uint64_t round = 0; round < 2; ++round)
    for (uint64_t key = 0; key < 60; ++key) shelf.ask(key);
  for (uint64_t key = 100; key < 200; ++key) shelf.ask(key);
  ASSERT_EQ(shelf.count(), 100u);
  EXPECT_FALSE(shelf.ask(500));
  for (uint64_t key = 200; key < 225; ++key) shelf.ask(key);
  EXPECT_TRUE(shelf.ask(500)) << "a tenth would be ten, and it gone";
}

TEST(S3Fifo, SmallOnesStayLonger) {
  Shelf shelf("s3-fifo", 100'000);
  for (uint64_t key = 0; key < 200; ++key) {
    shelf.ask(key * 2, 50);
    shelf.ask(key * 2 + 1, 5000);
  }
  size_t small = 0, large = 0;
  for (uint64_t key = 0; key < 200; ++key) {
    small += shelf.has(key * 2);
    large += shelf.has(key * 2 + 1);
  }
  EXPECT_EQ(small, 200u);
  EXPECT_LT(large, 20u);
  for (uint64_t key = 0; key < 40'000; ++key) shelf.ask(1'000'000 + key, 5000);
  small = 0;
  for (uint64_t key = 0; key < 200; ++key) small += shelf.has(key * 2);
  EXPECT_EQ(small, 0u) << "but not for ever";
}

TEST(S3Fifo, OrdinaryOnesDontGainBySize) {
  for (bool ordinary : {false, true}) {
    Shelf shelf("s3-fifo", 1'000'000);
    for (uint64_t key = 0; key < 100; ++key) shelf.ask(key, 10'000);
    for (uint64_t key = 1000; key < 1300; ++key) shelf.ask(key, 100, ordinary);
    for (uint64_t key = 2000; key < 3000; ++key) shelf.ask(key, 10'000);
    size_t kept = 0;
    for (uint64_t key = 1000; key < 1300; ++key) kept += shelf.has(key);
    EXPECT_EQ(kept, ordinary ? 0u : 300u);
  }
}

TEST(Ghost, RemembersTheNewest) {
  Ghost ghost(64 << 10);
  EXPECT_EQ(ghost.own_bytes(), 64u << 10);
  for (uint64_t key = 0; key < 2000; ++key) ghost.add(spread(key), 1000);
  size_t old = 0, young = 0;
  for (uint64_t key = 0; key < 1000; ++key) old += ghost.take(spread(key));
  for (uint64_t key = 1000; key < 2000; ++key) young += ghost.take(spread(key));
  EXPECT_EQ(old, 0u);
  EXPECT_GT(young, 990u);
  EXPECT_FALSE(ghost.take(spread(1999))) << "once";
}

TEST(Ghost, IsBoundedByItsMemory) {
  Ghost ghost(1000);
  EXPECT_LE(ghost.own_bytes(), 1000u);
  EXPECT_EQ(Ghost(0).own_bytes(), 64u);
  for (uint64_t key = 0; key < 5000; ++key) ghost.add(spread(key), 5000);
  size_t known = 0;
  for (uint64_t key = 0; key < 5000; ++key) known += ghost.take(spread(key));
  EXPECT_GT(known, 50u);
  EXPECT_LE(known, 1000u / 8);
}

}  // namespace
}  // namespace portolan::edge::test
