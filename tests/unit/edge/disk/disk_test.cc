// Records in and out, over restarts, and what happens when room or the index runs out.
#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <map>

#include "tests/unit/edge/disk/fixture.hh"

namespace portolan::edge::disk::test {
namespace {

TEST_F(DiskTest, WhatIsWrittenIsRead) {
  open();
  EXPECT_EQ(disk->stats().state, Stats::State::serving);
  EXPECT_EQ(disk->last_sequence(), 0u);
  EXPECT_FALSE(disk->may_have(key_of(1)));
  EXPECT_TRUE(write(1, 7, 100'000));
  EXPECT_TRUE(write(2, 8, 0));
  EXPECT_TRUE(write(3, 9, 1));
  for (uint64_t n : {1, 2, 3}) {
    EXPECT_TRUE(disk->may_have(key_of(n)));
    EXPECT_EQ(version(n), 6 + n);
    EXPECT_EQ(disk->read(key_of(n))->length, sizes[n]);
  }
  EXPECT_FALSE(disk->read(key_of(4)));
  EXPECT_EQ(disk->last_sequence(), 9u);
  EXPECT_EQ(disk->stats().objects, 3u);
  EXPECT_EQ(disk->stats().writes, 3u);
}

TEST_F(DiskTest, BodiesOfManyPiecesAndFileRangesAreTaken) {
  tuning.segment_bytes = 4 << 20;
  config.bytes = 64 << 20;
  open();
  std::string body = body_of(1, 1, 1'500'001);
  std::string path = directory / "source";
  int fd = ::open(path.c_str(), O_RDWR | O_CREAT, 0600);
  ASSERT_EQ(::pwrite(fd, body.data() + 700'000, 500'000, 123), 500'000);
  Record record = record_of(1, 1, 0);
  for (size_t at = 0; at < 700'000; at += 7'000) record.body.append(Slice::copy_of(body.substr(at, 7'000)));
  record.body.append(std::make_shared<FileHandle>(fd), 123, 500'000);
  record.body.append(Slice::copy_of(body.substr(1'200'000)));
  EXPECT_TRUE(disk->write(std::move(record)));
  executor.run();
  EXPECT_EQ(version(1), 1u);
  EXPECT_EQ(disk->read(key_of(1))->length, body.size());
}

TEST_F(DiskTest, ALaterVersionCountsWhicheverComesFirst) {
  open();
  write(1, 5, 1000);
  write(1, 6, 2000);
  EXPECT_EQ(version(1), 6u);
  write(1, 4, 3000);
  EXPECT_EQ(version(1), 6u);
  EXPECT_TRUE(disk->write(record_of(2, 1, 10)));
  EXPECT_TRUE(disk->write(record_of(2, 2, 20)));
  executor.run();
  EXPECT_EQ(version(2), 2u);
  open();
  EXPECT_EQ(version(1), 6u);
  EXPECT_EQ(version(2), 2u);
  EXPECT_EQ(disk->last_sequence(), 6u);
}

TEST_F(DiskTest, WhatIsRemovedIsGoneEvenWhileItWaits) {
  open();
  write(1, 1, 1000);
  EXPECT_TRUE(disk->write(record_of(2, 2, 1000)));
  disk->remove(key_of(1));
  disk->remove(key_of(2));
  executor.run();
  EXPECT_FALSE(disk->may_have(key_of(1)));
  EXPECT_EQ(version(1), 0u);
  EXPECT_EQ(version(2), 0u);
  write(2, 3, 1000);
  EXPECT_EQ(version(2), 3u);
}

TEST_F(DiskTest, TooLargeOrTooMuchIsRefused) {
  open();
  EXPECT_FALSE(write(1, 1, small_segment));
  Record record = record_of(2, 1, 10);
  record.meta.assign(Disk::max_meta_bytes + 1, 'm');
  EXPECT_FALSE(disk->write(std::move(record)));
  uint64_t taken = 0;
  while (taken < 2000 && disk->write(record_of(taken, 1, 200'000))) ++taken;
  EXPECT_GT(taken, 300u);  // 64 MiB
  EXPECT_LT(taken, 340u);
  executor.run();
  EXPECT_TRUE(write(9, 1, 10));
  EXPECT_EQ(disk->stats().refused, 3u);
}

TEST_F(DiskTest, AnExecutorThatRefusesIsAskedAgain) {
  open();
  executor.full = true;
  EXPECT_TRUE(disk->write(record_of(1, 1, 10)));
  executor.run();
  EXPECT_FALSE(disk->may_have(key_of(1)));
  executor.full = false;
  ticks(1000);
  EXPECT_EQ(version(1), 1u);
}

TEST_F(DiskTest, ARestartFindsEverything) {
  config.bytes = 128 * small_segment;
  for (bool killed : {false, true}) {
    open();
    for (uint64_t n = 0; n < 300; ++n) write(n, 1000 + n, 1 + n * 97 % 60'000);
    if (killed) kill();
    open();
    EXPECT_EQ(disk->stats().state, Stats::State::serving);
    for (uint64_t n = 0; n < 300; ++n) EXPECT_EQ(version(n), 1000 + n) << killed;
    EXPECT_EQ(disk->stats().objects, 300u);
    EXPECT_EQ(disk->last_sequence(), 1299u);
    EXPECT_EQ(disk->stats().damaged, 0u);
  }
}

TEST_F(DiskTest, AKillCostsNoRoom) {
  open();
  for (uint64_t n = 0; n < 60; ++n) {
    write(n, n + 1, 1000);
    kill();
    open();
  }
  for (uint64_t n = 0; n < 60; ++n) EXPECT_EQ(version(n), n + 1);
  EXPECT_GE(disk->stats().segments_free, 30u);
}

TEST_F(DiskTest, WritingWhatWasFoundWorks) {
  open();
  write(1, 1, 50'000);
  auto found = disk->read(key_of(1));
  Record again;
  again.key = key_of(1);
  again.sequence = 1;
  again.useless_ms = 4'000'000'000'000;
  again.meta = "new meta";
  again.body.append(found->file, found->offset, found->length);
  found.reset();
  EXPECT_TRUE(disk->write(std::move(again)));
  executor.run();
  auto now = disk->read(key_of(1));
  ASSERT_TRUE(now);
  EXPECT_EQ(now->meta, "new meta");
  EXPECT_TRUE(bytes_of(*now) == body_of(1, 1, 50'000));
}

TEST_F(DiskTest, OfWhatWaitsTheLaterVersionIsWritten) {
  open();
  write(1, 5, 100);
  EXPECT_FALSE(disk->waits(key_of(1)));
  ASSERT_TRUE(disk->write(record_of(1, 9, 100)));
  ASSERT_TRUE(disk->write(record_of(1, 7, 100)));  // it came late
  EXPECT_TRUE(disk->waits(key_of(1)));
  executor.run();
  EXPECT_FALSE(disk->waits(key_of(1)));
  EXPECT_EQ(version(1), 9u);
  EXPECT_EQ(disk->remove(key_of(1)), Removed::something);
  EXPECT_EQ(disk->remove(key_of(1)), Removed::nothing);
}

TEST_F(DiskTest, WhatWasTakenWhileItStartedIsWrittenWhenItStops) {
  open();
  write(1, 5, 100);
  disk.reset();
  executor.run();
  disk = std::make_unique<Disk>(config, files, executor, clock, tuning);
  EXPECT_FALSE(disk->write(record_of(1, 6, 100))) << "not before it starts";
  EXPECT_EQ(disk->remove(key_of(2)), Removed::unknown);
  disk->start();
  ASSERT_TRUE(disk->write(record_of(1, 7, 100)));
  open();
  EXPECT_EQ(version(1), 7u);
}

TEST_F(DiskTest, OldOnesGoWhenItIsFullUsedOnesStay) {
  open();
  for (uint64_t n = 0; n < 2'000; ++n) {
    write(n, n + 1, 20'000);
    if (n >= 20) disk->touch(key_of(n % 20));
  }
  uint64_t there = 0, used = 0;
  for (uint64_t n = 0; n < 2'000; ++n) {
    if (version(n) == 0) continue;
    ++there;
    used += n < 20;
  }
  EXPECT_EQ(used, 20u);
  EXPECT_GT(there, 250u);  // of 32 segments of 12 each
  Stats stats = disk->stats();
  EXPECT_GT(stats.reclaimed, 100u);
  EXPECT_EQ(stats.objects, there);
  EXPECT_EQ(stats.objects + stats.evicted, 2'000u);
  EXPECT_LE(static_cast<double>(stats.rewritten_bytes), 0.25 * static_cast<double>(stats.written_bytes));
  kill();
  open();
  for (uint64_t n = 0; n < 20; ++n) EXPECT_EQ(version(n), n + 1);
}

TEST_F(DiskTest, NobodyMovesWhatIsUseless) {
  open();
  Record record = record_of(1, 1, 1000);
  record.useless_ms = clock.wall_ms() + 5'000;
  EXPECT_TRUE(disk->write(std::move(record)));
  executor.run();
  disk->touch(key_of(1));
  EXPECT_EQ(version(1), 1u);
  clock.advance_ms(10'000);
  for (uint64_t n = 2; n < 800; ++n) write(n, n, 20'000);
  EXPECT_FALSE(disk->may_have(key_of(1)));
}

// Even in the queue of a socket (here a pipe): pages go by reference, so they must not be written to again.
TEST_F(DiskTest, WhatIsHeldOrUnderWayKeepsItsBytes) {
  open();
  write(1, 1, 100'000);
  auto held = disk->read(key_of(1));
  ASSERT_TRUE(held);
  for (uint64_t n = 2; n < 1'500; ++n) write(n, n, 20'000);
  EXPECT_TRUE(bytes_of(*held) == body_of(1, 1, 100'000));
  EXPECT_GT(disk->stats().reclaimed, 90u);

  int in_pipe[2];
  ASSERT_EQ(::pipe(in_pipe), 0);
  loff_t at = held->offset;
  ASSERT_EQ(::splice(held->file->fd(), &at, in_pipe[1], nullptr, 40'000, 0), 40'000);
  held.reset();
  for (uint64_t n = 2'000; n < 3'500; ++n) write(n, n, 20'000);
  std::string got(40'000, '\0');
  for (size_t done = 0; done < got.size();) {
    ssize_t n = ::read(in_pipe[0], got.data() + done, got.size() - done);
    ASSERT_GT(n, 0);
    done += static_cast<size_t>(n);
  }
  EXPECT_TRUE(got == body_of(1, 1, 100'000).substr(0, 40'000));
  for (int fd : {in_pipe[0], in_pipe[1]}) ::close(fd);
}

TEST_F(DiskTest, WhatWasFoundCanBeHeldAgainAsLongAsItStands) {
  open();
  write(1, 1, 100'000);
  auto found = disk->read(key_of(1));
  FileRef file = disk->hold(found->spot);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->fd(), found->file->fd());
  found->file.reset();
  for (uint64_t n = 2; n < 1'500; ++n) write(n, n, 20'000);
  EXPECT_TRUE(disk->hold(found->spot));  // held already, so its segment was passed over
  found->file = std::move(file);
  EXPECT_TRUE(bytes_of(*found) == body_of(1, 1, 100'000));
  found->file.reset();
  for (uint64_t n = 2'000; n < 3'500; ++n) write(n, n, 20'000);
  EXPECT_FALSE(disk->hold(found->spot));
  write(5'000, 1, 1'000);
  auto later = disk->read(key_of(5'000));
  EXPECT_TRUE(disk->hold(later->spot));
  Spot wrong = later->spot;
  wrong.segment = 1'000'000;
  EXPECT_FALSE(disk->hold(wrong));
  wrong = later->spot;
  ++wrong.trust;
  EXPECT_FALSE(disk->hold(wrong));
}

TEST_F(DiskTest, WhenEverythingIsHeldWritesAreRefusedAndGoOnLater) {
  open();
  std::vector<Found> held;
  uint64_t n = 1;
  for (; n < 500; ++n) {
    write(n, n, 200'000);
    auto found = disk->read(key_of(n));
    if (!found) break;
    held.push_back(std::move(*found));
  }
  ASSERT_LT(n, 500u);
  EXPECT_GE(held.size(), 30u);
  for (size_t i = 0; i < held.size(); ++i) EXPECT_TRUE(bytes_of(held[i]) == body_of(i + 1, i + 1, 200'000)) << i;
  held.clear();
  EXPECT_TRUE(write(1'000, 1'000, 200'000));
  EXPECT_EQ(version(1'000), 1'000u);
}

TEST_F(DiskTest, ASmallIndexForgetsRatherThanGrows) {
  tuning.index_bytes = sizeof(uint64_t) * 20'000;  // less than its fixed part: a mebibyte at least
  config.bytes = 512 * small_segment;
  open();
  for (uint64_t n = 0; n < 500; ++n) write(n, n + 1, 100);
  EXPECT_LE(disk->stats().index_bytes, (1u << 20) + 512 * 128);
  EXPECT_EQ(disk->stats().objects, 500u);
}

TEST_F(DiskTest, AnotherSizeKeepsWhatFits) {
  open();
  for (uint64_t n = 0; n < 200; ++n) write(n, n + 1, 20'000);
  uint64_t before = disk->stats().objects;
  config.bytes = 64 * small_segment;
  open();
  for (uint64_t n = 0; n < 200; ++n) EXPECT_EQ(version(n), n + 1);
  EXPECT_EQ(disk->stats().objects, before);
  EXPECT_EQ(disk->stats().segments, 64u);
  config.bytes = 8 * small_segment;
  open();
  uint64_t there = 0;
  for (uint64_t n = 0; n < 200; ++n) there += version(n) != 0;
  EXPECT_GT(there, 60u);
  EXPECT_LT(there, 100u);
  EXPECT_EQ(std::filesystem::file_size(config.path + "/data"), 8 * small_segment);
  for (uint64_t n = 300; n < 400; ++n) write(n, n + 1, 20'000);
  EXPECT_EQ(version(399), 400u);
}

TEST_F(DiskTest, AnotherPathIsTheSameStoreMoved) {
  open();
  write(1, 1, 1000);
  disk.reset();
  std::filesystem::rename(config.path, directory / "elsewhere");
  config.path = directory / "elsewhere";
  open();
  EXPECT_EQ(version(1), 1u);
}

TEST_F(DiskTest, AStoreOfAnotherVersionIsSetAside) {
  open();
  EXPECT_EQ(disk->stats().set_aside, "");
  write(1, 1, 1000);
  disk.reset();
  for (int round = 1; round <= 2; ++round) {
    int fd = ::open((config.path + "/store").c_str(), O_RDWR);
    std::string other(8192, '\0');
    ASSERT_EQ(::pwrite(fd, other.data(), other.size(), 0), 8192);
    ::close(fd);
    open();
    EXPECT_EQ(disk->stats().state, Stats::State::serving);
    EXPECT_EQ(disk->stats().set_aside, "its first block is damaged, or another's; its files end in .set-aside-" +
                                           std::to_string(round) + " now");
    EXPECT_EQ(version(1), 0u);
    write(1, 2, 500);
    EXPECT_EQ(version(1), 2u);
    disk.reset();
    std::string number = std::to_string(round);
    EXPECT_GT(std::filesystem::file_size(config.path + "/data.set-aside-" + number), 1000u);
    EXPECT_TRUE(std::filesystem::exists(config.path + "/store.set-aside-" + number));
  }
}

TEST_F(DiskTest, WhatStoppedGivesTheStoreUp) {
  open();
  EXPECT_TRUE(disk->write(record_of(1, 1, 1000)));
  disk->stop();
  EXPECT_EQ(disk->stats().state, Stats::State::stopped);
  EXPECT_FALSE(disk->may_have(key_of(1)));
  EXPECT_FALSE(disk->read(key_of(1)));
  EXPECT_FALSE(disk->write(record_of(2, 2, 1000)));
  disk->tick();
  executor.run();
  Disk other(config, files, executor, clock, tuning);
  other.start();
  executor.run();
  EXPECT_EQ(other.stats().state, Stats::State::serving);
  EXPECT_TRUE(other.read(key_of(1)));
  disk->stop();
}

TEST_F(DiskTest, TwoCannotHaveOneStore) {
  open();
  write(1, 1, 1000);
  auto held = disk->read(key_of(1));
  {
    Disk other(config, files, executor, clock, tuning);
    other.start();
    executor.run();
    EXPECT_EQ(other.stats().state, Stats::State::aside);
    EXPECT_NE(other.stats().reason.find("is in use"), std::string::npos);
    EXPECT_FALSE(other.may_have(key_of(1)));
  }
  open();  // the same directory, while something found in it is still held
  EXPECT_EQ(disk->stats().state, Stats::State::aside);
  EXPECT_TRUE(bytes_of(*held) == body_of(1, 1, 1000));
  held.reset();
  ticks(tuning.retry_ms);
  EXPECT_EQ(disk->stats().state, Stats::State::serving);
  EXPECT_EQ(version(1), 1u);
}

TEST_F(DiskTest, VerifyReadsEverything) {
  open();
  for (uint64_t n = 0; n < 100; ++n) write(n, n + 1, 10'000);
  disk->touch(key_of(5));
  uint64_t calls = 0, last = 0;
  auto report = disk->verify([&](uint64_t done, uint64_t total) {
    EXPECT_LE(done, total);
    EXPECT_GE(done, last);
    last = done;
    ++calls;
    return true;
  });
  ASSERT_TRUE(report);
  EXPECT_EQ(report->records, 100u);
  EXPECT_EQ(report->bytes, 1'000'000u);
  EXPECT_EQ(report->damaged, 0u);
  EXPECT_GT(calls, 2u);
  auto used = disk->most_used(10);
  ASSERT_EQ(used.size(), 1u);
  EXPECT_EQ(used[0].meta, meta_of(5, 6));
  uint64_t objects = 0;
  for (const SegmentStats& segment : disk->segments()) objects += segment.objects;
  EXPECT_EQ(objects, 100u);
  disk.reset();
  auto offline = verify_store(config.path, files, {});
  ASSERT_TRUE(offline) << offline.error().text;
  EXPECT_EQ(offline->records, 100u);
  EXPECT_EQ(offline->damaged, 0u);
}

TEST_F(DiskTest, VerifyFindsWhatIsDamagedAndDropsIt) {
  open();
  for (uint64_t n = 0; n < 50; ++n) write(n, n + 1, 10'000);
  auto found = disk->read(key_of(17));
  auto at = static_cast<uint64_t>(found->offset) + 9'000;
  found.reset();
  auto data = real_files().open(config.path + "/data", FileSystem::Open::write);
  ASSERT_TRUE((*data)->write_at(std::string("wrong"), at));
  EXPECT_EQ(verify_store(config.path, files, {}).error().code, EWOULDBLOCK);
  auto report = disk->verify({});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->records, 50u);
  EXPECT_EQ(report->damaged, 1u);
  EXPECT_EQ(report->segments[0].damaged + report->segments[1].damaged, 1u);
  EXPECT_FALSE(disk->may_have(key_of(17)));
  EXPECT_EQ(disk->stats().damaged, 1u);
  int calls = 0;
  report = disk->verify([&](uint64_t, uint64_t) { return ++calls < 1; });
  EXPECT_LT(report->records, 50u);
  EXPECT_EQ(calls, 1);
  disk.reset();
  auto offline = verify_store(config.path, files, {});
  ASSERT_TRUE(offline);
  EXPECT_EQ(offline->damaged, 1u);
  EXPECT_EQ(offline->records, 50u);
  EXPECT_FALSE(verify_store(directory / "none", files, {}));
}

TEST_F(DiskTest, VerifyCountsRecordsBySize) {
  tuning.segment_bytes = 32 << 20;
  config.bytes = 512 << 20;
  open();
  uint64_t n = 0;
  for (size_t size : {0, 1023, 1024, 4095, 4096, 65'535, 65'536, 4 << 20, 10 << 20}) write(n++, 1, size);
  auto report = disk->verify({});
  ASSERT_TRUE(report);
  std::vector<uint64_t> records;
  uint64_t bytes = 0;
  for (const SizeClass& s : report->sizes) {
    records.push_back(s.records);
    bytes += s.bytes;
  }
  EXPECT_EQ(records, (std::vector<uint64_t>{2, 2, 1, 1, 1, 0, 0, 2}));
  EXPECT_EQ(report->sizes[1].bytes, 1024u + 4095u);
  EXPECT_EQ(bytes, report->bytes);
}

TEST_F(DiskTest, CheckpointsAreTakenByTimeAndAmount) {
  open();
  for (uint64_t n = 0; n < 50; ++n) write(n, n + 1, 10'000);
  EXPECT_FALSE(std::filesystem::exists(config.path + "/index.b"));
  ticks(tuning.checkpoint_ms);
  ASSERT_TRUE(std::filesystem::exists(config.path + "/index.a"));
  ticks(tuning.checkpoint_ms);  // nothing new
  EXPECT_FALSE(std::filesystem::exists(config.path + "/index.b"));
  disk->touch(key_of(3));
  disk->touch(key_of(3));
  write(99, 99, 1'000);
  ticks(tuning.checkpoint_ms);  // not worth it
  EXPECT_FALSE(std::filesystem::exists(config.path + "/index.b"));
  write(100, 100, 20'000);
  ticks(tuning.checkpoint_ms);
  ASSERT_TRUE(std::filesystem::exists(config.path + "/index.b"));
  kill();
  open();
  for (uint64_t n = 0; n < 50; ++n) EXPECT_EQ(version(n), n + 1);
  EXPECT_EQ(version(100), 100u);
  auto used = disk->most_used(5);  // how often things were used is not forgotten
  ASSERT_EQ(used.size(), 1u);
  EXPECT_EQ(used[0].frequency, 2u);
  EXPECT_EQ(used[0].meta, meta_of(3, 4));
}

}  // namespace
}  // namespace portolan::edge::disk::test
