#pragma once
// An immutable array of unsigned numbers, each in as many bits as the largest needs.
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/geo/huge_vector.hh"

namespace portolan::geo {

class Packed {
 public:
  static constexpr unsigned max_width = 56;  // bits: a number lies within the eight bytes from its first

  Packed() = default;
  template <class Number>
  explicit Packed(const std::vector<Number>& numbers) {
    const Number largest = numbers.empty() ? Number{0} : *std::max_element(numbers.begin(), numbers.end());
    width_ = std::max(1u, static_cast<unsigned>(std::bit_width(largest)));
    mask_ = (uint64_t{1} << width_) - 1;
    bytes_.resize((numbers.size() * width_ + 7) / 8 + 8);
    for (size_t i = 0; i < numbers.size(); ++i) {
      const size_t bit = i * width_;
      store(bit / 8, load(bit / 8) | uint64_t{numbers[i]} << bit % 8);
    }
  }

  uint64_t operator[](size_t i) const {
    const size_t bit = i * width_;
    return load(bit / 8) >> bit % 8 & mask_;
  }
  size_t memory_bytes() const { return bytes_.capacity(); }

 private:
  static uint64_t little_endian(uint64_t v) {
    return std::endian::native == std::endian::little ? v : __builtin_bswap64(v);
  }
  uint64_t load(size_t at) const {
    uint64_t v;
    std::memcpy(&v, bytes_.data() + at, sizeof v);
    return little_endian(v);
  }
  void store(size_t at, uint64_t v) {
    v = little_endian(v);
    std::memcpy(bytes_.data() + at, &v, sizeof v);
  }

  HugeVector<uint8_t> bytes_;
  unsigned width_ = 1;
  uint64_t mask_ = 1;
};

}  // namespace portolan::geo
