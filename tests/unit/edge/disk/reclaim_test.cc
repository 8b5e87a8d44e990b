// What happens to records while their segment is reclaimed.
#include <map>

#include "tests/unit/edge/disk/fixture.hh"

namespace portolan::edge::disk::test {
namespace {

TEST_F(DiskTest, WhatIsRewrittenWhileItsSegmentIsReclaimedIsNotMovedBehindIt) {
  tuning.segment_bytes = 2 << 20;
  config.bytes = 8 * tuning.segment_bytes;
  open();
  uint64_t n = 0;
  for (; disk->stats().segments_free > 2; ++n) {
    write(n, 1, 10);
    disk->touch(key_of(n));
  }
  std::map<uint64_t, uint64_t> last;
  uint64_t sequence = 1, moved = 0;
  for (int round = 0; round < 6; ++round) {
    while (disk->stats().reclaimed == 0) {
      for (int i = 0; i < 300; ++i) {
        uint64_t again = mixed(++sequence) % n;
        ASSERT_TRUE(disk->write(record_of(again, sequence, 10)));
        last[again] = sequence;
      }
      executor.run_one();
    }
    moved += disk->stats().rewritten_bytes;
    open();
    for (auto [record, version_now] : last) {
      uint64_t is = version(record);
      ASSERT_TRUE(is == version_now || is == 0) << "record " << record << " is of version " << is;
    }
    for (uint64_t i = 0; i < n; ++i) disk->touch(key_of(i));
  }
  EXPECT_GT(moved, 1'000'000u);
}

}  // namespace
}  // namespace portolan::edge::disk::test
