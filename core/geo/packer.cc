#include "core/geo/packer.hh"

#include <algorithm>
#include <cstring>

#include "core/geo/table.hh"

namespace portolan::geo {

// Run 0 belongs to no node: a search may look at the run before a node's first.
Packer::Packer(const Trie& trie, uint32_t alias) : trie_(trie), alias_(alias), ends_{255}, values_{0} {}

std::vector<uint32_t> Packer::root(Trie::Ref ref) {
  std::vector<uint32_t> slots(size_t{1} << Table::root_bits);
  fill_root(slots, ref, 0, 0);
  return slots;
}

void Packer::fill_root(std::vector<uint32_t>& slots, Trie::Ref ref, unsigned depth, size_t first) {
  const size_t count = slots.size() >> depth;
  if (Trie::is_leaf(ref)) {
    std::fill_n(slots.begin() + static_cast<ptrdiff_t>(first), count, depth << 24 | leaf_value(ref));
  } else if (depth == Table::root_bits) {
    slots[first] = Table::node_bit | pack(ref);
  } else {
    fill_root(slots, trie_.child(ref, false), depth + 1, first);
    fill_root(slots, trie_.child(ref, true), depth + 1, first + count / 2);
  }
}

// The first run of the node. Recursion is bounded by the bytes of an address.
uint32_t Packer::pack(Trie::Ref ref) {
  Node node;
  fill(node, ref, 0, 0);
  return keep(node);
}

void Packer::fill(Node& node, Trie::Ref ref, unsigned level, unsigned slot) {
  if (!Trie::is_leaf(ref) && level < Table::stride) {
    fill(node, trie_.child(ref, false), level + 1, slot);
    fill(node, trie_.child(ref, true), level + 1, slot + (128u >> level));
    return;
  }
  const uint32_t value = Trie::is_leaf(ref) ? leaf_value(ref) : alias_ + pack(ref);
  // Aliases stay apart: the length of each says where an IPv4 address begins.
  const bool goes_on = node.count > 0 && node.values[node.count - 1] == value && value != alias_;
  if (!goes_on) node.values[node.count++] = value;
  node.ends[node.count - 1] = static_cast<uint8_t>(slot + (256u >> level) - 1);
}

uint32_t Packer::keep(const Node& node) {
  uint64_t hash = node.count;
  for (unsigned i = 0; i < node.count; ++i) hash = stir(hash, uint64_t{node.values[i]} << 8 | node.ends[i]);
  const uint32_t fresh = static_cast<uint32_t>(ends_.size());
  const uint32_t first = nodes_.number_of(hash, fresh, [&](uint32_t known) {
    return known + node.count <= fresh && std::equal(&node.ends[0], &node.ends[0] + node.count, &ends_[known]) &&
           std::equal(&node.values[0], &node.values[0] + node.count, &values_[known]);
  });
  if (first == fresh) {
    ends_.insert(ends_.end(), &node.ends[0], &node.ends[0] + node.count);
    values_.insert(values_.end(), &node.values[0], &node.values[0] + node.count);
  }
  return first;
}

HugeVector<uint8_t> Packer::take_ends() {
  HugeVector<uint8_t> ends(ends_.size() + Table::search_width - 1);
  std::copy(ends_.begin(), ends_.end(), ends.begin());
  ends_.clear();
  return ends;
}

}  // namespace portolan::geo
