// The log of purges: what it says after any end of the process that wrote it.
#include "edge/purge/log.hh"

#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>

#include "core/crypto/crc32c.hh"
#include "tests/unit/edge/purge/memory_files.hh"

namespace portolan::edge::test {
namespace {

constexpr int64_t wall_ms = 1'700'000'000'000;
const std::string path = std::string("/d/") + PurgeLog::file_name;

PurgeEntry entry(uint64_t number, const std::string& value = "tag", uint64_t sequence = 0) {
  return {number,
          sequence ? sequence : number * 10,
          wall_ms + static_cast<int64_t>(number),
          {PurgeKind::tag, value, number % 2 == 0}};
}

struct Disk {
  MemoryFiles files;
  QueueExecutor executor;
  PurgeLog::Opened open(int64_t now_ms = wall_ms) { return PurgeLog::open("/d", "edge-1", files, executor, now_ms); }
};

TEST(PurgeLog, SaysAfterAStartWhatItWasTold) {
  Disk disk;
  PurgeLog::Opened first = disk.open();
  EXPECT_TRUE(first.fresh);
  EXPECT_FALSE(first.lost);
  EXPECT_EQ(first.image.floors.hard, first.image.began) << "what there may be is of an unknown past";
  std::vector<PurgeEntry> told;
  int durable = 0;
  for (uint64_t n = 1; n <= 100; ++n) {
    told.push_back(entry(n, "tag " + std::string(n, 'x'), first.image.began + n));
    EXPECT_TRUE(first.log->append(told.back(), [&](const Status& s) { durable += s.ok(); }));
  }
  EXPECT_EQ(durable, 0);
  uint64_t before = disk.files.syncs;
  disk.executor.run();
  EXPECT_EQ(durable, 100);
  EXPECT_EQ(disk.files.syncs, before + 1) << "all that wait share one";
  EXPECT_EQ(first.log->stats().durable, 100u);
  first.log.reset();
  PurgeLog::Opened second = disk.open();
  EXPECT_FALSE(second.fresh);
  EXPECT_FALSE(second.lost);
  EXPECT_EQ(second.note, "");
  EXPECT_EQ(second.image.entries, told);
  EXPECT_EQ(second.image.last_number, 100u);
  EXPECT_EQ(second.image.floors, first.image.floors);
  EXPECT_GT(second.image.began, told.back().sequence);
  EXPECT_EQ(disk.files.count(), 2u) << "and the lock";
}

// A purge that comes while the file is written anew is in that already, and still waits to be written behind it.
TEST(PurgeLog, WhatComesWhileItIsWrittenAnewIsSaidOnce) {
  Disk disk;
  PurgeLog::Opened first = disk.open();
  PurgeImage all = first.image;
  int durable = 0;
  auto purge = [&] {
    all.entries.push_back(entry(++all.last_number, "tag", first.image.began + all.last_number));
    EXPECT_TRUE(first.log->append(all.entries.back(), [&](const Status& s) { durable += s.ok(); }));
  };
  first.log->compact_from([&] {
    purge();
    return all;
  });
  purge();
  first.log->compact();
  disk.executor.run();
  purge();
  disk.executor.run();
  EXPECT_EQ(durable, 3);
  PurgeLog::Opened second = disk.open();
  EXPECT_FALSE(second.lost) << second.note;
  EXPECT_EQ(second.image.entries, all.entries);
  // A file in which one stands twice, as there were some.
  std::string twice = render_purges(all);
  append_record(all.entries.back(), twice);
  const std::string slot = render_slot({3, twice.size(), all.last_number});
  twice.replace(slot_offset(3), slot.size(), slot);
  const ParsedPurges parsed = parse_purges(twice);
  EXPECT_FALSE(parsed.damaged);
  EXPECT_EQ(parsed.image.entries, all.entries);
}

TEST(PurgeLog, IsOnesAlone) {
  const std::string folder = std::filesystem::temp_directory_path() / ("purges-" + std::to_string(::getpid()));
  QueueExecutor executor;
  PurgeLog::Opened one = PurgeLog::open(folder, "n", real_files(), executor, wall_ms);
  EXPECT_EQ(one.note, "");
  PurgeLog::Opened two = PurgeLog::open(folder, "n", real_files(), executor, wall_ms);
  EXPECT_EQ(two.note, folder + "/" + PurgeLog::file_name + " is in use");
  EXPECT_TRUE(two.lost);
  std::string error;
  two.log->append(entry(1), [&](const Status& s) { error = s ? "" : s.error().text; });
  executor.run();
  EXPECT_NE(error, "") << "not acknowledged";
  bool durable = false;
  one.log->append(entry(1), [&](const Status& s) { durable = s.ok(); });
  executor.run();
  EXPECT_TRUE(durable);
  one.log.reset();
  two.log->compact_from([&] { return two.image; });
  two.log->append(entry(2), [&](const Status& s) { error = s ? "" : s.error().text; });
  executor.run();
  EXPECT_EQ(error, "") << "now it is the second's";
  std::filesystem::remove_all(folder);
}

// Nobody knows what is gone from a list of the first version.
TEST(PurgeLog, AFileOfTheFirstVersionIsRead) {
  PurgeImage image;
  image.node = "edge-1";
  image.last_number = 7;
  image.trimmed = 3;
  image.entries = {entry(7)};
  std::string file = render_purges(image);
  EXPECT_EQ(parse_purges(file).image.trimmed, 3u);
  std::string payload;
  for (uint64_t n : {uint64_t{5}, uint64_t{0}, uint64_t{0}, uint64_t{1}, uint64_t{7}})
    for (int i = 0; i < 8; ++i) payload += static_cast<char>(n >> 8 * i);
  payload += "edge-1";
  std::string length(4, '\0');
  length[0] = static_cast<char>(payload.size());
  const uint32_t sum = crypto::crc32c(payload, crypto::crc32c(length));
  std::string header = "PTLNPRG1" + length;
  for (int i = 0; i < 4; ++i) header += static_cast<char>(sum >> 8 * i);
  file.replace(0, header.size() + payload.size(), header + payload);
  const ParsedPurges parsed = parse_purges(file);
  ASSERT_TRUE(parsed.known && !parsed.damaged);
  EXPECT_EQ(parsed.image.floors.hard, 5u);
  EXPECT_EQ(parsed.image.trimmed, 7u);
  EXPECT_EQ(parsed.image.node, "edge-1");
  EXPECT_EQ(parsed.image.entries, image.entries);
}

TEST(PurgeLog, SequencesGrowWhateverTheClockSays) {
  Disk disk;
  uint64_t last = 0;
  for (int64_t now_ms : {wall_ms, wall_ms, wall_ms - 1'000'000, wall_ms + 60'000, int64_t{0}, int64_t{-5}}) {
    PurgeLog::Opened opened = disk.open(now_ms);
    EXPECT_GE(opened.image.began, last + (uint64_t{1} << 32) * (last != 0));
    last = opened.image.began;
  }
  EXPECT_GT(PurgeLog::open("/d", "n", disk.files, disk.executor, wall_ms, UINT64_MAX / 2).image.began, UINT64_MAX / 2);
}

// Each byte of the file changed, each 512-byte sector and the tail zeroed, cut off anywhere: either all that was
// acknowledged is there, or it is known that it isn't.
TEST(PurgeLog, DamageNeverGoesUnseen) {
  Disk disk;
  PurgeLog::Opened first = disk.open();
  for (uint64_t n = 1; n <= 12; ++n) {
    first.log->append(entry(n, std::string(n * 7 % 60, 'v'), first.image.began + n), {});
    if (n % 3 == 0) disk.executor.run();
  }
  const std::string good = *disk.files.bytes(path);
  std::vector<PurgeEntry> all = parse_purges(good).image.entries;
  ASSERT_EQ(all.size(), 12u);
  size_t lost = 0, fine = 0;
  auto holds = [&](const std::string& bytes, const std::string& what) {
    ParsedPurges p = parse_purges(bytes);
    bool seen = !p.known || p.damaged;
    if (!seen) ASSERT_EQ(p.image.entries, all) << what;
    (seen ? lost : fine)++;
    disk.files.put(path, bytes);
    PurgeLog::Opened opened = disk.open(wall_ms + 60'000);
    EXPECT_EQ(opened.lost, seen) << what;
    if (seen) {
      EXPECT_GE(opened.image.floors.hard, all.back().sequence) << what;
      EXPECT_NE(opened.note, "");
    }
    // And what comes next is good.
    EXPECT_EQ(parse_purges(*disk.files.bytes(path)).damaged, false) << what;
  };
  for (size_t i = 0; i < good.size(); i += i < 128 || i > 2000 ? 1 : 37) {
    std::string bytes = good;
    bytes[i] = static_cast<char>(bytes[i] ^ (1 << i % 8));
    holds(bytes, "byte " + std::to_string(i));
  }
  for (size_t i = 0; i < good.size(); i += 512) {
    std::string bytes = good;
    std::fill_n(bytes.begin() + static_cast<long>(i), std::min<size_t>(512, good.size() - i), '\0');
    holds(bytes, "sector " + std::to_string(i));
  }
  for (size_t cut : {size_t{0}, size_t{7}, size_t{2048}, size_t{4095}, size_t{4096}, size_t{4100}, good.size() - 1})
    holds(good.substr(0, cut), "cut at " + std::to_string(cut));
  EXPECT_GT(lost, 300u);
  EXPECT_GT(fine, 300u);
}

TEST(PurgeLog, WhatWasCutShortIsDropped) {
  Disk disk;
  PurgeLog::Opened first = disk.open();
  first.log->append(entry(1, "kept", first.image.began + 1), {});
  disk.executor.run();
  std::string record;
  append_record(entry(2, "half", first.image.began + 2), record);
  for (size_t part = 1; part < record.size(); ++part) {
    std::string bytes = *disk.files.bytes(path) + record.substr(0, part);
    if (part % 2) bytes.resize(bytes.size() + record.size() - part);
    ParsedPurges p = parse_purges(bytes);
    EXPECT_FALSE(p.damaged);
    EXPECT_GT(p.dropped, 0u);
    ASSERT_EQ(p.image.entries.size(), 1u);
    EXPECT_EQ(p.image.entries[0].purge.value, "kept");
  }
}

TEST(PurgeLog, AnotherFileIsSetAside) {
  Disk disk;
  disk.files.put(path, "PTLNPRG9 of another version");
  PurgeLog::Opened opened = disk.open();
  EXPECT_TRUE(opened.lost);
  EXPECT_EQ(opened.image.floors.hard, opened.image.began);
  EXPECT_NE(opened.note.find("is not a list of purges"), std::string::npos);
  EXPECT_EQ(*disk.files.bytes(path + ".1700000000"), "PTLNPRG9 of another version");
}

TEST(PurgeLog, AfterAnErrorAllIsWrittenAnew) {
  Disk disk;
  PurgeLog::Opened opened = disk.open();
  PurgeImage live = opened.image;
  opened.log->compact_from([&] { return std::optional(live); });
  std::vector<std::string> told;
  auto append = [&](uint64_t n) {
    live.entries.push_back(entry(n, "t", opened.image.began + n));
    live.last_number = n;
    opened.log->append(live.entries.back(), [&](const Status& s) { told.push_back(s ? "ok" : s.error().text); });
    disk.executor.run();
  };
  append(1);
  disk.files.fail(true);
  append(2);
  EXPECT_NE(opened.log->stats().error, "");
  disk.files.fail(false);
  append(3);
  EXPECT_EQ(told.size(), 3u);
  EXPECT_EQ(told[0], "ok");
  EXPECT_NE(told[1], "ok");
  EXPECT_EQ(told[2], "ok");
  EXPECT_EQ(opened.log->stats().error, "");
  EXPECT_EQ(opened.log->stats().rewrites, 2u);
  EXPECT_EQ(parse_purges(*disk.files.bytes(path)).image.entries, live.entries);
  disk.executor.full = true;
  EXPECT_FALSE(opened.log->append(entry(4), {}));
  disk.executor.full = false;
  live.entries.push_back(entry(4, "t", opened.image.began + 4));
  append(5);
  EXPECT_EQ(parse_purges(*disk.files.bytes(path)).image.entries, live.entries) << "what was refused is there, too";
}

TEST(PurgeLog, WithoutADiskItSaysSo) {
  Disk disk;
  disk.files.fail(true);
  PurgeLog::Opened opened = disk.open();
  EXPECT_NE(opened.note, "");
  Status told;
  opened.log->append(entry(1), [&](const Status& s) { told = s; });
  disk.executor.run();
  EXPECT_FALSE(told.ok());
}

// Any end at any operation: what was acknowledged is there, or all of the past counts as purged.
TEST(PurgeLog, DiesAtEveryPoint) {
  for (bool power : {false, true}) {
    for (uint64_t operations = 1; operations < 60; ++operations) {
      for (uint64_t seed = 0; seed < 8; ++seed) {
        Rng rng(seed * 1000 + operations);
        Disk disk;
        disk.open();
        disk.executor.run();
        disk.files.die_after(operations, &rng);
        std::vector<PurgeEntry> told, acknowledged;
        PurgeLog::Opened opened = disk.open();
        PurgeImage live = opened.image;
        opened.log->compact_from([&] { return std::optional(live); });
        for (uint64_t n = 1; n < 12; ++n) {
          told.push_back(entry(n, std::string(rng.below(40), 'v'), opened.image.began + n));
          live.entries.push_back(told.back());
          live.last_number = n;
          opened.log->append(told.back(), [&acknowledged, e = told.back()](const Status& s) {
            if (s) acknowledged.push_back(e);
          });
          if (rng.below(3)) disk.executor.run();
          if (rng.below(5) == 0) opened.log->compact();
        }
        disk.executor.run();
        power ? disk.files.lose_power(rng) : disk.files.restart();
        PurgeLog::Opened again = disk.open(wall_ms + 10'000);
        ASSERT_GT(again.image.began, told.back().sequence);
        if (!power) EXPECT_FALSE(again.lost) << again.note;
        if (again.lost || again.image.floors.hard >= told.back().sequence) continue;
        for (const PurgeEntry& e : acknowledged)
          EXPECT_EQ(std::count(again.image.entries.begin(), again.image.entries.end(), e), 1)
              << "number " << e.number << ", dies after " << operations << ", seed " << seed;
        for (const PurgeEntry& e : again.image.entries)
          EXPECT_EQ(std::count(told.begin(), told.end(), e), 1) << "nobody ever said " << e.number;
      }
    }
  }
}

// One operation fails, whichever: what was acknowledged before and after is there all the same.
TEST(PurgeLog, OneErrorAtEveryPoint) {
  for (uint64_t failing = 1; failing < 40; ++failing) {
    Disk disk;
    PurgeLog::Opened opened = disk.open();
    PurgeImage live = opened.image;
    opened.log->compact_from([&] { return std::optional(live); });
    disk.files.fail_one_after(failing);
    size_t errors = 0;
    for (uint64_t n = 1; n < 12; ++n) {
      if (n == 11) disk.files.fail_one_after(0);
      live.entries.push_back(entry(n, "v", opened.image.began + n));
      live.last_number = n;
      opened.log->append(live.entries.back(), [&errors](const Status& s) { errors += !s; });
      if (n % 4 == 0) opened.log->compact();
      disk.executor.run();
    }
    EXPECT_LE(errors, 1u);
    EXPECT_EQ(opened.log->stats().error, "");
    Rng rng(failing);
    disk.files.lose_power(rng);
    PurgeLog::Opened again = disk.open(wall_ms + 10'000);
    EXPECT_FALSE(again.lost) << failing << again.note;
    EXPECT_EQ(again.image.entries, live.entries) << failing;
  }
}

TEST(PurgeLog, OfARealDirectory) {
  std::string directory = std::filesystem::temp_directory_path() / ("portolan-purges-" + std::to_string(::getpid()));
  QueueExecutor executor;
  for (uint64_t round = 0; round < 3; ++round) {
    PurgeLog::Opened opened = PurgeLog::open(directory + "/sub", "n", real_files(), executor, wall_ms);
    EXPECT_EQ(opened.note, "");
    EXPECT_EQ(opened.image.entries.size(), round);
    bool durable = false;
    opened.log->append(entry(round + 1, "t", opened.image.began + 1), [&](const Status& s) { durable = s.ok(); });
    executor.run();
    EXPECT_TRUE(durable);
  }
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace portolan::edge::test
