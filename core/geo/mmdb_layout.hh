#pragma once
// The outline of a MaxMind DB file: search tree, 16 zero bytes, data, metadata. Everything checked
// against the size of the file before anybody follows an offset.
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.hh"
#include "core/geo/mmdb_value.hh"

namespace portolan::geo {

struct MmdbLayout {
  const uint8_t* tree = nullptr;
  uint32_t node_count = 0;
  unsigned record_size = 0;  // bits: 24, 28 or 32
  unsigned ip_version = 0;   // 4 or 6
  MmdbData data;             // ends where the metadata begins
  std::string type;          // "GeoLite2-City"
  uint64_t build_epoch = 0;  // seconds since 1970

  // One side of a node; node < node_count.
  uint32_t record(uint32_t node, bool right) const;
};

inline constexpr unsigned mmdb_separator_bytes = 16;

// The layout points into `file`.
Result<MmdbLayout> read_mmdb_layout(std::string_view file);

}  // namespace portolan::geo
