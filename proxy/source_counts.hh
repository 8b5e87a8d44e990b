#pragma once
// How many things of a kind each client address has under way, in a worker: a table of counters by the address's hash, of
// IPv6 its /64. Addresses that share a counter are counted together, which a seed of the process makes nobody's choice.
#include <xxhash.h>

#include <array>
#include <cstdint>

#include "core/base/address.hh"

namespace portolan::proxy {

class SourceCounts {
 public:
  explicit SourceCounts(uint64_t seed) : seed_(seed) {}
  int add(const IpAddress& address) { return ++of(address); }  // the count with this one
  void sub(const IpAddress& address) { --of(address); }

 private:
  int32_t& of(const IpAddress& address) {
    IpAddress plain = address.unmapped();
    return counts_[XXH3_64bits_withSeed(plain.bytes.data(), plain.is_v4() ? 4 : 8, seed_) % counts_.size()];
  }
  std::array<int32_t, 4096> counts_{};
  uint64_t seed_;
};

}  // namespace portolan::proxy
