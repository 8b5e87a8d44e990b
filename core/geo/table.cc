#include "core/geo/table.hh"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "core/geo/packer.hh"
#include "core/geo/trie.hh"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace portolan::geo {
namespace {

// How many of the sorted ends lie before `slot`. One of them is 255, so the search ends there.
inline unsigned ends_before(const uint8_t* ends, uint8_t slot) {
#ifdef __SSE2__
  const __m128i wanted = _mm_set1_epi8(static_cast<char>(slot));
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
// reaches into.
inline unsigned block_bits(const uint8_t* end, bool first, unsigned slot) {
  const unsigned before = (slot ^ end[-1]) | unsigned{first} << 8;
  const unsigned after = slot ^ (end[0] + 1u);
  return static_cast<unsigned>(std::bit_width(std::min(before, after))) - 1;
}

bool is_mapped(const uint8_t* bytes) {
  static constexpr std::array<uint8_t, 12> prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return std::memcmp(bytes, prefix.data(), prefix.size()) == 0;
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

struct Table::Search {
  [[gnu::always_inline]] static inline Found in(const Table& table, const std::vector<uint32_t>& root,
                                                const uint8_t* bytes) {
    const uint32_t entry = root.data()[bytes[0] << 8 | bytes[1]];
    if (!(entry & node_bit)) return {entry & 0xffffff, entry >> 24};
    const uint32_t alias = static_cast<uint32_t>(table.places_.size());
    uint32_t first = entry & ~node_bit;
    for (unsigned depth = root_bits;; depth += stride) {
      const uint8_t slot = bytes[depth / 8];
      const uint8_t* ends = table.ends_.data() + first;
      const unsigned run = ends_before(ends, slot);
      const uint32_t value = static_cast<uint32_t>(table.values_[first + run]);
      if (value <= alias) return {value, depth + stride - block_bits(ends + run, run == 0, slot)};
      first = value - alias;
    }
  }

  static Found v6(const Table& table, const uint8_t* bytes) {
    Found found;
    if (is_mapped(bytes)) {
      found = in(table, table.root4_, bytes + 12);
      found.prefix_length += 96;
      return found;
    }
    found = in(table, table.root6_, bytes);
    if (found.place != table.places_.size()) return found;
    const unsigned added = found.prefix_length;
    found = in(table, table.root4_, bits_after(bytes, added).data());
    found.prefix_length += added;
    return found;
  }
};

Found Table::find(const IpAddress& address) const {
  if (address.is_v4()) return Search::in(*this, root4_, address.bytes.data());
  if (address.is_v6()) return Search::v6(*this, address.bytes.data());
  return {};
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
  std::shared_ptr<Table> table(new Table(Places(trie_->locations())));
  Packer packer(*trie_);
  table->root4_ = packer.root(v4_);
  table->root6_ = packer.root(v6_);
  trie_ = std::make_unique<Trie>();
  v4_ = v6_ = Trie::nothing;
  table->ends_ = packer.take_ends();
  table->values_ = Packed(packer.take_values());
  return table;
}

}  // namespace portolan::geo
