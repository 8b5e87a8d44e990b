#pragma once
// Turns the binary trie into what a Table searches: nodes of 256 slots (a byte of the address each),
// written as runs of equal slots. Equal nodes are written once, so are equal trees. One thread.
#include <array>
#include <cstdint>
#include <vector>

#include "core/geo/huge_vector.hh"
#include "core/geo/interner.hh"
#include "core/geo/trie.hh"

namespace portolan::geo {

class Packer {
 public:
  // `alias`: what stands for Trie::alias; more than the id of any leaf.
  Packer(const Trie& trie, uint32_t alias);

  // One entry for each value of the first 16 bits, see Table. May be called for several roots.
  std::vector<uint32_t> root(Trie::Ref ref);

  // The runs of all nodes, see Table.
  HugeVector<uint8_t> take_ends();
  std::vector<uint32_t> take_values() { return std::move(values_); }

 private:
  struct Node {
    unsigned count = 0;
    std::array<uint8_t, 256> ends;
    std::array<uint32_t, 256> values;
  };

  uint32_t leaf_value(Trie::Ref leaf) const { return leaf == Trie::alias ? alias_ : Trie::id(leaf); }
  void fill_root(std::vector<uint32_t>& slots, Trie::Ref ref, unsigned depth, size_t first);
  uint32_t pack(Trie::Ref ref);
  void fill(Node& node, Trie::Ref ref, unsigned level, unsigned slot);
  uint32_t keep(const Node& node);

  const Trie& trie_;
  const uint32_t alias_;
  std::vector<uint8_t> ends_;
  std::vector<uint32_t> values_;
  Interner nodes_;
};

}  // namespace portolan::geo
