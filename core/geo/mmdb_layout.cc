#include "core/geo/mmdb_layout.hh"

#include <fmt/format.h>

#include <algorithm>

namespace portolan::geo {
namespace {

constexpr std::string_view marker = "\xab\xcd\xefMaxMind.com";
constexpr size_t metadata_max_bytes = 128 * 1024;
constexpr uint64_t metadata_budget = 100'000;

using Type = MmdbValue::Type;

Result<uint64_t> number_of(const MmdbData& metadata, std::string_view key) {
  size_t at = find_mmdb_key(metadata, 0, key);
  if (at == mmdb_npos) return Error{fmt::format("metadata: no {}", key)};
  MmdbValue value;
  if (read_mmdb_value(metadata, at, value) ||
      (value.type != Type::uint16 && value.type != Type::uint32 && value.type != Type::uint64))
    return Error{fmt::format("metadata: {} is not a number", key)};
  return mmdb_unsigned(metadata, value);
}

// Text in every member of a map or array. libmaxminddb needs it so, and leaks where it finds
// otherwise.
Status check_texts(const MmdbData& metadata, std::string_view key, Type container) {
  size_t at = find_mmdb_key(metadata, 0, key);
  MmdbValue value;
  if (at == mmdb_npos || read_mmdb_value(metadata, at, value) || value.type != container)
    return Error{fmt::format("metadata: {} is missing or of the wrong type", key)};
  at = value.payload;
  for (uint64_t i = 0; i < uint64_t{value.size} * (container == Type::map ? 2 : 1); ++i) {
    MmdbValue text;
    if (read_mmdb_value(metadata, at, text)) return Error{fmt::format("metadata: {} is damaged", key)};
    at = text.next;
    if (text.type == Type::pointer) read_mmdb_value(metadata, text.size, text);
    if (text.type != Type::text) return Error{fmt::format("metadata: {} holds more than text", key)};
  }
  return {};
}

Status read_metadata(const MmdbData& metadata, MmdbLayout& layout) {
  MmdbChecker checker(metadata, metadata_budget);
  if (Status checked = checker.check(0, metadata_budget); !checked) return Error{"metadata: " + checked.error().text};
  MmdbValue root;
  if (read_mmdb_value(metadata, 0, root) || root.type != Type::map) return Error{"metadata: not a map"};
  auto format = number_of(metadata, "binary_format_major_version");
  if (!format) return format.error();
  if (*format != 2) return Error{fmt::format("metadata: format version {}, not 2", *format)};
  auto nodes = number_of(metadata, "node_count");
  if (!nodes) return nodes.error();
  auto record = number_of(metadata, "record_size");
  if (!record) return record.error();
  auto version = number_of(metadata, "ip_version");
  if (!version) return version.error();
  if (*record != 24 && *record != 28 && *record != 32)
    return Error{fmt::format("metadata: record_size {}, not 24, 28 or 32", *record)};
  if (*version != 4 && *version != 6) return Error{fmt::format("metadata: ip_version {}, not 4 or 6", *version)};
  if (*nodes == 0 || *nodes > UINT32_MAX) return Error{fmt::format("metadata: node_count {}", *nodes)};
  layout.node_count = static_cast<uint32_t>(*nodes);
  layout.record_size = static_cast<unsigned>(*record);
  layout.ip_version = static_cast<unsigned>(*version);
  auto epoch = number_of(metadata, "build_epoch");
  if (!epoch) return epoch.error();
  layout.build_epoch = *epoch;
  size_t type = find_mmdb_key(metadata, 0, "database_type");
  MmdbValue text;
  if (type == mmdb_npos || read_mmdb_value(metadata, type, text) || text.type != Type::text)
    return Error{"metadata: database_type is missing or no text"};
  layout.type = mmdb_text(metadata, text);
  if (Status texts = check_texts(metadata, "languages", Type::array); !texts) return texts;
  return check_texts(metadata, "description", Type::map);
}

}  // namespace

uint32_t MmdbLayout::record(uint32_t node, bool right) const {
  const uint8_t* p = tree + size_t{node} * (record_size / 4);
  if (record_size == 24) {
    if (right) p += 3;
    return uint32_t{p[0]} << 16 | uint32_t{p[1]} << 8 | p[2];
  }
  if (record_size == 32) {
    if (right) p += 4;
    return uint32_t{p[0]} << 24 | uint32_t{p[1]} << 16 | uint32_t{p[2]} << 8 | p[3];
  }
  uint32_t top = right ? p[3] & 0x0fu : p[3] >> 4;
  if (right) p += 4;
  return top << 24 | uint32_t{p[0]} << 16 | uint32_t{p[1]} << 8 | p[2];
}

Result<MmdbLayout> read_mmdb_layout(std::string_view file) {
  std::string_view tail = file.substr(file.size() - std::min(file.size(), metadata_max_bytes));
  size_t found = tail.rfind(marker);
  if (found == std::string_view::npos) return Error{"not a MaxMind DB file: no metadata"};
  size_t marker_at = file.size() - tail.size() + found;
  const auto* bytes = reinterpret_cast<const uint8_t*>(file.data());
  size_t metadata_at = marker_at + marker.size();
  MmdbLayout layout;
  if (Status read = read_metadata({bytes + metadata_at, file.size() - metadata_at}, layout); !read) return read.error();
  uint64_t tree_bytes = uint64_t{layout.node_count} * (layout.record_size / 4);
  if (tree_bytes + mmdb_separator_bytes > marker_at)
    return Error{fmt::format("the search tree ({} nodes of {} bits) is larger than the file", layout.node_count,
                             layout.record_size)};
  const uint8_t* separator = bytes + tree_bytes;
  if (std::any_of(separator, separator + mmdb_separator_bytes, [](uint8_t b) { return b != 0; }))
    return Error{"no 16 zero bytes after the search tree: its size is wrong or it is damaged"};
  layout.tree = bytes;
  layout.data = {separator + mmdb_separator_bytes, static_cast<size_t>(marker_at - tree_bytes - mmdb_separator_bytes)};
  return layout;
}

}  // namespace portolan::geo
