// What churn costs: bytes written for bytes stored, and syncs, with the sizes that Meta published of its CDN's objects
// (CacheLib's traces; here their quantiles) and a popularity like that of web traffic.
#include <cmath>
#include <cstdio>
#include <fstream>
#include <list>

#include "tests/unit/edge/disk/fixture.hh"

namespace portolan::edge::disk::test {
namespace {

// Bytes at each twentieth; their mean is 33,024.
constexpr double quantiles[] = {127,   159,   159,   159,   1791,  2783,  4031,  5727,  7615,   10143, 13343,
                                17151, 21567, 27039, 33599, 41343, 50079, 59839, 77631, 118495, 900000};

uint64_t size_of(uint64_t n) {
  double at = static_cast<double>(mixed(n) % 1'000'000) / 50'000;
  auto low = static_cast<size_t>(at);
  double in = at - static_cast<double>(low);
  if (low == 19) in = std::pow(in, 4);  // the last twentieth is a long tail
  return static_cast<uint64_t>(quantiles[low] + in * (quantiles[low + 1] - quantiles[low]));
}

class Zipf {
 public:
  Zipf(uint64_t objects, double exponent) {
    double sum = 0;
    for (uint64_t i = 1; i <= objects; ++i) sums_.push_back(sum += std::pow(static_cast<double>(i), -exponent));
  }
  uint64_t operator()(Rng& rng) const {
    return static_cast<uint64_t>(std::lower_bound(sums_.begin(), sums_.end(), rng.unit() * sums_.back()) -
                                 sums_.begin());
  }

 private:
  std::vector<double> sums_;
};

struct Io {
  uint64_t given = 0, device = 0;  // to write(2); to the block layer
  static Io now() {
    Io io;
    std::ifstream in("/proc/self/io");
    for (std::string name; in >> name;) {
      uint64_t value = 0;
      in >> value;
      if (name == "wchar:") io.given = value;
      if (name == "write_bytes:") io.device = value;
    }
    return io;
  }
};

// An LRU of as many bytes, to compare with.
class Lru {
 public:
  explicit Lru(uint64_t bytes) : room_(bytes) {}
  bool get(uint64_t n) {
    auto it = where_.find(n);
    if (it == where_.end()) return false;
    order_.splice(order_.begin(), order_, it->second);
    return true;
  }
  void put(uint64_t n) {
    order_.push_front(n);
    where_[n] = order_.begin();
    for (used_ += size_of(n); used_ > room_; order_.pop_back()) {
      used_ -= size_of(order_.back());
      where_.erase(order_.back());
    }
  }

 private:
  uint64_t room_, used_ = 0;
  std::list<uint64_t> order_;
  std::map<uint64_t, std::list<uint64_t>::iterator> where_;
};

TEST_F(DiskTest, ChurnIsWrittenOnceAndALittleMore) {
  tuning.segment_bytes = 4 << 20;
  tuning.checkpoint_ms = 5'000;
  config.bytes = 48 * tuning.segment_bytes;
  open();
  uint64_t objects = config.bytes * 20 / 33'024;  // of which a twentieth fits
  Zipf zipf(objects, 0.9);
  Rng rng(3);
  Lru lru(config.bytes);
  uint64_t stored = 0, asked = 0, hit = 0, lru_hit = 0, begun_ms = static_cast<uint64_t>(clock.now_ms());
  Io before = Io::now();
  uint64_t churn = full_scale() ? 12ull << 30 : 800ull << 20;
  double debt_ms = 0;
  int64_t ticked_ms = clock.now_ms();
  while (stored < churn) {
    uint64_t n = zipf(rng), size = size_of(n);
    bool warm = stored > churn / 2;
    if (lru.get(n))
      lru_hit += warm ? size : 0;
    else
      lru.put(n);
    asked += warm ? size : 0;
    if (disk->may_have(key_of(n))) {
      disk->touch(key_of(n));
      hit += warm ? size : 0;
      continue;
    }
    ASSERT_TRUE(disk->write(record_of(n, 1, size)));
    stored += size;
    executor.run();
    debt_ms += static_cast<double>(size) / 125'000;  // a gigabit a second
    clock.advance_ms(static_cast<int64_t>(debt_ms));
    debt_ms -= std::floor(debt_ms);
    if (int64_t now = clock.now_ms(); now - ticked_ms >= 1'000) {
      ticked_ms = now;
      disk->tick();
    }
  }
  Io after = Io::now();
  Stats stats = disk->stats();
  auto share = [&](uint64_t bytes) { return static_cast<double>(bytes) / static_cast<double>(stored); };
  double seconds = static_cast<double>(static_cast<uint64_t>(clock.now_ms()) - begun_ms) / 1000;
  double per_second = static_cast<double>(stats.syncs) / seconds;
  std::printf(
      "%.0f MB: %.3f bytes given to write(2) a byte stored, %.3f written to the device, %.3f moved on; %.2f syncs "
      "a second at a gigabit; byte hit ratio %.3f, LRU %.3f\n",
      static_cast<double>(stored) / 1e6, share(after.given - before.given), share(after.device - before.device),
      share(stats.rewritten_bytes), per_second, static_cast<double>(hit) / static_cast<double>(asked),
      static_cast<double>(lru_hit) / static_cast<double>(asked));
  EXPECT_LE(share(after.given - before.given), 1.3);
  EXPECT_LE(share(after.device - before.device), 1.3);
  EXPECT_LE(per_second, 4);
  EXPECT_GT(stats.syncs, 5u);
  EXPECT_GT(stats.reclaimed, 90u);
  // The main queue comes to its own only after some ten times the store's bytes.
  EXPECT_GT(static_cast<double>(hit), (full_scale() ? 1.0 : 0.85) * static_cast<double>(lru_hit));
  EXPECT_EQ(stats.damaged, 0u);
}

}  // namespace
}  // namespace portolan::edge::disk::test
