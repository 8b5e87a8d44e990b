#pragma once
// How much of something each client has, exactly and across all workers, with a limit a client: connections, passwords
// being checked. A table of fixed size; IPv6 clients are their /64.
//
// An entry is one word: whose it is (44 bits of a keyed hash) and how many (20 bits); it is free again at zero. Keys hash
// to sets of 32. Sized four times what there may be in all, a set is never full in practice; where it is, the client
// passes uncounted.
//
// Any thread; no lock, no allocation.
#include <cstdint>
#include <string_view>

#include "core/base/address.hh"
#include "core/crypto/keyed_hash.hh"
#include "proxy/admit/slots.hh"

namespace portolan::proxy {

class ClientCounts {
 public:
  explicit ClientCounts(size_t most_in_all);

  using Entry = uint32_t;
  static constexpr Entry refused = UINT32_MAX;        // the client has `most` already
  static constexpr Entry uncounted = UINT32_MAX - 1;  // passes, and nothing is to be released
  static constexpr uint64_t highest = (1u << 20) - 1;

  // `scope` keeps counts apart: a listener's name. An entry is to be released once.
  Entry acquire(std::string_view scope, const IpAddress& client, uint64_t most);
  void release(Entry entry);

 private:
  static constexpr size_t ways = 32;
  static constexpr unsigned count_bits = 20;
  static uint64_t count(uint64_t word) { return word & highest; }
  crypto::HashKey key_;
  Slots slots_;
};

}  // namespace portolan::proxy
