#pragma once
// The data format of MaxMind DB files 2.0 ("Output Data Section"), read with every offset checked.
// Values are looked at here before libmaxminddb may touch them: its own checks miss some of what a
// damaged file can hold.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.hh"
#include "core/geo/offset_map.hh"

namespace portolan::geo {

// A data section; all offsets count from its start, pointers too.
struct MmdbData {
  const uint8_t* bytes = nullptr;
  size_t size = 0;
};

struct MmdbValue {
  enum class Type : uint8_t {
    pointer = 1,
    text = 2,
    float64 = 3,
    bytes = 4,
    uint16 = 5,
    uint32 = 6,
    map = 7,
    int32 = 8,
    uint64 = 9,
    uint128 = 10,
    array = 11,
    boolean = 14,
    float32 = 15,
  };
  Type type = Type::map;
  uint32_t size = 0;   // bytes of a scalar, members of a map (pairs) or array; of a pointer: where it points
  size_t payload = 0;  // offset of the first byte or member
  size_t next = 0;     // offset past the value; of a map or array: of its first member
};

// Reads the head of the value at `offset` into `value`. The whole of a scalar is inside the
// section; a size outside its type's range, an unknown type and a pointer out of the section are
// refused. Returns what is wrong, null where nothing is: one call a value of a large file, so no
// Result.
const char* read_mmdb_value(const MmdbData& data, size_t offset, MmdbValue& value);

// Checks values with all they hold and all they point to: nesting at most 32 deep (so no cycles),
// map keys text in UTF-8, no pointer to a pointer. What one call found right below a pointer is
// remembered for the next.
class MmdbChecker {
 public:
  // `total` is how many values may be looked at (remembered ones count too): a bound on the time of
  // any reader.
  MmdbChecker(const MmdbData& data, uint64_t total) : data_(data), total_(total) {}
  // The value at `offset`, of at most `limit` values. Errors name the data offset.
  Status check(size_t offset, uint64_t limit);

 private:
  bool value(size_t& at, unsigned depth);
  bool members(const MmdbValue& container, size_t& at, unsigned depth);
  bool key(size_t& at);
  bool target(const MmdbValue& pointer, size_t at, unsigned depth);
  bool spend(size_t at, uint64_t count);
  bool fail(size_t at, const char* what);

  MmdbData data_;
  uint64_t total_;
  uint64_t left_ = 0;
  size_t bad_at_ = 0;
  const char* bad_ = nullptr;
  OffsetMap right_;  // maps and arrays pointed at -> how many values
};

// Where the value of `key` is in the map at `offset`; npos where it has none. Check the map first.
inline constexpr size_t mmdb_npos = static_cast<size_t>(-1);
size_t find_mmdb_key(const MmdbData& data, size_t offset, std::string_view key);

// The value of an unsigned integer of up to 64 bits, or text; check it first.
uint64_t mmdb_unsigned(const MmdbData& data, const MmdbValue& value);
std::string_view mmdb_text(const MmdbData& data, const MmdbValue& value);

}  // namespace portolan::geo
