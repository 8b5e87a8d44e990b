// What goes on when the disk doesn't.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>

#include "tests/unit/edge/disk/fixture.hh"

namespace portolan::edge::disk::test {
namespace {

using Asked = FaultFiles::Asked;

class FailureTest : public DiskTest {
 protected:
  void SetUp() override {
    open();
    for (uint64_t n = 0; n < 20; ++n) write(n, n + 1, 10'000);
  }
  void expect_all_there() {
    for (uint64_t n = 0; n < 20; ++n) EXPECT_EQ(version(n), n + 1);
  }
  void forget(const Found& found) {
    int fd = ::open((config.path + "/data").c_str(), O_WRONLY);
    std::string zeros(found.length, '\0');
    EXPECT_EQ(::pwrite(fd, zeros.data(), zeros.size(), found.offset), static_cast<ssize_t>(zeros.size()));
    ::close(fd);
  }
  void expect_aside(const std::string& reason) {
    EXPECT_EQ(disk->stats().state, Stats::State::aside);
    EXPECT_NE(disk->stats().reason.find(reason), std::string::npos) << disk->stats().reason;
    EXPECT_FALSE(disk->write(record_of(999, 999, 10)));
  }
  static FaultFiles::Fault failing(Call call, int code, const std::string& name = "data") {
    return [=](const Asked& a) { return a.call == call && a.name == name ? code : 0; };
  }
};

TEST_F(FailureTest, NoSpaceStopsWritingOnly) {
  for (int how : {ENOSPC, FaultFiles::half_write, EROFS, EDQUOT}) {
    files.set(failing(Call::write, how));
    write(100, 100, 10'000);
    SCOPED_TRACE(how);
    expect_aside("cannot write");
    EXPECT_EQ(version(100), 0u);
    expect_all_there();
    ticks(tuning.retry_ms);
    write(100, 100, 10'000);
    SCOPED_TRACE(how);
    expect_aside("cannot write");
    files.set({});
    ticks(tuning.retry_ms);
    EXPECT_EQ(disk->stats().state, Stats::State::serving);
    EXPECT_TRUE(write(100, 100, 10'000));
    EXPECT_EQ(version(100), 100u);
    disk->remove(key_of(100));
  }
  open();
  expect_all_there();
}

TEST_F(FailureTest, AVersionThatCannotBeWrittenLeavesNoOlderOne) {
  for (int how : {ENOSPC, FaultFiles::half_write, EIO}) {
    SCOPED_TRACE(how);
    write(3, 4, 10'000);
    write(4, 5, 10'000);
    ASSERT_EQ(version(3), 4u);
    files.set(failing(Call::write, how));
    EXPECT_TRUE(write(3, 100, 10'000));
    EXPECT_EQ(version(3), 0u);
    EXPECT_EQ(version(4), 5u);
    files.set({});
    ticks(tuning.retry_ms);
    EXPECT_EQ(version(3), 0u);
    write(100, 100, 10'000);  // and it can be written to
    EXPECT_EQ(version(100), 100u);
    open();
    EXPECT_EQ(version(3), 0u);
  }
}

TEST_F(FailureTest, WhatIsRemovedWhileItStartsOrIsAsideStaysAway) {
  disk = std::make_unique<Disk>(config, files, executor, clock, tuning);
  executor.run();
  disk->start();
  disk->remove(key_of(3));
  executor.run();
  EXPECT_EQ(version(3), 0u);
  EXPECT_EQ(version(4), 5u);
  EXPECT_EQ(disk->stats().objects, 19u);
  std::filesystem::rename(config.path, directory / "gone");
  ticks(tuning.retry_ms);
  expect_aside("is gone");
  disk->remove(key_of(5));
  std::filesystem::rename(directory / "gone", config.path);
  ticks(tuning.retry_ms);
  EXPECT_EQ(version(5), 0u);
  EXPECT_EQ(version(6), 7u);
  open();
  EXPECT_EQ(version(5), 0u);
  write(5, 50, 10'000);
  EXPECT_EQ(version(5), 50u);
}

TEST_F(FailureTest, ADiskSmallerThanConfiguredIsUsedAsFarAsItGoes) {
  files.set([](const Asked& a) { return a.call == Call::allocate && a.offset >= 10 * small_segment ? ENOSPC : 0; });
  for (uint64_t n = 100; n < 400; ++n) EXPECT_TRUE(write(n, n, 20'000));
  EXPECT_EQ(disk->stats().state, Stats::State::serving);
  EXPECT_EQ(version(399), 399u);
  EXPECT_GT(disk->stats().reclaimed, 5u);
  EXPECT_LE(std::filesystem::file_size(config.path + "/data"), 10 * small_segment);
  EXPECT_GT(disk->stats().segments_without_room, 10u);
  files.set({});  // and grows with the space there is
  while (disk->stats().segments_without_room > 0) {
    const uint64_t before = disk->stats().segments_without_room;
    ticks(tuning.retry_ms);
    ASSERT_LT(disk->stats().segments_without_room, before);
  }
  const uint64_t objects = disk->stats().objects;
  for (uint64_t n = 400; n < 500; ++n) EXPECT_TRUE(write(n, n, 20'000));
  EXPECT_GT(disk->stats().objects, objects + 50);
}

TEST_F(FailureTest, SpaceThatSomebodyElseTookIsNoReasonToThrowThingsOut) {
  for (uint64_t n = 100; n < 600; ++n) write(n, n, 20'000);
  uint64_t there = disk->stats().objects;
  files.set([](const Asked& a) { return a.call == Call::allocate ? ENOSPC : 0; });
  for (uint64_t n = 1'000; n < 1'100; ++n) write(n, n, 20'000);
  expect_aside("cannot change data");
  EXPECT_GE(disk->stats().objects + 40, there);
  files.set({});
  ticks(tuning.retry_ms);
  EXPECT_TRUE(write(2'000, 2'000, 20'000));
  EXPECT_EQ(version(2'000), 2'000u);
}

TEST_F(FailureTest, AnErrorOfOneSegmentCostsThatSegmentsEnd) {
  bool once = true;
  files.set([&](const Asked& a) {
    return a.call == Call::write && a.name == "data" && std::exchange(once, false) ? EIO : 0;
  });
  write(100, 100, 10'000);
  EXPECT_EQ(version(100), 0u);
  EXPECT_EQ(disk->stats().state, Stats::State::serving);
  write(101, 101, 10'000);
  EXPECT_EQ(version(101), 101u);
  EXPECT_EQ(disk->stats().errors, 1u);
  expect_all_there();
  kill();
  open();
  expect_all_there();
  EXPECT_EQ(version(101), 101u);
}

TEST_F(FailureTest, ARecordThatCannotBeReadIsAMiss) {
  auto found = disk->read(key_of(7));
  uint64_t from = static_cast<uint64_t>(found->offset), to = from + found->length;
  found.reset();
  open();
  files.set([=](const Asked& a) {
    return a.call == Call::read && a.name == "data" && a.offset < to && a.offset + a.bytes > from && a.bytes > 4'096
               ? EIO
               : 0;
  });
  EXPECT_EQ(version(7), 0u);
  EXPECT_FALSE(disk->may_have(key_of(7)));
  EXPECT_EQ(disk->stats().errors, 1u);
  EXPECT_EQ(disk->stats().state, Stats::State::serving);
  for (uint64_t n = 0; n < 20; ++n) EXPECT_TRUE(n == 7 || version(n) == n + 1) << n;
}

TEST_F(FailureTest, ADiskThatReadsNothingIsLeftAloneAndComesBack) {
  files.set(failing(Call::read, EIO));
  for (uint64_t n = 0; n < 20; ++n) EXPECT_EQ(version(n), 0u);
  executor.run();
  expect_aside("cannot read");
  EXPECT_FALSE(disk->may_have(key_of(1)));
  files.set([](const Asked& a) { return a.call == Call::open ? EIO : 0; });
  ticks(tuning.retry_ms);
  expect_aside("cannot open");
  files.set({});
  ticks(tuning.retry_ms);
  EXPECT_EQ(disk->stats().state, Stats::State::serving);
  expect_all_there();
}

TEST_F(FailureTest, SpotsThatCannotBeReadDoNotKeepItFromStarting) {
  ticks(tuning.checkpoint_ms);
  disk.reset();
  for (const char* name : {"store", "segments", "index.a", "index.b"}) {
    for (uint64_t at : {uint64_t{0}, uint64_t{4096}}) {
      if (std::string(name) == "segments" && at == 0) continue;  // all of this small one
      files.set([=](const Asked& a) {
        return a.call == Call::read && a.name == name && a.offset <= at && a.offset + a.bytes > at ? EIO : 0;
      });
      open();
      EXPECT_EQ(disk->stats().state, Stats::State::serving) << name << " at " << at << disk->stats().reason;
      expect_all_there();
    }
  }
  files.set([](const Asked& a) {
    return a.call == Call::read && a.name == "data" && a.offset < small_segment && a.bytes > 4'096 ? EIO : 0;
  });
  open();
  EXPECT_EQ(disk->stats().state, Stats::State::serving);
  EXPECT_TRUE(write(500, 500, 10'000));
  EXPECT_EQ(version(500), 500u);
}

TEST_F(FailureTest, AVanishedDirectoryIsNoticed) {
  std::filesystem::rename(config.path, directory / "gone");
  ticks(tuning.retry_ms);
  expect_aside("is gone");
  EXPECT_FALSE(disk->may_have(key_of(1)));
  std::filesystem::rename(directory / "gone", config.path);
  ticks(tuning.retry_ms);
  EXPECT_EQ(disk->stats().state, Stats::State::serving);
  expect_all_there();
}

TEST_F(FailureTest, AStartWithoutADiskStepsAside) {
  disk.reset();
  for (int code : {EROFS, ENOSPC, EIO, EACCES}) {
    files.set([=](const Asked& a) { return a.call == Call::open ? code : 0; });
    open();
    expect_aside("cannot open");
  }
  files.set({});
  ticks(tuning.retry_ms);
  EXPECT_EQ(disk->stats().state, Stats::State::serving);
  expect_all_there();
}

TEST_F(FailureTest, AFailedSyncMakesEverythingCheckedAnew) {
  expect_all_there();
  auto found = disk->read(key_of(7));
  auto at = found->offset;
  Spot spot = found->spot;
  found.reset();
  EXPECT_TRUE(disk->hold(spot));
  files.set(failing(Call::sync, EIO));
  clock.advance_ms(1'000);
  for (uint64_t n = 100; n < 130; ++n) write(n, n, 20'000);
  EXPECT_GE(disk->stats().syncs, 1u);
  EXPECT_GE(disk->stats().errors, 1u);
  EXPECT_FALSE(disk->hold(spot));
  // What the kernel dropped: the disk still holds something else.
  auto data = real_files().open(config.path + "/data", FileSystem::Open::write);
  ASSERT_TRUE((*data)->write_at(std::string("wrong"), static_cast<uint64_t>(at) + 5'000));
  EXPECT_EQ(version(7), 0u);
  EXPECT_EQ(disk->stats().damaged, 1u);
  for (uint64_t n = 200; n < 260 && disk->stats().state == Stats::State::serving; ++n) {
    write(n, n, 20'000);
    clock.advance_ms(100);
  }
  expect_aside("cannot sync");
  EXPECT_EQ(version(8), 9u);
}

// While the older version waits to be written, the later one goes: nobody can tell any more that it was later.
TEST_F(FailureTest, AnOlderVersionIsNotWrittenInPlaceOfALaterOneThatWasLost) {
  ASSERT_TRUE(write(3, 20, 1'000));
  ASSERT_TRUE(disk->write(record_of(3, 19, 1'000)));
  forget(*disk->read(key_of(3)));
  EXPECT_EQ(version(3), 0u);
  executor.run();
  EXPECT_EQ(version(3), 0u);
  ASSERT_TRUE(write(3, 21, 1'000));
  EXPECT_EQ(version(3), 21u);
}

// What couldn't be written the kernel forgets, and where it stood zeros are read. Until it is synced a body is read with its
// checksum each time, and never left to sendfile(2).
TEST_F(FailureTest, WhatTheKernelMayYetForgetIsCheckedEachTime) {
  for (int turn = 0; turn < 2; ++turn) {
    auto found = disk->read(key_of(3));
    ASSERT_TRUE(found && found->bytes);
    EXPECT_TRUE(std::string_view(found->bytes->data(), found->length) == body_of(3, 4, 10'000));
  }
  forget(*disk->read(key_of(3)));
  EXPECT_EQ(version(3), 0u) << "though it was right before";
  EXPECT_EQ(disk->stats().damaged, 1u);
  for (uint64_t n = 100; n < 140; ++n) write(n, n, 10'000);  // another segment
  ticks(1000);
  EXPECT_FALSE(disk->read(key_of(4))->bytes) << "nothing forgets it any more";
  EXPECT_FALSE(disk->read(key_of(139))->bytes) << "nor what the open segment had";
  write(140, 140, 10'000);
  EXPECT_TRUE(disk->read(key_of(140))->bytes);
  ticks(1000);
  EXPECT_TRUE(disk->read(key_of(140))->bytes);
  ticks(1000);
  EXPECT_FALSE(disk->read(key_of(140))->bytes) << "an open segment isn't left until it is full";
  const uint64_t syncs = disk->stats().syncs;
  for (int i = 0; i < 10; ++i) ticks(1000);
  EXPECT_EQ(disk->stats().syncs, syncs) << "there is nothing to sync";
  // A sync that failed says so once; the next one knows nothing of what is lost.
  files.set(failing(Call::sync, EIO));
  for (uint64_t n = 200; n < 240; ++n) write(n, n, 10'000);
  ticks(1000);
  files.set({});
  for (uint64_t n = 300; n < 340; ++n) write(n, n, 10'000);
  ticks(1000);
  EXPECT_FALSE(disk->read(key_of(4))->bytes);
  EXPECT_FALSE(disk->read(key_of(140))->bytes);
  EXPECT_TRUE(disk->read(key_of(239))->bytes);
  open();
  EXPECT_FALSE(disk->read(key_of(4))->bytes) << "a start syncs what there is";
}

TEST_F(FailureTest, NoDescriptorsLeftIsNotAVanishedDirectory) {
  files.set([](const Asked& a) { return a.call == Call::open ? EMFILE : 0; });
  ticks(tuning.retry_ms);
  EXPECT_EQ(disk->stats().state, Stats::State::serving);
  expect_all_there();
}

TEST_F(FailureTest, AStallIsStoodAsideFrom) {
  open();
  std::atomic<bool> stuck{true}, entered{false};
  files.set([&](const Asked& a) {
    if (a.call != Call::read) return 0;
    entered = true;
    while (stuck) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return 0;
  });
  std::thread reader([&] { EXPECT_EQ(version(3), 4u); });
  while (!entered) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  disk->tick();
  EXPECT_TRUE(disk->may_have(key_of(1)));
  clock.advance_ms(tuning.stall_ms);
  disk->tick();
  EXPECT_FALSE(disk->may_have(key_of(1)));
  EXPECT_FALSE(disk->read(key_of(1)));
  EXPECT_EQ(disk->stats().state, Stats::State::aside);
  stuck = false;
  reader.join();
  disk->tick();
  EXPECT_TRUE(disk->may_have(key_of(1)));
  EXPECT_EQ(disk->stats().state, Stats::State::serving);
}

TEST_F(FailureTest, AStallIsToldToThoseWhoWait) {
  int told = 0;
  disk->when_stalled([&] { ++told; });
  disk->tick();
  disk->watched([&] {
    disk->tick();
    clock.advance_ms(tuning.stall_ms);
    EXPECT_EQ(told, 0);
    disk->tick();
    EXPECT_FALSE(disk->write(record_of(100, 100, 10)));
    disk->tick();
  });
  EXPECT_EQ(told, 2);
  disk->tick();
  EXPECT_EQ(told, 2);
  EXPECT_TRUE(write(100, 100, 10));
}

TEST_F(FailureTest, ADiskThatTakesNothingIsStillReadFrom) {
  for (Call call : {Call::write, Call::sync}) {
    std::atomic<bool> stuck{true}, entered{false};
    files.set([&](const Asked& a) {
      if (a.call != call || a.name != "data") return 0;
      entered = true;
      while (stuck) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      return 0;
    });
    clock.advance_ms(1'000);
    for (uint64_t n = 100; n < 130; ++n) EXPECT_TRUE(disk->write(record_of(n, n, 20'000)));
    std::thread writer([&] { executor.run(); });
    while (!entered) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    clock.advance_ms(tuning.write_stall_ms - 1);
    disk->tick();
    EXPECT_EQ(disk->stats().state, Stats::State::serving);
    clock.advance_ms(1);
    disk->tick();
    expect_aside("takes nothing");
    expect_all_there();
    stuck = false;
    writer.join();
    disk->tick();
    EXPECT_EQ(disk->stats().state, Stats::State::serving);
    EXPECT_TRUE(write(200, 200, 10));
    EXPECT_EQ(version(129), 129u);
    files.set({});  // it refers to what ends here
  }
}

// Any call may fail, any number of times: at the end, when all is well again, it serves, and nothing is wrong.
TEST_F(FailureTest, WhateverFailsItComesBack) {
  Rng rng(7);
  for (int round = 0; round < (full_scale() ? 300 : 30); ++round) {
    uint64_t odds = 2 + rng.below(40);
    files.set([&rng, odds](const Asked& a) {
      if (a.call == Call::rename || rng.below(odds) != 0) return 0;
      return rng.below(2) ? EIO : a.call == Call::write && rng.below(2) ? FaultFiles::half_write : ENOSPC;
    });
    for (uint64_t i = 0; i < 40; ++i) {
      uint64_t n = 1'000 + rng.below(300);
      write(n, static_cast<uint64_t>(round) * 100 + i + 1'000, 1 + rng.below(30'000));
      version(1'000 + rng.below(300));
      if (i % 8 == 0) ticks(11'000);
      if (i == 20 && round % 5 == 0) open();
    }
    files.set({});
    ticks(tuning.retry_ms);
    ticks(tuning.retry_ms);
    ASSERT_EQ(disk->stats().state, Stats::State::serving) << disk->stats().reason;
    EXPECT_TRUE(write(5, 1'000'000 + static_cast<uint64_t>(round), 5'000));
    EXPECT_EQ(version(5), 1'000'000 + static_cast<uint64_t>(round));
  }
}

}  // namespace
}  // namespace portolan::edge::disk::test
