#pragma once
// The prefix table: from an address to the Location of the most specific prefix that is known, in a
// few cache lines. Immutable: any number of threads may ask it; a reload makes a new one and the
// old one lives while somebody holds it.
//
// A multi-bit trie after "Poptrie" (Asai and Ohara, SIGCOMM 2015): the first 18 bits index an array
// (so that IPv4 nodes meet /24 and IPv6 nodes /48), then 6 bits a node, children and leaves packed
// and found by counting bits.
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/base/address.hh"
#include "core/base/result.hh"
#include "core/geo/location.hh"

namespace portolan::geo {

class Trie;

struct Found {
  const Location* location = nullptr;  // null: nothing is known. Lives as long as the table
  // Every address that shares this many leading bits with the one asked gets this same `location`.
  // Bits of the family asked: 0..32 for IPv4, 0..128 for IPv6. Fit to be the scope of a Client
  // Subnet answer (RFC 7871 section 7.2.1).
  unsigned prefix_length = 0;
};

class Table {
 public:
  class Builder;

  // No allocation, no lock. An address of no family is unknown. IPv4-mapped addresses
  // (::ffff:0:0/96) are answered as the IPv4 address they hold, with 96 added to the length; so are
  // the prefixes a database declares to be aliases of its IPv4 part (6to4 for one).
  Found find(const IpAddress& address) const;

  size_t location_count() const { return locations_.size() - 1; }
  size_t memory_bytes() const;

 private:
  // A leaf is the length of its prefix (8 bits) over the id of its location (24 bits). In a root,
  // node_bit marks the index of a node; the leaves of a root are at most 18 long, so never carry
  // it.
  static constexpr uint32_t node_bit = 0x80000000;
  static constexpr unsigned root_bits = 18;
  static constexpr unsigned stride = 6;
  struct Node {
    uint64_t inner = 0;     // slots that go on in a child
    uint64_t runs = 0;      // slots where a leaf differs from the leaf before it
    uint32_t children = 0;  // index of the first child
    uint32_t leaves = 0;    // index of the first leaf
  };
  class Packer;
  struct Search;

  Table() = default;

  std::vector<uint32_t> root4_;
  std::vector<uint32_t> root6_;
  std::vector<Node> nodes_;
  std::vector<uint32_t> leaves_;
  std::vector<Location> locations_;  // [0] is the one nothing is known of
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
