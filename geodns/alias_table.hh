#pragma once
// What ALIAS records answer: the addresses of other names as they were resolved last. Immutable.
#include <cstdint>
#include <vector>

#include "geodns/directory.hh"

namespace portolan::geodns {

struct AliasAddresses {
  bool known = false;  // false: never resolved so far
  uint32_t ttl_s = 0;  // the resolver's
  Addresses v4, v6;    // not both empty where `known`
  bool operator==(const AliasAddresses&) const = default;
};

// By ZoneSet::aliases()'s index. Immutable.
struct AliasTable {
  std::vector<AliasAddresses> addresses;
  const AliasAddresses* find(uint32_t index) const { return index < addresses.size() ? &addresses[index] : nullptr; }
};

}  // namespace portolan::geodns
