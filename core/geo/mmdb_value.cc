#include "core/geo/mmdb_value.hh"

#include <fmt/format.h>

#include <algorithm>

namespace portolan::geo {
namespace {

constexpr unsigned max_nesting = 32;

using Type = MmdbValue::Type;

uint32_t number(const uint8_t* p, unsigned count) {
  uint32_t v = 0;
  for (unsigned i = 0; i < count; ++i) v = v << 8 | p[i];
  return v;
}

const char* read_pointer(const MmdbData& data, size_t offset, uint8_t control, MmdbValue& value) {
  static constexpr uint32_t base[4] = {0, 2048, 526336, 0};
  unsigned width = (control >> 3) & 3;
  if (data.size - offset - 1 < width + 1) return "pointer past the end of the data";
  uint32_t target = number(data.bytes + offset + 1, width + 1);
  if (width < 3) target += (control & 7u) << (8 * (width + 1));
  uint64_t where = uint64_t{target} + base[width];
  if (where >= data.size) return "pointer out of the data";
  value.type = Type::pointer;
  value.size = static_cast<uint32_t>(where);
  value.payload = value.next = offset + 2 + width;
  return nullptr;
}

// The largest (or only) size of a scalar of this type; false where the size does not fit it.
bool size_fits(Type type, uint32_t size) {
  switch (type) {
    case Type::float64:
      return size == 8;
    case Type::float32:
      return size == 4;
    case Type::uint16:
      return size <= 2;
    case Type::uint32:
    case Type::int32:
      return size <= 4;
    case Type::uint64:
      return size <= 8;
    case Type::uint128:
      return size <= 16;
    case Type::boolean:
      return size <= 1;
    default:
      return true;
  }
}

bool valid_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    uint8_t c = static_cast<uint8_t>(text[i++]);
    if (c < 0x80) continue;
    unsigned more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
    if (c < 0xc2 || c > 0xf4 || text.size() - i < more) return false;
    uint32_t point = c & (0x3f >> more);
    for (unsigned k = 0; k < more; ++k, ++i) {
      uint8_t next = static_cast<uint8_t>(text[i]);
      if ((next & 0xc0) != 0x80) return false;
      point = point << 6 | (next & 0x3f);
    }
    static constexpr uint32_t smallest[4] = {0, 0x80, 0x800, 0x10000};
    if (point < smallest[more] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return false;
  }
  return true;
}

// In every caller of this file: a large file has tens of millions of values.
[[gnu::always_inline]] inline const char* read_value(const MmdbData& data, size_t offset, MmdbValue& value) {
  if (offset >= data.size) return "value past the end of the data";
  size_t at = offset;
  uint8_t control = data.bytes[at++];
  unsigned type = control >> 5;
  if (type == 1) return read_pointer(data, offset, control, value);
  if (type == 0) {
    if (at >= data.size) return "value past the end of the data";
    type = data.bytes[at++] + 7u;
    if (type < 8 || type == 12 || type == 13 || type > 15) return "unknown type";
  }
  value.type = static_cast<Type>(type);
  value.size = control & 31;
  if (value.size > 28) {
    static constexpr uint32_t base[3] = {29, 285, 65821};
    unsigned width = value.size - 28;
    if (data.size - at < width) return "size past the end of the data";
    value.size = base[width - 1] + number(data.bytes + at, width);
    at += width;
  }
  if (!size_fits(value.type, value.size)) return "size does not fit the type";
  value.payload = value.next = at;
  if (value.type == Type::map || value.type == Type::array) {
    uint64_t least = uint64_t{value.size} * (value.type == Type::map ? 2 : 1);
    if (least > data.size - at) return "more members than the data can hold";
  } else if (value.type != Type::boolean) {
    if (value.size > data.size - at) return "value past the end of the data";
    value.next = at + value.size;
  }
  return nullptr;
}

// The offset past a checked value as it lies in its parent; nesting is bounded by the check.
size_t past(const MmdbData& data, size_t offset) {
  MmdbValue value;
  if (read_value(data, offset, value)) return data.size;
  if (value.type != Type::map && value.type != Type::array) return value.next;
  uint64_t members = uint64_t{value.size} * (value.type == Type::map ? 2 : 1);
  size_t at = value.payload;
  for (uint64_t i = 0; i < members && at < data.size; ++i) at = past(data, at);
  return at;
}

}  // namespace

const char* read_mmdb_value(const MmdbData& data, size_t offset, MmdbValue& value) {
  return read_value(data, offset, value);
}

Status MmdbChecker::check(size_t offset, uint64_t limit) {
  uint64_t allowed = std::min(limit, total_);
  left_ = allowed;
  if (!value(offset, 0)) return Error{fmt::format("data offset {}: {}", bad_at_, bad_)};
  total_ -= allowed - left_;
  return {};
}

bool MmdbChecker::fail(size_t at, const char* what) {
  bad_at_ = at;
  bad_ = what;
  return false;
}

bool MmdbChecker::spend(size_t at, uint64_t count) {
  if (count > left_) return fail(at, "too many values, or a cycle of pointers");
  left_ -= count;
  return true;
}

// On success `at` is past the value as it lies in its parent.
bool MmdbChecker::value(size_t& at, unsigned depth) {
  if (depth > max_nesting) return fail(at, "nested too deep, or a cycle of pointers");
  if (!spend(at, 1)) return false;
  MmdbValue v;
  if (const char* wrong = read_value(data_, at, v)) return fail(at, wrong);
  if (v.type == Type::pointer && !target(v, at, depth + 1)) return false;
  if (v.type == Type::map || v.type == Type::array) return members(v, at, depth + 1);
  at = v.next;
  return true;
}

bool MmdbChecker::members(const MmdbValue& container, size_t& at, unsigned depth) {
  at = container.payload;
  for (uint32_t i = 0; i < container.size; ++i) {
    if (container.type == Type::map && !key(at)) return false;
    if (!value(at, depth)) return false;
  }
  return true;
}

bool MmdbChecker::key(size_t& at) {
  if (!spend(at, 1)) return false;
  MmdbValue v;
  if (const char* wrong = read_value(data_, at, v)) return fail(at, wrong);
  size_t next = v.next;
  if (v.type == Type::pointer)
    if (const char* wrong = read_value(data_, v.size, v)) return fail(at, wrong);
  if (v.type != Type::text) return fail(at, "a map's key is not text");
  if (!valid_utf8(mmdb_text(data_, v))) return fail(at, "a map's key is not UTF-8");
  at = next;
  return true;
}

bool MmdbChecker::target(const MmdbValue& pointer, size_t at, unsigned depth) {
  if (const uint32_t* known = right_.find(pointer.size)) return spend(at, *known);
  MmdbValue v;
  if (const char* wrong = read_value(data_, pointer.size, v)) return fail(pointer.size, wrong);
  if (v.type == Type::pointer) return fail(at, "pointer to a pointer");
  if (v.type != Type::map && v.type != Type::array) return spend(at, 1);
  uint64_t before = left_;
  size_t end = pointer.size;
  if (!value(end, depth)) return false;
  right_.put(pointer.size, static_cast<uint32_t>(before - left_));
  return true;
}

size_t find_mmdb_key(const MmdbData& data, size_t offset, std::string_view key) {
  MmdbValue map;
  const char* wrong = read_value(data, offset, map);
  if (!wrong && map.type == Type::pointer) wrong = read_value(data, map.size, map);
  if (wrong || map.type != Type::map) return mmdb_npos;
  size_t at = map.payload;
  for (uint32_t i = 0; i < map.size; ++i) {
    MmdbValue name;
    if (read_value(data, at, name)) return mmdb_npos;
    at = name.next;
    if (name.type == Type::pointer && read_value(data, name.size, name)) return mmdb_npos;
    if (name.type == Type::text && mmdb_text(data, name) == key) {
      MmdbValue value;
      if (read_value(data, at, value)) return mmdb_npos;
      return value.type == Type::pointer ? value.size : at;
    }
    at = past(data, at);
  }
  return mmdb_npos;
}

uint64_t mmdb_unsigned(const MmdbData& data, const MmdbValue& value) {
  uint64_t v = 0;
  for (uint32_t i = 0; i < value.size && i < 8; ++i) v = v << 8 | data.bytes[value.payload + i];
  return v;
}

std::string_view mmdb_text(const MmdbData& data, const MmdbValue& value) {
  return {reinterpret_cast<const char*>(data.bytes) + value.payload, value.size};
}

}  // namespace portolan::geo
