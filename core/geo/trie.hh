#pragma once
// The binary prefix trie a Table is made from: built bottom up, equal neighbours merged as they
// meet, subtrees shared. Used by one thread while a database loads; gone afterwards.
#include <array>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "core/base/address.hh"
#include "core/base/result.hh"
#include "core/geo/interner.hh"
#include "core/geo/location.hh"

namespace portolan::geo {

class Trie {
 public:
  // A leaf (top bit set, below it the id of a location) or the index of a node.
  using Ref = uint32_t;
  static constexpr Ref leaf_bit = 0x80000000;
  static constexpr uint32_t nothing_id = 0;       // no location known
  static constexpr uint32_t alias_id = 0xffffff;  // the next 32 bits are an IPv4 address: ask the IPv4 trie
  static constexpr Ref nothing = leaf_bit | nothing_id;
  static constexpr Ref alias = leaf_bit | alias_id;

  struct Roots {
    Ref v4 = nothing;
    Ref v6 = nothing;
  };

  Trie() : locations_(1) {}
  static bool is_leaf(Ref ref) { return ref & leaf_bit; }
  static uint32_t id(Ref leaf) { return leaf & ~leaf_bit; }
  // The two halves of a node; a leaf covers both of its halves.
  Ref child(Ref ref, bool right) const { return is_leaf(ref) ? ref : nodes_[ref][right]; }

  // The leaf of a location; fails past 2^24 - 2 distinct ones.
  Result<Ref> leaf(const Location& location);
  // The node over two halves, or their common leaf. Two aliases stay apart: they mean different
  // addresses.
  Ref join(Ref left, Ref right) {
    if (left == right && is_leaf(left) && left != alias) return left;
    nodes_.push_back({left, right});
    return static_cast<Ref>(nodes_.size() - 1);
  }
  // A trie that says `leaf` inside the network and nothing elsewhere.
  Ref only(const IpNetwork& network, Ref leaf);
  // Lays `over` on `under`, field by field (see combine()).
  Result<Roots> overlay(const Roots& under, const Roots& over);

  void reserve(size_t nodes) { nodes_.reserve(nodes_.size() + nodes); }
  const std::vector<Location>& locations() const { return locations_; }

 private:
  Ref overlay(Ref under, Ref over, const Roots& under_roots, const Roots& over_roots);
  Ref overlay_leaves(Ref under, Ref over);

  std::vector<std::array<Ref, 2>> nodes_;
  std::vector<Location> locations_;  // [0] is the one nothing is known of
  Interner ids_;
  std::unordered_map<uint64_t, Ref> combined_;
  bool overflowed_ = false;
};

}  // namespace portolan::geo
