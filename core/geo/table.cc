#include "core/geo/table.hh"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/geo/trie.hh"

namespace portolan::geo {
namespace {

struct Key {
  uint64_t high = 0;
  uint64_t low = 0;
};

inline uint64_t big_endian64(const uint8_t* p) {
  uint64_t v;
  std::memcpy(&v, p, 8);
  return std::endian::native == std::endian::little ? __builtin_bswap64(v) : v;
}

// The 32 bits that follow the first `from` bits; from <= 96.
inline uint32_t bits_after(const Key& key, unsigned from) {
  uint64_t window = from == 0   ? key.high
                    : from < 64 ? key.high << from | key.low >> (64 - from)
                                : key.low << (from - 64);
  return static_cast<uint32_t>(window >> 32);
}

}  // namespace

// The walk, written once; compiled twice so that machines with a bit count instruction use it.
struct Table::Search {
  template <bool wide>
  [[gnu::always_inline]] static inline uint32_t leaf(const Table& table, Key key) {
    uint32_t entry = (wide ? table.root6_ : table.root4_).data()[key.high >> (64 - root_bits)];
    if (!(entry & node_bit)) return entry;
    shift<wide>(key, root_bits);
    const Node* node = table.nodes_.data() + (entry & ~node_bit);
    for (;;) {
      uint64_t slot = uint64_t{1} << (key.high >> (64 - stride));
      uint64_t upto = slot | (slot - 1);
      if (!(node->inner & slot)) return table.leaves_.data()[node->leaves + std::popcount(node->runs & upto) - 1];
      node = table.nodes_.data() + node->children + std::popcount(node->inner & upto) - 1;
      shift<wide>(key, stride);
    }
  }

  template <bool wide>
  [[gnu::always_inline]] static inline void shift(Key& key, unsigned by) {
    key.high <<= by;
    if constexpr (wide) {
      key.high |= key.low >> (64 - by);
      key.low <<= by;
    }
  }

  [[gnu::always_inline]] static inline Found found(const Table& table, uint32_t leaf, unsigned added) {
    uint32_t id = leaf & 0xffffff;
    return {id ? table.locations_.data() + id : nullptr, (leaf >> 24) + added};
  }

  [[gnu::always_inline]] static inline Found v4(const Table& table, uint32_t address, unsigned added) {
    return found(table, leaf<false>(table, {uint64_t{address} << 32, 0}), added);
  }

  [[gnu::always_inline]] static inline Found any(const Table& table, const IpAddress& address) {
    const uint8_t* bytes = address.bytes.data();
    if (address.is_v4()) return v4(table, static_cast<uint32_t>(big_endian64(bytes) >> 32), 0);
    if (!address.is_v6()) return {};
    Key key{big_endian64(bytes), big_endian64(bytes + 8)};
    if (key.high == 0 && key.low >> 32 == 0xffff) return v4(table, static_cast<uint32_t>(key.low), 96);
    uint32_t reached = leaf<true>(table, key);
    if ((reached & 0xffffff) != Trie::alias_id) return found(table, reached, 0);
    return v4(table, bits_after(key, reached >> 24), reached >> 24);
  }

#ifdef __x86_64__
  [[gnu::target("popcnt")]] static Found counting(const Table& table, const IpAddress& address) {
    return any(table, address);
  }
#endif
};

#ifdef __x86_64__
static const bool can_count = __builtin_cpu_supports("popcnt");
#endif

Found Table::find(const IpAddress& address) const {
#ifdef __x86_64__
  if (can_count) return Search::counting(*this, address);
#endif
  return Search::any(*this, address);
}

size_t Table::memory_bytes() const {
  return sizeof *this + (root4_.capacity() + root6_.capacity() + leaves_.capacity()) * 4 +
         nodes_.capacity() * sizeof(Node) + locations_.capacity() * sizeof(Location);
}

// Turns the binary trie into nodes of 64 slots.
class Table::Packer {
 public:
  Packer(Table& table, const Trie& trie) : table_(table), trie_(trie) {}

  std::vector<uint32_t> root(Trie::Ref ref) {
    std::vector<uint32_t> slots(size_t{1} << root_bits);
    fill_root(slots, ref, 0, 0);
    return slots;
  }

 private:
  static uint32_t leaf_value(Trie::Ref leaf, unsigned length) { return length << 24 | Trie::id(leaf); }

  void fill_root(std::vector<uint32_t>& slots, Trie::Ref ref, unsigned depth, size_t first) {
    size_t count = size_t{1} << (root_bits - depth);
    if (Trie::is_leaf(ref)) {
      std::fill_n(slots.begin() + static_cast<ptrdiff_t>(first), count, leaf_value(ref, depth));
    } else if (depth == root_bits) {
      uint32_t index = static_cast<uint32_t>(table_.nodes_.size());
      table_.nodes_.emplace_back();
      pack(index, ref, depth);
      slots[first] = node_bit | index;
    } else {
      fill_root(slots, trie_.child(ref, false), depth + 1, first);
      fill_root(slots, trie_.child(ref, true), depth + 1, first + count / 2);
    }
  }

  struct Slots {
    std::array<uint32_t, 64> value;  // leaf value, or Ref where inner
    uint64_t inner = 0;
  };

  void fill(Slots& slots, Trie::Ref ref, unsigned depth, unsigned level, unsigned first) const {
    unsigned count = 64u >> level;
    if (Trie::is_leaf(ref)) {
      std::fill_n(slots.value.begin() + first, count, leaf_value(ref, depth + level));
    } else if (level == stride) {
      slots.value[first] = ref;
      slots.inner |= uint64_t{1} << first;
    } else {
      fill(slots, trie_.child(ref, false), depth, level + 1, first);
      fill(slots, trie_.child(ref, true), depth, level + 1, first + count / 2);
    }
  }

  void pack(uint32_t index, Trie::Ref ref, unsigned depth) {
    Slots slots;
    fill(slots, ref, depth, 0, 0);
    Node node;
    node.inner = slots.inner;
    node.children = static_cast<uint32_t>(table_.nodes_.size());
    node.leaves = static_cast<uint32_t>(table_.leaves_.size());
    bool first = true;
    for (unsigned i = 0; i < 64; ++i) {
      if (slots.inner >> i & 1) continue;
      if (!first && table_.leaves_.back() == slots.value[i]) continue;
      first = false;
      node.runs |= uint64_t{1} << i;
      table_.leaves_.push_back(slots.value[i]);
    }
    table_.nodes_[index] = node;
    table_.nodes_.resize(table_.nodes_.size() + static_cast<size_t>(std::popcount(node.inner)));
    uint32_t child = node.children;
    for (unsigned i = 0; i < 64; ++i)
      if (slots.inner >> i & 1) pack(child++, slots.value[i], depth + stride);
  }

  Table& table_;
  const Trie& trie_;
};

Table::Builder::Builder() : trie_(std::make_unique<Trie>()), v4_(Trie::nothing), v6_(Trie::nothing) {}
Table::Builder::~Builder() = default;

Status Table::Builder::insert(const IpNetwork& network, const Location& location) {
  auto leaf = trie_->leaf(location);
  if (!leaf) return leaf.error();
  Trie::Ref layer = trie_->only(network, *leaf);
  if (network.address.is_v4()) return lay(layer, Trie::nothing);
  return lay(Trie::nothing, layer);
}

Status Table::Builder::lay(uint32_t v4, uint32_t v6) {
  auto both = trie_->overlay({v4_, v6_}, {v4, v6});
  if (!both) return both.error();
  v4_ = both->v4;
  v6_ = both->v6;
  return {};
}

std::shared_ptr<const Table> Table::Builder::finish() {
  std::shared_ptr<Table> table(new Table);
  Packer packer(*table, *trie_);
  table->root4_ = packer.root(v4_);
  table->root6_ = packer.root(v6_);
  table->locations_ = trie_->take_locations();
  trie_ = std::make_unique<Trie>();
  v4_ = v6_ = Trie::nothing;
  table->nodes_.shrink_to_fit();
  table->leaves_.shrink_to_fit();
  table->locations_.shrink_to_fit();
  return table;
}

}  // namespace portolan::geo
