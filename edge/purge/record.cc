// The format of edge/purge/log.hh.
#include <algorithm>
#include <cstring>

#include "core/crypto/crc32c.hh"
#include "edge/purge/log.hh"

namespace portolan::edge {
namespace {

constexpr std::string_view magic = "PTLNPRG2", magic_1 = "PTLNPRG1";
constexpr size_t slots_at = 2048, slot_room = 1024;
constexpr size_t fixed_payload = 8 + 8 + 8 + 1 + 1;
constexpr size_t longest_node = 255;

template <class N>
void put(std::string& out, N value) {
  for (size_t i = 0; i < sizeof(N); ++i) out += static_cast<char>(static_cast<uint64_t>(value) >> (8 * i));
}

// Takes numbers off the front; once there are too few bytes, everything is 0 and ok() false.
class Take {
 public:
  explicit Take(std::string_view bytes) : rest_(bytes) {}
  template <class N>
  N number() {
    if (rest_.size() < sizeof(N)) {
      ok_ = false;
      return 0;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof(N); ++i) value |= uint64_t{static_cast<unsigned char>(rest_[i])} << (8 * i);
    rest_.remove_prefix(sizeof(N));
    return static_cast<N>(value);
  }
  std::string_view rest() const { return rest_; }
  bool ok() const { return ok_; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

// Length, checksum of length and payload, payload.
void frame(std::string_view payload, std::string& out) {
  std::string length;
  put(length, static_cast<uint32_t>(payload.size()));
  uint32_t sum = crypto::crc32c(payload, crypto::crc32c(length));
  out += length;
  put(out, sum);
  out += payload;
}

// The payload, taken off the front; nullopt: what is there isn't whole and right.
std::optional<std::string_view> unframe(std::string_view& bytes, size_t most) {
  Take take(bytes);
  auto length = take.number<uint32_t>();
  auto sum = take.number<uint32_t>();
  if (!take.ok() || length > most || length > take.rest().size()) return std::nullopt;
  std::string_view payload = take.rest().substr(0, length);
  if (crypto::crc32c(payload, crypto::crc32c(bytes.substr(0, 4))) != sum) return std::nullopt;
  bytes.remove_prefix(8 + length);
  return payload;
}

std::optional<PurgeEntry> read_entry(std::string_view& bytes) {
  auto payload = unframe(bytes, fixed_payload + Purge::longest_value);
  if (!payload) return std::nullopt;
  Take take(*payload);
  PurgeEntry entry;
  entry.number = take.number<uint64_t>();
  entry.sequence = take.number<uint64_t>();
  entry.at_ms = take.number<int64_t>();
  auto kind = take.number<uint8_t>();
  entry.purge.soft = take.number<uint8_t>() != 0;
  entry.purge.value = take.rest();
  bool known = kind >= static_cast<uint8_t>(PurgeKind::url) && kind <= static_cast<uint8_t>(PurgeKind::all);
  if (!take.ok() || !known) return std::nullopt;
  entry.purge.kind = static_cast<PurgeKind>(kind);
  return entry;
}

bool read_header(std::string_view bytes, bool says_trimmed, PurgeImage& image) {
  auto payload = unframe(bytes, slots_at);
  if (!payload) return false;
  Take take(*payload);
  image.floors.hard = take.number<uint64_t>();
  image.floors.soft = take.number<uint64_t>();
  image.floors.soft_ms = take.number<int64_t>();
  image.began = take.number<uint64_t>();
  image.last_number = take.number<uint64_t>();
  image.trimmed = says_trimmed ? take.number<uint64_t>() : image.last_number;
  image.node = take.rest();
  return take.ok();
}

std::optional<PurgeSlot> read_slot(std::string_view file, size_t which) {
  size_t at = slots_at + which * slot_room;
  if (file.size() < at + slot_room) return std::nullopt;
  std::string_view bytes = file.substr(at, slot_room);
  auto payload = unframe(bytes, 64);
  if (!payload) return std::nullopt;
  Take take(*payload);
  PurgeSlot slot;
  slot.stamp = take.number<uint64_t>();
  slot.end = take.number<uint64_t>();
  slot.number = take.number<uint64_t>();
  if (!take.ok()) return std::nullopt;
  return slot;
}

}  // namespace

uint64_t slot_offset(uint64_t stamp) {
  return slots_at + stamp % 2 * slot_room;
}

std::string render_slot(const PurgeSlot& slot) {
  std::string payload, out;
  put(payload, slot.stamp);
  put(payload, slot.end);
  put(payload, slot.number);
  frame(payload, out);
  return out;
}

void append_record(const PurgeEntry& entry, std::string& out) {
  std::string payload;
  put(payload, entry.number);
  put(payload, entry.sequence);
  put(payload, entry.at_ms);
  put(payload, static_cast<uint8_t>(entry.purge.kind));
  put(payload, static_cast<uint8_t>(entry.purge.soft));
  payload += entry.purge.value;
  frame(payload, out);
}

std::string render_purges(const PurgeImage& image) {
  std::string payload, out(magic);
  put(payload, image.floors.hard);
  put(payload, image.floors.soft);
  put(payload, image.floors.soft_ms);
  put(payload, image.began);
  put(payload, image.last_number);
  put(payload, image.trimmed);
  payload += image.node.substr(0, longest_node);
  frame(payload, out);
  out.resize(purge_header_bytes);
  for (const PurgeEntry& entry : image.entries) append_record(entry, out);
  for (uint64_t stamp : {1, 2}) {
    std::string slot = render_slot({stamp, out.size(), image.last_number});
    out.replace(slot_offset(stamp), slot.size(), slot);
  }
  return out;
}

ParsedPurges parse_purges(std::string_view file) {
  ParsedPurges parsed;
  const bool older = file.starts_with(magic_1);
  if (!older && !file.starts_with(magic)) return parsed;
  parsed.known = true;
  parsed.damaged = !read_header(file.substr(magic.size()), !older, parsed.image);
  if (parsed.damaged) parsed.image = {};
  auto a = read_slot(file, 0), b = read_slot(file, 1);
  std::optional<PurgeSlot> slot = !a || (b && b->stamp > a->stamp) ? b : a;
  // They are written in turn, long after each other: no crash takes both.
  if (!slot) parsed.damaged = true;
  PurgeImage& image = parsed.image;
  std::string_view rest = file.substr(std::min(file.size(), purge_header_bytes));
  uint64_t before = 0;
  while (!rest.empty()) {
    std::string_view at = rest;
    auto entry = read_entry(at);
    if (!entry) break;
    rest = at;
    if (entry->number <= before) continue;  // said already
    before = entry->number;
    image.entries.push_back(std::move(*entry));
  }
  uint64_t end = file.size() - rest.size();
  if (slot && (end < slot->end || file.size() < purge_header_bytes)) parsed.damaged = true;
  parsed.dropped = rest.size();
  image.last_number = std::max({image.last_number, before, slot ? slot->number : 0});
  return parsed;
}

}  // namespace portolan::edge
