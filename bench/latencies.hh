#pragma once
// What the load generators keep of their requests' latencies.
#include <bit>
#include <cstdint>
#include <iterator>

namespace portolan::bench {

// Latencies in buckets an eighth of a power of two wide, from 8 ns up.
class Latencies {
 public:
  void add(int64_t ns) {
    const auto v = static_cast<uint64_t>(ns > 8 ? ns : 8);
    const auto power = static_cast<unsigned>(std::bit_width(v)) - 1;
    counts_[power * 8 + ((v >> (power - 3)) & 7)]++;
    total_++;
  }
  double quantile_us(double q) const {
    uint64_t left = static_cast<uint64_t>(q * static_cast<double>(total_));
    for (unsigned i = 0; i < std::size(counts_); i++) {
      if (counts_[i] > left) return static_cast<double>((8 + i % 8 + 1) * (uint64_t{1} << (i / 8)) / 8) / 1000;
      left -= counts_[i];
    }
    return 0;
  }

 private:
  uint64_t counts_[64 * 8] = {};
  uint64_t total_ = 0;
};

}  // namespace portolan::bench
