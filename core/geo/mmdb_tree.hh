#pragma once
// Walks the search tree of a MaxMind DB file, once and whole, into a Trie. Refuses what is not a
// tree: a node reached twice (except the aliases of the IPv4 part), a node deeper than an address
// has bits, a record that points into the separator or past the data.
#include <cstdint>
#include <vector>

#include "core/base/result.hh"
#include "core/geo/mmdb_layout.hh"
#include "core/geo/offset_map.hh"
#include "core/geo/record_reader.hh"
#include "core/geo/trie.hh"

namespace portolan::geo {

class MmdbTree {
 public:
  MmdbTree(const MmdbLayout& layout, RecordReader& records, Trie& trie);
  Result<Trie::Roots> walk();

 private:
  static constexpr uint32_t no_node = UINT32_MAX;

  void find_ipv4_part();
  // The nodes below `start`, which stands at `depth` bits; `alias` is the IPv4 part's node, or
  // no_node inside it.
  Result<Trie::Ref> subtree(uint32_t start, unsigned depth, unsigned max_depth, uint32_t alias);
  Status enter(uint32_t node);
  Result<Trie::Ref> leaf(uint32_t record, uint32_t node);

  const MmdbLayout& layout_;
  RecordReader& records_;
  Trie& trie_;
  std::vector<bool> visited_;
  uint32_t ipv4_record_ = 0;  // the record 96 zero bits lead to (node or leaf)
  OffsetMap leaves_;          // of the records read so far
};

}  // namespace portolan::geo
