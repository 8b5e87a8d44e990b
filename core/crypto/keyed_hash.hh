#pragma once
// SipHash-2-4 (Aumasson, Bernstein 2012): a short hash that nobody can steer without the key. For tables whose keys come
// from outside. Pure; any thread; no allocation.
#include <cstdint>
#include <string_view>

namespace portolan::crypto {

struct HashKey {
  uint64_t a = 0, b = 0;
  static HashKey fresh();  // of the kernel's entropy
};

uint64_t keyed_hash(const HashKey& key, std::string_view bytes);

}  // namespace portolan::crypto
