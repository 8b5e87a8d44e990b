#include "core/geo/table.hh"

#include <algorithm>
#include <array>
#include <bit>

#include "core/geo/embedded.hh"
#include "core/geo/packer.hh"
#include "core/geo/trie.hh"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace portolan::geo {
namespace {

// How many of the sorted ends lie before `slot`. One of them is 255, so the search ends there.
[[gnu::always_inline]] inline unsigned ends_before(const uint8_t* ends, unsigned slot) {
#ifdef __SSE2__
  const __m128i wanted = _mm_set1_epi32(static_cast<int>(slot * 0x01010101));
  for (unsigned at = 0;; at += 16) {
    const __m128i sixteen = _mm_loadu_si128(reinterpret_cast<const __m128i*>(ends + at));
    const __m128i reached = _mm_cmpeq_epi8(_mm_max_epu8(sixteen, wanted), sixteen);
    const unsigned mask = static_cast<unsigned>(_mm_movemask_epi8(reached));
    if (mask) return at + static_cast<unsigned>(std::countr_zero(mask));
  }
#else
  unsigned at = 0;
  while (ends[at] < slot) ++at;
  return at;
#endif
}

// The bits of the longest aligned block around `slot` that neither the run before nor the one after
// reaches into. The run before a node's first ends a node, at 255: here that is one before 0.
[[gnu::always_inline]] inline unsigned block_bits(const uint8_t* end, unsigned slot) {
  const unsigned before = slot ^ (uint32_t{static_cast<uint8_t>(end[-1] + 1)} - 1);
  const unsigned after = slot ^ (end[0] + 1u);
  return 31u ^ static_cast<unsigned>(__builtin_clz(std::min(before, after)));
}

// The 32 bits that follow the first `from` bits of 128; from <= 96.
std::array<uint8_t, 4> bits_after(const uint8_t* bytes, unsigned from) {
  std::array<uint8_t, 4> r;
  bytes += from / 8;
  from %= 8;
  for (unsigned i = 0; i < 4; ++i)
    r[i] = static_cast<uint8_t>(bytes[i] << from | (from ? bytes[i + 1] >> (8 - from) : 0));
  return r;
}

}  // namespace

// The way down. The first step stands in find() itself, as most searches end there; what is rare is
// kept out of it.
struct Table::Search {
  // The run of `slot` in the node whose runs begin at `first`.
  struct Step {
    const uint8_t* end;
    uint32_t value;
  };
  [[gnu::always_inline]] static inline Step step(const Table& table, uint32_t first, unsigned slot) {
    const uint8_t* ends = table.ends_.data() + first;
    const unsigned run = ends_before(ends, slot);
    return {ends + run, static_cast<uint32_t>(table.values_[first + run])};
  }

  [[gnu::always_inline]] static inline Found in(const Table& table, const std::vector<uint32_t>& root,
                                                const uint8_t* bytes) {
    const uint32_t entry = root.data()[bytes[0] << 8 | bytes[1]];
    if (!(entry & node_bit)) {
      if ((entry & 0xffffff) == table.alias_) [[unlikely]]
        return aliased(table, bytes, entry >> 24);
      return {entry & 0xffffff, entry >> 24};
    }
    const unsigned slot = bytes[root_bits / 8];
    const Step here = step(table, entry & ~node_bit, slot);
    if (here.value < table.alias_) return {here.value, root_bits + stride - block_bits(here.end, slot)};
    return further(table, here, bytes);
  }

  [[gnu::noinline]] static Found further(const Table& table, Step here, const uint8_t* bytes) {
    const uint8_t* byte = bytes + root_bits / 8;
    while (here.value > table.alias_) here = step(table, here.value - table.alias_, *++byte);
    const unsigned length = static_cast<unsigned>(byte + 1 - bytes) * 8 - block_bits(here.end, *byte);
    if (here.value < table.alias_) return {here.value, length};
    return aliased(table, bytes, length);
  }

  // Past an alias stand the bits of an IPv4 address.
  [[gnu::noinline]] static Found aliased(const Table& table, const uint8_t* bytes, unsigned length) {
    Found found = in(table, table.root4_, bits_after(bytes, length).data());
    found.prefix_length += length;
    return found;
  }

  [[gnu::noinline]] static Found in_v6(const Table& table, const IpAddress& address) {
    const Embedded inside = find_embedded(address);
    if (inside.offset > 0) {
      Found found = in(table, table.root4_, inside.address.bytes.data());
      found.prefix_length += inside.offset;
      return found;
    }
    Found found = in(table, table.root6_, address.bytes.data());
    found.prefix_length = std::max(found.prefix_length, inside.apart);
    return found;
  }
};

Found Table::find(const IpAddress& address) const {
  const uint8_t* bytes = address.bytes.data();
  if (address.is_v4()) return Search::in(*this, root4_, bytes);
  if (!address.is_v6()) return {};
  return Search::in_v6(*this, address);
}

size_t Table::memory_bytes() const {
  return sizeof *this + (root4_.capacity() + root6_.capacity()) * sizeof root4_[0] + ends_.capacity() +
         values_.memory_bytes() + places_.memory_bytes();
}

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
  std::shared_ptr<Table> table(new Table(Places(trie_->locations()), static_cast<uint32_t>(trie_->locations().size())));
  Packer packer(*trie_, table->alias_);
  table->root4_ = packer.root(v4_);
  table->root6_ = packer.root(v6_);
  trie_ = std::make_unique<Trie>();
  v4_ = v6_ = Trie::nothing;
  table->ends_ = packer.take_ends();
  table->values_ = Packed(packer.take_values());
  return table;
}

}  // namespace portolan::geo
