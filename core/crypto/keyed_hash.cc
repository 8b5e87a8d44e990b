#include "core/crypto/keyed_hash.hh"

#include <bit>
#include <cstring>

#include "core/base/clock.hh"

namespace portolan::crypto {
namespace {

static_assert(std::endian::native == std::endian::little);

struct State {
  uint64_t v0, v1, v2, v3;

  void round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
  void take(uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
};

}  // namespace

HashKey HashKey::fresh() {
  HashKey key;
  system_entropy(&key, sizeof key);
  return key;
}

uint64_t keyed_hash(const HashKey& key, std::string_view bytes) {
  State s{key.a ^ 0x736f6d6570736575, key.b ^ 0x646f72616e646f6d, key.a ^ 0x6c7967656e657261,
          key.b ^ 0x7465646279746573};
  const char* at = bytes.data();
  uint64_t word = 0;
  for (size_t n = bytes.size() / 8; n > 0; --n, at += 8) {
    std::memcpy(&word, at, 8);
    s.take(word);
  }
  word = 0;
  if (size_t rest = bytes.size() % 8) std::memcpy(&word, at, rest);
  s.take(word | uint64_t{bytes.size()} << 56);
  s.v2 ^= 0xff;
  for (int i = 0; i < 4; ++i) s.round();
  return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

}  // namespace portolan::crypto
