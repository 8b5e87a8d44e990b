// What the index takes of memory and a start of time, with as many objects as a terabyte holds (PORTOLAN_SCALE=full; a
// hundredth of them otherwise), and what churn costs in writing.
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>

#include "edge/disk/index.hh"
#include "edge/disk/volume.hh"
#include "tests/unit/edge/disk/fixture.hh"

namespace portolan::edge::disk::test {
namespace {

constexpr uint64_t whole = 30'000'000;
// What the sanitizers cost.
#if defined(__SANITIZE_THREAD__)
constexpr double slower = 20, larger = 16;
#elif defined(__SANITIZE_ADDRESS__)
constexpr double slower = 20, larger = 3;
#else
constexpr double slower = 1, larger = 1;
#endif

double resident_bytes() {
  uint64_t total = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return static_cast<double>(resident) * 4096;
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

Place place_of(uint64_t n) {
  return {static_cast<uint32_t>(mixed(n ^ 77) % 30'000), static_cast<uint32_t>(1 + mixed(n ^ 78) % 65'000)};
}

TEST(DiskIndex, TakesLessThanSixteenBytesAnObjectAtEverySize) {
  uint64_t objects = full_scale() ? whole : whole / 20;
  double before = resident_bytes();
  auto index = std::make_unique<Index>(1ull << 40);
  double worst = 0;
  for (uint64_t n = 0; n < objects; ++n) {
    index->put(Index::name_of(key_of(n)), {place_of(n), 0, false});
    if (n > 100'000 && n % 1000 == 0)
      worst = std::max(worst, static_cast<double>(index->bytes()) / static_cast<double>(index->objects()));
  }
  EXPECT_LE(worst, 16.0);
  double resident = (resident_bytes() - before) / static_cast<double>(index->objects());
  EXPECT_LE(resident, (full_scale() ? 16.0 : 18.0) * larger);
  uint64_t displaced = objects - index->objects(), found = 0, false_hits = 0;
  EXPECT_LE(displaced, objects / 2'000);
  for (uint64_t n = 0; n < objects; n += 7) {
    auto entry = index->find(Index::name_of(key_of(n)));
    found += entry && entry->place == place_of(n);
    false_hits += index->has(Index::name_of(key_of(n + whole)));
  }
  EXPECT_GE(found + displaced, objects / 7);
  EXPECT_LE(false_hits, objects / 7 / 2'000);
  std::printf("%llu objects: %.2f bytes each at worst, %.2f resident; %llu displaced, %llu false hits of %llu\n",
              static_cast<unsigned long long>(objects), worst, resident, static_cast<unsigned long long>(displaced),
              static_cast<unsigned long long>(false_hits), static_cast<unsigned long long>(objects / 7));
  auto begin = std::chrono::steady_clock::now();
  uint64_t hits = 0;
  for (uint64_t n = 0; n < 1'000'000; ++n) hits += index->has(Index::name_of(key_of(mixed(n) % objects)));
  std::printf("%.0f ns a look-up\n", seconds_since(begin) * 1000);
  EXPECT_GT(hits, 990'000u);
}

TEST(DiskIndex, KeepsToItsLimitAndToWhatIsUsed) {
  Index index(2 << 20);
  uint64_t evicted = 0;
  for (uint64_t n = 0; n < 1'000; ++n) {
    index.put(Index::name_of(key_of(n)), {place_of(n), 0, false});
    index.touch(Index::name_of(key_of(n)));
  }
  for (uint64_t n = 1'000; n < 600'000; ++n)
    evicted += index.put(Index::name_of(key_of(n)), {place_of(n), 0, false}).evicted.has_value();
  EXPECT_LE(index.bytes(), 2u << 20);
  EXPECT_GT(evicted, 300'000u);
  EXPECT_NEAR(static_cast<double>(index.objects() + evicted), 600'000, 200);
  uint64_t kept = 0;
  for (uint64_t n = 0; n < 1'000; ++n) kept += index.has(Index::name_of(key_of(n)));
  EXPECT_GT(kept, 950u);
}

TEST(DiskIndex, MovesAndErasesOnlyWhatItMeans) {
  Index index(1 << 30);
  Index::Name name = Index::name_of(key_of(1));
  EXPECT_FALSE(index.put(name, {{5, 6}, 1, false}).before);
  EXPECT_FALSE(index.move(name, {5, 7}, {{8, 9}, 0, false}));
  EXPECT_TRUE(index.move(name, {5, 6}, {{8, 9}, 2, false}));
  index.touch(name);
  index.touch(name);
  EXPECT_EQ(index.find(name)->frequency, 3u);
  index.set_verified(name, {5, 6});
  EXPECT_FALSE(index.find(name)->verified);
  index.set_verified(name, {8, 9});
  EXPECT_TRUE(index.find(name)->verified);
  index.forget_verified();
  EXPECT_FALSE(index.find(name)->verified);
  EXPECT_FALSE(index.erase(name, {5, 6}));
  EXPECT_EQ(index.put(name, {{1, 1}, 0, false}).before, (Place{8, 9}));
  EXPECT_EQ(index.erase_segment(2), 0u);
  EXPECT_EQ(index.erase_segment(1), 1u);
  EXPECT_EQ(index.objects(), 0u);
  Index::Entry most{{most_segments - 1, units_of_segment - 1}, 3, true};
  index.put({Index::shards - 1, (1u << Index::tag_bits) - 1}, most);
  EXPECT_EQ(index.find({Index::shards - 1, (1u << Index::tag_bits) - 1})->place, most.place);
}

// A store of a terabyte whose segments were never written: only what a start reads.
class SyntheticStore {
 public:
  static constexpr uint32_t segments = 30'000;
  SyntheticStore(const std::string& path, uint64_t objects) {
    Config config{path, (segments + 4ull) * Disk::segment_bytes};
    auto volume = Volume::open(real_files(), config, Disk::segment_bytes, 0);
    EXPECT_TRUE(volume.ok());
    EXPECT_TRUE((*volume)->data().resize(config.bytes));
    crypto::HashKey secret = (*volume)->secret();
    std::string rows;
    for (uint32_t i = 0; i < segments; ++i)
      rows += encode(Row{i + 1ull, i * 1'000ull + 1, i * 1'000ull + 1'000, i * 1'000ull + 1'000, 0, 33'000'000, 1'000,
                         Kind::probation, false},
                     secret, i);
    std::ofstream(path + "/segments", std::ios::binary) << rows;
    CheckpointHead head;
    head.generation = 1;
    head.epoch_limit = segments + 10;
    head.next_order = segments * 1'000ull + 1'001;
    head.max_sequence = 123;
    std::ofstream out(path + "/index.a", std::ios::binary);
    out << std::string(checkpoint_head_bytes, '\0');
    BlockBuilder block;
    auto close = [&] {
      out << block.close(secret, head.generation, head.blocks++);
      block.clear();
    };
    uint64_t each = objects / Index::shards;
    for (uint32_t shard = 0; shard < Index::shards; ++shard) {
      std::vector<uint64_t> entries;
      for (uint64_t i = 0; i < each; ++i) {
        uint64_t n = shard * each + i, room = (1u << Index::tag_bits) / each;
        entries.push_back(Index::pack(static_cast<uint32_t>(i * room + mixed(n) % room), {place_of(n), 1, true}));
      }
      head.entries += each;
      for (std::span<const uint64_t> left = entries; !left.empty();) {
        left = left.subspan(block.add(shard, left));
        if (!left.empty()) close();
      }
    }
    close();
    out.seekp(0);
    out << encode(head, secret);
    objects_ = head.entries;
  }
  uint64_t objects() const { return objects_; }

 private:
  uint64_t objects_ = 0;
};

TEST(DiskScale, ATerabyteStartsWithinSeconds) {
  Directory directory;
  Config config{directory / "store", (SyntheticStore::segments + 4ull) * Disk::segment_bytes};
  uint64_t objects = SyntheticStore(config.path, full_scale() ? whole : whole / 20).objects();
  SystemClock clock;
  ManualExecutor executor;
  double before = resident_bytes();
  auto begin = std::chrono::steady_clock::now();
  Disk disk(config, real_files(), executor, clock);
  disk.start();
  double first = 0;
  while (disk.stats().state != Stats::State::serving && executor.run_one())
    if (first == 0 && disk.stats().objects > 0) first = seconds_since(begin);
  double ready = seconds_since(begin);
  executor.run();
  double each = (resident_bytes() - before) / static_cast<double>(objects);
  EXPECT_EQ(disk.stats().objects, objects);
  EXPECT_EQ(disk.last_sequence(), 30'000'000u);
  EXPECT_LE(first, 1.0 * slower);
  EXPECT_LE(ready, 5.0 * slower);
  // With fewer objects the segments' own account is more of it.
  EXPECT_LE(each, (full_scale() ? 16.0 : 20.0) * larger);
  std::printf(
      "%llu objects: the first can be found after %.3f s, all after %.2f s; %.2f bytes of memory each, %.2f told\n",
      static_cast<unsigned long long>(objects), first, ready, each,
      static_cast<double>(disk.stats().index_bytes) / static_cast<double>(objects));
}

}  // namespace
}  // namespace portolan::edge::disk::test
