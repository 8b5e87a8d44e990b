#include "core/crypto/crc32c.hh"

#include <array>
#include <cstddef>
#include <cstring>
#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace portolan::crypto {
namespace {

constexpr uint32_t polynomial = 0x82F63B78;  // reflected

using Tables = std::array<std::array<uint32_t, 256>, 8>;  // table n: a byte that n zero bytes follow

constexpr Tables make_tables() {
  Tables t{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? polynomial : 0);
    t[0][byte] = crc;
  }
  for (size_t n = 1; n < t.size(); ++n)
    for (size_t byte = 0; byte < 256; ++byte) t[n][byte] = (t[n - 1][byte] >> 8) ^ t[0][t[n - 1][byte] & 0xFF];
  return t;
}

constexpr Tables tables = make_tables();

#if defined(__x86_64__)

constexpr size_t lane = 2048;  // three lanes at a time hide the instruction's latency

// What `lane` zero bytes after it make of a register: linear, so four lookups.
constexpr std::array<std::array<uint32_t, 256>, 4> make_shift() {
  std::array<std::array<uint32_t, 256>, 4> t{};
  std::array<uint32_t, 32> of_bit{};
  for (size_t bit = 0; bit < 32; ++bit) {
    uint32_t crc = 1u << bit;
    for (size_t i = 0; i < lane; ++i) crc = (crc >> 8) ^ tables[0][crc & 0xFF];
    of_bit[bit] = crc;
  }
  for (size_t at = 0; at < 4; ++at)
    for (uint32_t byte = 0; byte < 256; ++byte)
      for (size_t bit = 0; bit < 8; ++bit)
        if (byte >> bit & 1) t[at][byte] ^= of_bit[at * 8 + bit];
  return t;
}

const std::array<std::array<uint32_t, 256>, 4> shift_table = make_shift();

uint64_t shift(uint64_t crc) {
  return shift_table[0][crc & 0xFF] ^ shift_table[1][crc >> 8 & 0xFF] ^ shift_table[2][crc >> 16 & 0xFF] ^
         shift_table[3][crc >> 24 & 0xFF];
}

uint64_t word(const char* at) {
  uint64_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

__attribute__((target("sse4.2"))) uint32_t by_instruction(const char* at, size_t size, uint32_t before) {
  uint64_t crc = ~before;
  for (; size >= 3 * lane; at += 3 * lane, size -= 3 * lane) {
    uint64_t second = 0, third = 0;
    for (size_t i = 0; i < lane; i += 8) {
      crc = _mm_crc32_u64(crc, word(at + i));
      second = _mm_crc32_u64(second, word(at + lane + i));
      third = _mm_crc32_u64(third, word(at + 2 * lane + i));
    }
    crc = shift(shift(crc) ^ second) ^ third;
  }
  for (; size >= 8; at += 8, size -= 8) crc = _mm_crc32_u64(crc, word(at));
  for (; size > 0; ++at, --size) crc = _mm_crc32_u8(static_cast<uint32_t>(crc), static_cast<unsigned char>(*at));
  return ~static_cast<uint32_t>(crc);
}

#endif

}  // namespace

uint32_t crc32c_by_table(std::string_view bytes, uint32_t before) {
  uint32_t crc = ~before;
  const auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
  size_t size = bytes.size();
  for (; size >= 8; at += 8, size -= 8) {
    crc ^= static_cast<uint32_t>(at[0]) | static_cast<uint32_t>(at[1]) << 8 | static_cast<uint32_t>(at[2]) << 16 |
           static_cast<uint32_t>(at[3]) << 24;
    crc = tables[7][crc & 0xFF] ^ tables[6][crc >> 8 & 0xFF] ^ tables[5][crc >> 16 & 0xFF] ^ tables[4][crc >> 24] ^
          tables[3][at[4]] ^ tables[2][at[5]] ^ tables[1][at[6]] ^ tables[0][at[7]];
  }
  for (; size > 0; ++at, --size) crc = (crc >> 8) ^ tables[0][(crc ^ *at) & 0xFF];
  return ~crc;
}

uint32_t crc32c(std::string_view bytes, uint32_t before) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2");
  if (has_instruction) return by_instruction(bytes.data(), bytes.size(), before);
#endif
  return crc32c_by_table(bytes, before);
}

}  // namespace portolan::crypto
