// A crash after every single change to the disk, and damage to whatever is there: nothing wrong is ever read, and what isn't
// touched is still there.
#include <fcntl.h>

#include <fstream>
#include <map>
#include <set>

#include "core/base/clock.hh"
#include "tests/unit/edge/disk/fixture.hh"

namespace portolan::edge::disk::test {
namespace {

class CrashTest : public DiskTest {
 protected:
  CrashTest() {
    tuning.segment_bytes = 64 << 10;
    tuning.checkpoint_ms = 1'000;
    config.bytes = 24 * tuning.segment_bytes;
  }

  // Some life: new records, later versions, removals, checkpoints, a clean restart amid it. Returns what was there for sure
  // when the crash came after change `last`, by record.
  std::map<uint64_t, uint64_t> live(uint64_t records, uint64_t last) {
    std::map<uint64_t, uint64_t> sure;
    for (uint64_t i = 0; i < records; ++i) {
      uint64_t n = i % 7 == 3 ? i / 2 : i, size = 100 + mixed(i) % 20'000;
      write(n, i + 1, size);
      if (i % 3 == 0) disk->touch(key_of(n));
      if (files.changes() <= last) sure[n] = i + 1;
      if (i % 16 == 15) ticks(1'000);
    }
    return sure;
  }

  void check(const std::map<uint64_t, uint64_t>& sure, uint64_t last, bool all) {
    for (auto [n, sequence] : sure) {
      uint64_t now = version(n);
      if (all) {
        EXPECT_GE(now, sequence) << "record " << n << " after change " << last;
      }
    }
  }

  void round(uint64_t records, uint64_t last, bool all) {
    open();
    uint64_t begun = files.changes();
    files.crash_after(last);
    auto sure = live(records, begun + last);
    disk.reset();
    executor.run();
    files.set({});
    open();
    ASSERT_EQ(disk->stats().state, Stats::State::serving) << disk->stats().reason;
    check(sure, last, all);
    EXPECT_EQ(disk->stats().damaged, 0u) << "after change " << last;
    // Life goes on, and another start finds the same.
    for (uint64_t n = 10'000; n < 10'006; ++n) write(n, n, 15'000);
    open();
    check(sure, last, all);
    for (uint64_t n = 10'000; n < 10'006; ++n) EXPECT_EQ(version(n), n) << "after change " << last;
    disk.reset();
    executor.run();
    std::filesystem::remove_all(config.path);
  }
};

TEST_F(CrashTest, AnyChangeMayBeTheLast) {
  config.bytes = 64 * tuning.segment_bytes;
  open();
  uint64_t begun = files.changes();
  live(60, 0);
  uint64_t changes = files.changes() - begun;
  disk.reset();
  std::filesystem::remove_all(config.path);
  EXPECT_GT(changes, 100u);
  for (uint64_t last = 0; last <= changes; last += full_scale() ? 1 : 3) round(60, last, true);
}

TEST_F(CrashTest, AmidReclaimingToo) {
  open();
  uint64_t begun = files.changes();
  live(250, 0);
  uint64_t changes = files.changes() - begun;
  EXPECT_GT(disk->stats().reclaimed, 5u);
  EXPECT_GT(disk->stats().rewritten_bytes, 0u);
  disk.reset();
  std::filesystem::remove_all(config.path);
  for (uint64_t last = 0; last <= changes; last += full_scale() ? 1 : 17) round(250, last, false);
}

TEST_F(CrashTest, TheVeryFirstStartMayCrashAnywhere) {
  for (uint64_t last = 0; last < 12; ++last) {
    files.crash_after(last);
    open();
    write(1, 1, 1000);
    disk.reset();
    executor.run();
    files.set({});
    open();
    EXPECT_EQ(disk->stats().state, Stats::State::serving) << last << disk->stats().reason;
    version(1);
    write(2, 2, 1000);
    EXPECT_EQ(version(2), 2u) << last;
    disk.reset();
    std::filesystem::remove_all(config.path);
  }
}

class DamageTest : public DiskTest {
 protected:
  static constexpr uint64_t records = 150;
  struct Extent {
    uint64_t begin = 0, end = 0;  // of the body and what may be its head, in `data`
  };

  DamageTest() {
    tuning.segment_bytes = 64 << 10;
    config.bytes = 48 * tuning.segment_bytes;
  }

  void SetUp() override {
    open();
    for (uint64_t n = 0; n < records; ++n) write(n, n + 1, 200 + mixed(n) % 25'000);
    for (uint64_t n = 0; n < records; ++n) {
      auto found = disk->read(key_of(n));
      ASSERT_TRUE(found);
      auto at = static_cast<uint64_t>(found->offset);
      extents_.push_back({at, (at + found->length + 511) / 512 * 512 + 512});
    }
    ticks(tuning.checkpoint_ms);
    kill();  // two checkpoints, of which the newer is older than the end of the log
    open();
    for (uint64_t n = 0; n < 5; ++n) write(records + n, n + 1, 100);
    ticks(tuning.checkpoint_ms);
    disk.reset();
    executor.run();
    for (const char* name : {"store", "data", "segments", "index.a", "index.b"}) {
      std::ifstream in(config.path + "/" + name, std::ios::binary);
      image_[name] = std::string((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
      ASSERT_GT(image_[name].size(), 100u) << name;
    }
  }

  void restore(const std::string& name) {
    std::ofstream(config.path + "/" + name, std::ios::binary | std::ios::trunc) << image_[name];
  }

  // A flipped bit or a block of zeros. Of `data`, who may be missing for it is noted.
  void damage(const std::string& name, uint64_t from, uint64_t to) {
    uint64_t at = from + rng_.below(to - from), size = 1;
    char was = image_[name][at];
    std::string now(1, static_cast<char>(was ^ (1 << rng_.below(8))));
    if (rng_.below(3) == 0) {
      size = rng_.below(2) ? 512 : 4096;
      at = at / size * size;
      size = std::min(size, to - at);
      now = std::string(size, '\0');
    }
    int fd = ::open((config.path + "/" + name).c_str(), O_WRONLY);
    ASSERT_EQ(::pwrite(fd, now.data(), size, static_cast<off_t>(at)), static_cast<ssize_t>(size));
    ::close(fd);
    if (name != "data") return;
    for (uint64_t n = 0; n < records; ++n)
      if (at < extents_[n].end && at + size > extents_[n].begin) hit_.insert(n);
  }

  void check(const char* what, int round) {
    open();
    ASSERT_EQ(disk->stats().state, Stats::State::serving) << disk->stats().reason;
    uint64_t missing = 0;
    for (uint64_t n = 0; n < records; ++n) {
      if (version(n) == n + 1) continue;
      ++missing;
      EXPECT_TRUE(hit_.count(n)) << "record " << n << " is lost, round " << round << " of " << what;
    }
    disk.reset();
    executor.run();
    lost_ += missing;
    for (auto& [name, bytes] : image_) restore(name);
    hit_.clear();
  }

  uint64_t used_bytes() const { return image_.at("data").size(); }
  int rounds(int all) const { return full_scale() ? all : all / 20; }

  std::map<std::string, std::string> image_;
  std::vector<Extent> extents_;
  std::set<uint64_t> hit_;
  uint64_t lost_ = 0;
  Rng rng_{20'26};
};

TEST_F(DamageTest, OfBodiesAndHeadsCostsThoseRecords) {
  for (int round = 0; round < rounds(400); ++round) {
    for (int i = 0; i < 10; ++i) damage("data", 0, used_bytes());
    check("data", round);
  }
  EXPECT_GT(lost_, 10u);
}

TEST_F(DamageTest, OfFootersCostsNothing) {
  for (int round = 0; round < rounds(200); ++round) {
    for (int i = 0; i < 10; ++i) {
      uint64_t end = (rng_.below(used_bytes() / tuning.segment_bytes) + 1) * tuning.segment_bytes;
      damage("data", end - 512, end);
    }
    if (round % 2) damage("index.a", 0, image_["index.a"].size()), damage("index.b", 0, image_["index.b"].size());
    check("footers", round);
  }
}

TEST_F(DamageTest, OfSegmentHeadsCostsNothing) {
  for (int round = 0; round < rounds(100); ++round) {
    for (int i = 0; i < 10; ++i) {
      uint64_t begin = rng_.below(used_bytes() / tuning.segment_bytes) * tuning.segment_bytes;
      damage("data", begin, begin + 64);
    }
    check("segment heads", round);
  }
}

TEST_F(DamageTest, OfTheTableCostsNothing) {
  for (int round = 0; round < rounds(200); ++round) {
    for (int i = 0; i < 10; ++i) damage("segments", 0, image_["segments"].size());
    check("the table", round);
  }
}

TEST_F(DamageTest, OfCheckpointsCostsNothing) {
  for (int round = 0; round < rounds(200); ++round) {
    for (int i = 0; i < 5; ++i) {
      damage("index.a", 0, image_["index.a"].size());
      damage("index.b", 0, image_["index.b"].size());
    }
    check("checkpoints", round);
  }
}

TEST_F(DamageTest, OfTheSuperblockCostsNothing) {
  for (int round = 0; round < rounds(100); ++round) {
    uint64_t copy = rng_.below(2) * 4096;
    damage("store", copy, copy + 64);
    check("the superblock", round);
  }
}

TEST_F(DamageTest, OfWholeFilesIsNoReasonToCrash) {
  for (const char* name : {"store", "segments", "index.a", "index.b", "data"}) {
    for (uint64_t size : {uint64_t{0}, uint64_t{1}, image_[name].size() / 2, image_[name].size() - 1}) {
      std::filesystem::resize_file(config.path + "/" + name, size);
      open();
      EXPECT_EQ(disk->stats().state, Stats::State::serving) << name << disk->stats().reason;
      uint64_t there = 0;
      for (uint64_t n = 0; n < records; ++n) there += version(n) == n + 1;
      if (std::string(name) != "store" && std::string(name) != "data") {
        EXPECT_EQ(there, records) << name << " of " << size;
      }
      disk.reset();
      executor.run();
      std::filesystem::remove_all(config.path);
      std::filesystem::create_directories(config.path);
      for (auto& [file, bytes] : image_) restore(file);
    }
  }
}

// A client may send what it likes: what looks like a record of the log, down to its sums, is none.
TEST_F(DamageTest, ABodyThatHoldsAStoreIsABody) {
  Record record = record_of(9'000, 9'000, 0);
  std::string copy = image_["data"].substr(0, 60'000);
  record.body.append(Slice::copy_of(std::string(512 - 0, 'x') + copy));
  open();
  uint64_t before = disk->stats().objects;
  EXPECT_TRUE(disk->write(std::move(record)));
  executor.run();
  kill();
  std::filesystem::remove(config.path + "/index.a");
  std::filesystem::remove(config.path + "/index.b");
  std::filesystem::remove(config.path + "/segments");
  open();
  EXPECT_EQ(disk->stats().objects, before + 1);
  for (uint64_t n = 0; n < records; ++n) EXPECT_EQ(version(n), n + 1);
}

}  // namespace
}  // namespace portolan::edge::disk::test
