// A store's life at random against a map: what was replaced or removed never comes back, and what was written and not
// reclaimed is there, whatever happens in between and however it ends.
#include <algorithm>
#include <map>

#include "tests/unit/edge/disk/fixture.hh"

namespace portolan::edge::disk::test {
namespace {

class ModelTest : public DiskTest {
 protected:
  static constexpr uint64_t keys = 16'000;
  struct Known {
    uint64_t last = 0;              // the version that counts; 0: none
    std::vector<uint64_t> also;     // what may be read until all that waits is written
    std::vector<uint64_t> removed;  // a crash may bring them back
  };

  void put(uint64_t n, size_t size) {
    Known& k = known[n];
    note_reclaimed(n);
    uint64_t sequence = ++sequence_;
    ASSERT_TRUE(disk->write(record_of(n, sequence, size)));
    k.also.push_back(k.last);
    k.last = sequence;
  }
  // Before n changes. Of what waits nobody can tell.
  void note_reclaimed(uint64_t n) {
    const Known& k = known[n];
    if (!k.also.empty())
      ++unsure_;
    else if (k.last != 0 && !disk->may_have(key_of(n)))
      ++missing_;
  }
  void remove(uint64_t n) {
    Known& k = known[n];
    note_reclaimed(n);
    if (k.last == 0) return;
    disk->remove(key_of(n));
    std::vector<uint64_t> gone = std::move(k.also);
    gone.push_back(k.last);
    k = {0, {}, std::move(gone)};
    ASSERT_EQ(version(n), 0u) << n;
  }
  // A write that came too late.
  void put_older(uint64_t n) {
    Known& k = known[n];
    if (k.last < 2 || !k.also.empty() || version(n) != k.last) return;
    ASSERT_TRUE(disk->write(record_of(n, k.last - 1, 300)));
  }

  void drain() {
    executor.run();
    for (auto& [n, k] : known) {
      k.also.clear();
      if (k.last != 0) k.removed.clear();
    }
  }
  void work() {
    for (uint64_t left = rng.below(4); left > 0 && executor.run_one(); --left) {
    }
  }
  void look_at(uint64_t n) {
    const Known& k = known[n];
    uint64_t is = version(n);
    bool may = is == 0 || is == k.last || std::find(k.also.begin(), k.also.end(), is) != k.also.end();
    ASSERT_TRUE(may) << "record " << n << " is of version " << is << " again, after " << k.last;
  }

  // All at rest: what isn't there any more was reclaimed.
  void look_at_all() {
    drain();
    uint64_t there = 0;
    for (auto& [n, k] : known) {
      ASSERT_NO_FATAL_FAILURE(look_at(n));
      bool is = version(n) != 0;
      there += is;
      if (k.last == 0 || is) continue;
      ++missing_;
      k = {};
    }
    Stats stats = disk->stats();
    EXPECT_EQ(stats.objects, there);
    EXPECT_EQ(stats.damaged, 0u);
    EXPECT_EQ(stats.refused, 0u);
    EXPECT_LE(missing_, stats.evicted);
    EXPECT_GE(missing_ + unsure_, stats.evicted);
    uint64_t live = 0;
    for (const SegmentStats& segment : disk->segments()) live += segment.objects;
    EXPECT_EQ(live, there);
  }

  void reopen_in_order() {
    ASSERT_NO_FATAL_FAILURE(look_at_all());
    std::map<uint64_t, uint64_t> before = all();
    open();
    ASSERT_EQ(disk->stats().state, Stats::State::serving);
    missing_ = unsure_ = 0;
    for (auto& [n, k] : known) {
      uint64_t was = before.contains(n) ? before[n] : 0;
      if (went_at_the_start(k, was, version(n))) continue;
      ASSERT_EQ(version(n), was) << "record " << n << ", last " << k.last;
    }
    ASSERT_LE(missing_, disk->stats().evicted);
  }

  // A store that starts with little room reclaims at once.
  bool went_at_the_start(Known& k, uint64_t was, uint64_t is) {
    if (was == 0 || is != 0 || disk->stats().evicted == 0) return false;
    ++missing_;
    k = {};
    return true;
  }

  // Amid whatever it was doing.
  void reopen_after_a_kill() {
    std::map<uint64_t, uint64_t> before = all();
    kill();
    open();
    ASSERT_EQ(disk->stats().state, Stats::State::serving);
    missing_ = unsure_ = 0;
    for (auto& [n, k] : known) {
      uint64_t was = before.contains(n) ? before[n] : 0, is = version(n);
      if (went_at_the_start(k, was, is)) continue;
      // Its segment was about to go, or the last write just came through.
      bool removed = std::find(k.removed.begin(), k.removed.end(), is) != k.removed.end();
      bool back = (was == 0 && removed) || (is == k.last && (was == 0 || !k.also.empty()));
      ASSERT_TRUE(is == was || back) << "record " << n << " was of version " << was << " and is of " << is << "; last "
                                     << k.last << ", removed " << testing::PrintToString(k.removed);
      if (is != 0) k.removed.clear();
      k.last = is;
      k.also.clear();
    }
    ASSERT_LE(missing_, disk->stats().evicted);
  }

  std::map<uint64_t, uint64_t> all() {
    std::map<uint64_t, uint64_t> out;
    for (const auto& [n, k] : known)
      if (uint64_t is = version(n)) out[n] = is;
    return out;
  }

  void step() {
    uint64_t hot = rng.below(1'000), any = rng.below(keys);
    uint64_t n = rng.below(3) ? any : hot;
    switch (rng.below(16)) {
      case 0:
        return remove(n);
      case 1:
        return put_older(n);
      case 2:
      case 3:
        return look_at(n);
      case 4:
      case 5:
      case 6:
        for (uint64_t i = 0; i < 20; ++i) disk->touch(key_of(rng.below(keys)));
        return;
      case 7:
        clock.advance_ms(static_cast<int64_t>(rng.below(700)));
        disk->tick();
        return;
      case 8:
      case 9:
        return work();
      default:
        return put(n, rng.below(40) ? rng.below(400) : rng.below(60'000));
    }
  }

  std::map<uint64_t, Known> known;
  Rng rng{2'026};
  uint64_t sequence_ = 1'000, missing_ = 0, unsure_ = 0;
};

TEST_F(ModelTest, NothingReplacedOrRemovedComesBackAndNothingElseIsLost) {
  tuning.checkpoint_ms = 20'000;
  tuning.segment_bytes = 2 << 20;  // moved by several jobs
  config.bytes = 8 * tuning.segment_bytes;
  uint64_t reclaimed = 0, moved = 0;
  open();
  for (int round = 0; round < (full_scale() ? 1'000 : 40); ++round) {
    SCOPED_TRACE(round);
    for (int i = 0; i < 8'000; ++i) ASSERT_NO_FATAL_FAILURE(step()) << i;
    reclaimed += disk->stats().reclaimed;
    moved += disk->stats().rewritten_bytes;
    if (round % 3 == 0) {
      ASSERT_NO_FATAL_FAILURE(look_at_all());
    } else if (round % 3 == 1) {
      ASSERT_NO_FATAL_FAILURE(reopen_in_order());
    } else {
      ASSERT_NO_FATAL_FAILURE(reopen_after_a_kill());
    }
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_GT(reclaimed, 100u);
  EXPECT_GT(moved, 1'000'000u);
}

}  // namespace
}  // namespace portolan::edge::disk::test
