#pragma once
// The prefix table: from an address to the Location of the most specific prefix that is known, in a
// few cache lines. Immutable: any number of threads may ask it; a reload makes a new one and the
// old one lives while somebody holds it.
//
// The first 16 bits of an address index an array; from there on a node a byte. A node is the sorted
// list of its runs: the last slot of each (one byte) and what its slots lead to, so that a search
// compares sixteen runs at a time. The length of a prefix is not stored: it follows from the ends of
// the run and of the one before it.
#include <cstdint>
#include <memory>
#include <vector>

#include "core/base/address.hh"
#include "core/base/result.hh"
#include "core/geo/huge_vector.hh"
#include "core/geo/location.hh"
#include "core/geo/packed.hh"
#include "core/geo/places.hh"

namespace portolan::geo {

class Trie;

struct Found {
  uint32_t place = 0;  // Table::location() says what is known of it; 0: nothing
  // Every address that shares this many leading bits with the one asked gets this same `place`, and
  // no shorter prefix is like that (of IPv6: none that
  // holds no IPv4 addresses inside, see embedded.hh). Bits of the family asked: 0..32 for IPv4, 0..128 for IPv6. Fit
  // to be the scope of a Client Subnet answer (RFC 7871 section 7.2.1).
  unsigned prefix_length = 0;
};

class Table {
 public:
  class Builder;

  // No allocation, no lock. An address of no family is unknown. IPv6 addresses with an IPv4 address inside (embedded.hh) are
  // answered as that one, with the bits before it added to the length; so are those in prefixes that a database declares
  // to be aliases of its IPv4 part.
  Found find(const IpAddress& address) const;
  // A find of this address is about to follow.
  void prefetch(const IpAddress& address) const {
    const auto& root = address.is_v4() ? root4_ : root6_;
    __builtin_prefetch(root.data() + (address.bytes[0] << 8 | address.bytes[1]));
  }

  // `place` as found here; equal locations are one place. No allocation, no lock.
  Location location(uint32_t place) const { return places_[place]; }

  size_t location_count() const { return places_.size() - 1; }
  size_t memory_bytes() const;

 private:
  friend class Packer;
  friend class Remapper;
  static constexpr unsigned root_bits = 16;
  static constexpr unsigned stride = 8;
  static constexpr unsigned search_width = 16;  // bytes a search reads at a time, perhaps past the last node
  static constexpr uint32_t node_bit = 0x80000000;
  struct Search;

  Table(Places places, uint32_t alias) : alias_(alias), places_(std::move(places)) {}

  // An entry of a root is a leaf, the length of its prefix (8 bits) over its place (24 bits), or
  // node_bit and the first run of a node. A value of a run is a place, or alias_, or that and the first
  // run of the node below.
  std::vector<uint32_t> root4_;
  std::vector<uint32_t> root6_;
  HugeVector<uint8_t> ends_;  // of each run its last slot; a node's last is 255
  Packed values_;
  uint32_t alias_;  // the next 32 bits are an IPv4 address: ask root4_
  Places places_;   // [0] is the one nothing is known of
};

// Collects networks, then makes a table. One thread.
class Table::Builder {
 public:
  Builder();
  ~Builder();
  Builder(const Builder&) = delete;
  Builder& operator=(const Builder&) = delete;

  // Says `location` of every address in the network: the fields it knows replace what earlier calls
  // said there, the others stay.
  Status insert(const IpNetwork& network, const Location& location);

  // For loaders: builds straight into the trie, then lays what was built over everything said so
  // far.
  Trie& trie() { return *trie_; }
  Status lay(uint32_t v4, uint32_t v6);

  std::shared_ptr<const Table> finish();  // the builder is empty afterwards

 private:
  std::unique_ptr<Trie> trie_;
  uint32_t v4_;
  uint32_t v6_;
};

}  // namespace portolan::geo
