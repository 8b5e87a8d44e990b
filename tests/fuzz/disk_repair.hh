#pragma once
// What the targets of the disk tier's records share. A sum would stop nearly every input at the door: where the first byte
// says so, the mark and the sum are made right, and the parser behind them sees the rest.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include "core/crypto/crc32c.hh"
#include "edge/disk/format.hh"

namespace portolan::edge::disk::fuzz {

constexpr crypto::HashKey secret{0x0123456789ABCDEF, 0xFEDCBA9876543210};

inline void check(bool good) {
  if (!good) std::abort();
}

struct Input {
  bool repaired = false;
  std::string bytes;
};

inline Input input_of(const uint8_t* data, size_t size) {
  if (size == 0) return {};
  return {(data[0] & 1) != 0, std::string(reinterpret_cast<const char*>(data) + 1, size - 1)};
}

template <class T>
void put(std::string& bytes, size_t at, T value) {
  if (at + sizeof value <= bytes.size()) std::memcpy(bytes.data() + at, &value, sizeof value);
}

// The sum over the first `length` bytes (0: all).
inline void seal(std::string& bytes, size_t at, size_t length = 0) {
  if (at + 4 > bytes.size()) return;
  put<uint32_t>(bytes, at, 0);
  put(bytes, at, crypto::crc32c(std::string_view(bytes).substr(0, length ? length : bytes.size())));
}

}  // namespace portolan::edge::disk::fuzz
