#include "core/geo/remap.hh"

#include "core/geo/offset_map.hh"
#include "core/geo/packer.hh"
#include "core/geo/trie.hh"

namespace portolan::geo {

// Walks a table back into a trie, each of its nodes once, however many lead to it.
class Remapper {
 public:
  Remapper(const Table& table, const std::vector<uint32_t>& class_of_place) : table_(table), classes_(class_of_place) {}

  std::shared_ptr<const Table> run(uint32_t classes) {
    const Trie::Ref v4 = from_root(table_.root4_, 0, 0), v6 = from_root(table_.root6_, 0, 0);
    std::shared_ptr<Table> result(new Table(Places({}), classes));
    Packer packer(trie_, classes);
    result->root4_ = packer.root(v4);
    result->root6_ = packer.root(v6);
    result->ends_ = packer.take_ends();
    result->values_ = Packed(packer.take_values());
    return result;
  }

 private:
  Trie::Ref leaf(uint32_t place) const {
    return place == table_.alias_ ? Trie::alias : Trie::leaf_bit | classes_[place];
  }

  // The entries from `first` on that share `depth` bits. A leaf's length says how many entries it fills; aliases stay
  // whole, as theirs says where IPv4 addresses begin.
  Trie::Ref from_root(const std::vector<uint32_t>& root, unsigned depth, size_t first) {
    const uint32_t entry = root[first];
    if (!(entry & Table::node_bit) && entry >> 24 <= depth) return leaf(entry & 0xffffff);
    if (depth == Table::root_bits) return node(entry & ~Table::node_bit);
    const size_t half = root.size() >> (depth + 1);
    const Trie::Ref left = from_root(root, depth + 1, first);
    return trie_.join(left, from_root(root, depth + 1, first + half));
  }

  Trie::Ref node(uint32_t first) {
    if (const uint32_t* known = nodes_.find(first)) return *known;
    uint32_t run = first;
    const Trie::Ref ref = slots(run, 0, Table::stride);
    nodes_.put(first, ref);
    return ref;
  }

  // 2^bits slots from `slot` on; `run` is the one that `slot` is in.
  Trie::Ref slots(uint32_t& run, unsigned slot, unsigned bits) {
    while (table_.ends_[run] < slot) ++run;
    if (table_.ends_[run] >= slot + (1u << bits) - 1) {
      const uint32_t value = static_cast<uint32_t>(table_.values_[run]);
      const Trie::Ref ref = value > table_.alias_ ? node(value - table_.alias_) : leaf(value);
      if (bits == 0 || (Trie::is_leaf(ref) && ref != Trie::alias) || value == table_.alias_) return ref;
    }
    const Trie::Ref left = slots(run, slot, bits - 1);
    return trie_.join(left, slots(run, slot + (1u << (bits - 1)), bits - 1));
  }

  const Table& table_;
  const std::vector<uint32_t>& classes_;
  Trie trie_;
  OffsetMap nodes_;  // by their first run
};

std::shared_ptr<const Table> remap(const Table& table, const std::vector<uint32_t>& class_of_place, uint32_t classes) {
  return Remapper(table, class_of_place).run(classes);
}

}  // namespace portolan::geo
