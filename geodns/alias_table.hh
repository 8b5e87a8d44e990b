#pragma once
// What ALIAS records answer: the addresses of other names as they were resolved last. Immutable.
#include <cstdint>
#include <vector>

#include "geodns/directory.hh"

namespace portolan::geodns {

struct AliasAddresses {
  bool known[2] = {false, false};  // IPv4, IPv6; false: never resolved so far
  uint32_t ttl_s = 0;              // half of the resolver's: it is asked again when the other half begins
  Addresses v4, v6;                // not both empty where both are known
  bool operator==(const AliasAddresses&) const = default;
};

// By ZoneSet::aliases()'s index. Immutable.
struct AliasTable {
  std::vector<AliasAddresses> addresses;
  const AliasAddresses* find(uint32_t index) const { return index < addresses.size() ? &addresses[index] : nullptr; }
};

}  // namespace portolan::geodns
