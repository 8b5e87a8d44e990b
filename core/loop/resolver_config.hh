#pragma once
// [resolver]: who is asked for names, and for how long an answer is believed.
#include <cstdint>
#include <vector>

#include "core/base/address.hh"
#include "core/conf/field.hh"

namespace portolan::loop {

struct ResolverConfig {
  std::vector<SocketAddress> nameservers;  // empty: the system's
  int64_t timeout_ms = 2'000;              // until the same question is asked again, or elsewhere
  int attempts = 3;                        // a name server
  int64_t min_ttl_ms = 1'000;
  int64_t max_ttl_ms = 300'000;
  bool operator==(const ResolverConfig&) const = default;
};
const conf::Table<ResolverConfig>& resolver_fields();

}  // namespace portolan::loop
