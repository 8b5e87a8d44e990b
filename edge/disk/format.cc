#include "edge/disk/format.hh"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "core/crypto/crc32c.hh"

namespace portolan::edge::disk {
namespace {

static_assert(std::endian::native == std::endian::little, "the store is little-endian");

constexpr std::string_view store_magic = "portolan-cache\r\n";  // 16 bytes; a copy in text mode breaks it
constexpr uint32_t footer_unit = 0xFFFFFFFF;
constexpr size_t superblock_copy = superblock_bytes / 2;

template <class T>
void put(std::string& bytes, size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

template <class T>
T get(std::string_view bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

// The sum of a part whose own place in it counts as zeros.
uint32_t sum_around(std::string_view bytes, size_t at) {
  uint32_t sum = crypto::crc32c(bytes.substr(0, at));
  sum = crypto::crc32c(std::string_view("\0\0\0\0", 4), sum);
  return crypto::crc32c(bytes.substr(at + 4), sum);
}

void seal(std::string& bytes, size_t at) {
  put<uint32_t>(bytes, at, 0);
  put<uint32_t>(bytes, at, crypto::crc32c(bytes));
}

bool intact(std::string_view bytes, size_t at) {
  return get<uint32_t>(bytes, at) == sum_around(bytes, at);
}

uint64_t hash(const crypto::HashKey& secret, uint64_t a, uint64_t b) {
  uint64_t words[2] = {a, b};
  return crypto::keyed_hash(secret, {reinterpret_cast<const char*>(words), sizeof words});
}

// Names of the parts that have no epoch: far above any.
constexpr uint64_t segment_head_epoch = ~0ull, row_epoch = ~1ull;

}  // namespace

std::string encode(const Superblock& block) {
  std::string copy(superblock_copy, '\0');
  copy.replace(0, store_magic.size(), store_magic);
  put(copy, 16, block.version);
  put(copy, 24, block.segment_bytes);
  put(copy, 32, block.secret.a);
  put(copy, 40, block.secret.b);
  put(copy, 48, block.made_ms);
  seal(copy, 20);
  return copy + copy;
}

Judgement parse(std::string_view bytes, Superblock& block) {
  Judgement judgement = Judgement::unknown;
  for (size_t at = 0; at + superblock_copy <= bytes.size() && at < superblock_bytes; at += superblock_copy) {
    std::string_view copy = bytes.substr(at, superblock_copy);
    if (copy.substr(0, store_magic.size()) != store_magic || !intact(copy, 20)) continue;
    block.version = get<uint32_t>(copy, 16);
    block.segment_bytes = get<uint64_t>(copy, 24);
    block.secret = {get<uint64_t>(copy, 32), get<uint64_t>(copy, 40)};
    block.made_ms = get<int64_t>(copy, 48);
    if (block.version != format_version) {
      judgement = Judgement::other_version;
      continue;
    }
    uint64_t size = block.segment_bytes;
    if (std::has_single_bit(size) && size >= 64 << 10 && size <= Disk::segment_bytes) return Judgement::ours;
  }
  return judgement;
}

uint64_t mark_of(const crypto::HashKey& secret, uint64_t epoch, Place place) {
  return hash(secret, epoch, static_cast<uint64_t>(place.segment) << 32 | place.unit);
}

std::string encode(const Head& head, uint64_t mark) {
  std::string bytes(head_bytes_of(head.body_bytes, head.meta.size()), '\0');
  put(bytes, 0, mark);
  put(bytes, 8, static_cast<uint32_t>(bytes.size()));
  put(bytes, 16, head.key.high);
  put(bytes, 24, head.key.low);
  put(bytes, 32, head.sequence);
  put(bytes, 40, head.order);
  put(bytes, 48, head.useless_ms);
  put(bytes, 56, head.body_at);
  put(bytes, 60, head.body_bytes);
  put(bytes, 64, static_cast<uint32_t>(head.meta.size()));
  size_t at = head_fixed_bytes;
  for (uint32_t sum : head.fragments) put(bytes, std::exchange(at, at + 4), sum);
  bytes.replace(at, head.meta.size(), head.meta);
  seal(bytes, 12);
  return bytes;
}

uint32_t head_length(std::string_view start, uint64_t mark) {
  if (start.size() < head_fixed_bytes || get<uint64_t>(start, 0) != mark) return 0;
  auto length = get<uint32_t>(start, 8), body = get<uint32_t>(start, 60), meta = get<uint32_t>(start, 64);
  if (body > Disk::max_body_bytes || meta > Disk::max_meta_bytes || length != head_bytes_of(body, meta)) return 0;
  return length;
}

std::optional<Head> parse_head(std::string_view bytes, uint64_t mark, uint32_t unit) {
  uint32_t length = head_length(bytes, mark);
  if (length == 0 || bytes.size() < length) return std::nullopt;
  bytes = bytes.substr(0, length);
  if (!intact(bytes, 12)) return std::nullopt;
  Head head;
  head.key = {get<uint64_t>(bytes, 16), get<uint64_t>(bytes, 24)};
  head.sequence = get<uint64_t>(bytes, 32);
  head.order = get<uint64_t>(bytes, 40);
  head.useless_ms = get<int64_t>(bytes, 48);
  head.body_at = get<uint32_t>(bytes, 56);
  head.body_bytes = get<uint32_t>(bytes, 60);
  if (head.body_at < unit_bytes || static_cast<uint64_t>(head.body_at) + head.body_bytes > uint64_t{unit} * unit_bytes)
    return std::nullopt;
  size_t at = head_fixed_bytes;
  head.fragments.resize(fragments_of(head.body_bytes));
  for (uint32_t& sum : head.fragments) sum = get<uint32_t>(bytes, std::exchange(at, at + 4));
  head.meta = bytes.substr(at);
  return head;
}

std::string encode(const SegmentHead& head, const crypto::HashKey& secret, uint32_t segment) {
  std::string bytes(unit_bytes, '\0');
  put(bytes, 0, mark_of(secret, segment_head_epoch, {segment, 0}));
  put(bytes, 8, head.epoch);
  put(bytes, 16, head.first_order);
  put(bytes, 24, head.opened_ms);
  put(bytes, 32, static_cast<uint32_t>(head.kind));
  seal(bytes, 36);
  return bytes;
}

std::optional<SegmentHead> parse_segment_head(std::string_view bytes, const crypto::HashKey& secret, uint32_t segment) {
  if (bytes.size() < unit_bytes) return std::nullopt;
  bytes = bytes.substr(0, unit_bytes);
  auto kind = get<uint32_t>(bytes, 32);
  if (get<uint64_t>(bytes, 0) != mark_of(secret, segment_head_epoch, {segment, 0}) || !intact(bytes, 36) || kind == 0 ||
      kind > static_cast<uint32_t>(Kind::main))
    return std::nullopt;
  return SegmentHead{get<uint64_t>(bytes, 8), get<uint64_t>(bytes, 16), get<int64_t>(bytes, 24),
                     static_cast<Kind>(kind)};
}

uint64_t footer_mark(const crypto::HashKey& secret, uint32_t segment) {
  return mark_of(secret, segment_head_epoch, {segment, footer_unit});
}

uint32_t useless_seconds(int64_t useless_ms) {
  int64_t seconds = useless_ms / 1000 + (useless_ms % 1000 > 0);
  return static_cast<uint32_t>(std::clamp<int64_t>(seconds, 0, std::numeric_limits<uint32_t>::max()));
}

std::string encode(const Footer& footer, uint64_t mark) {
  std::string bytes(footer_bytes_of(footer.entries.size()), '\0');
  size_t at = 0;
  for (const FooterEntry& entry : footer.entries) {
    put(bytes, at, entry.key.high);
    put(bytes, at + 8, entry.key.low);
    put(bytes, at + 16, entry.useless_s);
    put(bytes, at + 20, entry.unit);
    put(bytes, at + 24, entry.body_bytes);
    put(bytes, at + 28, entry.order);
    at += footer_entry_bytes;
  }
  put(bytes, at, mark);
  put(bytes, at + 8, static_cast<uint32_t>(footer.entries.size()));
  put(bytes, at + 16, footer.epoch);
  put(bytes, at + 24, footer.first_order);
  put(bytes, at + 32, footer.max_sequence);
  put(bytes, at + 40, footer.used);
  seal(bytes, at + 12);
  return bytes;
}

uint64_t footer_length(std::string_view end, uint64_t mark) {
  if (end.size() != footer_fixed_bytes || get<uint64_t>(end, 0) != mark) return 0;
  auto count = get<uint32_t>(end, 8);
  return count <= units_of_segment ? footer_bytes_of(count) : 0;
}

std::optional<Footer> parse_footer(std::string_view bytes, uint64_t mark, uint64_t segment_bytes) {
  if (bytes.size() < footer_fixed_bytes || bytes.size() > segment_bytes) return std::nullopt;
  size_t fixed = bytes.size() - footer_fixed_bytes;
  if (footer_length(bytes.substr(fixed), mark) != bytes.size() || !intact(bytes, fixed + 12)) return std::nullopt;
  Footer footer;
  footer.epoch = get<uint64_t>(bytes, fixed + 16);
  footer.first_order = get<uint64_t>(bytes, fixed + 24);
  footer.max_sequence = get<uint64_t>(bytes, fixed + 32);
  footer.used = get<uint32_t>(bytes, fixed + 40);
  footer.entries.resize(fixed / footer_entry_bytes);
  size_t at = 0;
  for (FooterEntry& entry : footer.entries) {
    entry.key = {get<uint64_t>(bytes, at), get<uint64_t>(bytes, at + 8)};
    entry.useless_s = get<uint32_t>(bytes, at + 16);
    entry.unit = get<uint32_t>(bytes, at + 20);
    entry.body_bytes = get<uint32_t>(bytes, at + 24);
    entry.order = get<uint32_t>(bytes, at + 28);
    if (entry.unit == 0 || entry.unit >= segment_bytes / unit_bytes) return std::nullopt;
    at += footer_entry_bytes;
  }
  return footer;
}

std::string encode(const Row& row, const crypto::HashKey& secret, uint32_t segment) {
  std::string bytes(row_bytes, '\0');
  put(bytes, 0, row.epoch);
  put(bytes, 8, row.first_order);
  put(bytes, 16, row.last_order);
  put(bytes, 24, row.max_sequence);
  put(bytes, 32, row.opened_ms);
  put(bytes, 40, row.used);
  put(bytes, 44, row.entries);
  put(bytes, 48, static_cast<uint16_t>(row.kind));
  put(bytes, 50, static_cast<uint16_t>(row.open));
  put(bytes, 56, hash(secret, row_epoch, segment));
  seal(bytes, 52);
  return bytes;
}

std::optional<Row> parse_row(std::string_view bytes, const crypto::HashKey& secret, uint32_t segment) {
  if (bytes.size() != row_bytes || !intact(bytes, 52) || get<uint64_t>(bytes, 56) != hash(secret, row_epoch, segment))
    return std::nullopt;
  auto kind = get<uint16_t>(bytes, 48), open = get<uint16_t>(bytes, 50);
  if (kind > static_cast<uint16_t>(Kind::main) || open > 1) return std::nullopt;
  return Row{get<uint64_t>(bytes, 0),  get<uint64_t>(bytes, 8), get<uint64_t>(bytes, 16),
             get<uint64_t>(bytes, 24), get<int64_t>(bytes, 32), get<uint32_t>(bytes, 40),
             get<uint32_t>(bytes, 44), static_cast<Kind>(kind), open == 1};
}

}  // namespace portolan::edge::disk
