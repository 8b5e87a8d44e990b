#pragma once
// [cache.NAME]: one memory cache and the rules it follows.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace portolan::edge {

// Which query parameters belong to the key.
struct QueryKey {
  enum class Mode : uint8_t { all, none, allow, drop } mode = Mode::all;
  std::vector<std::string> names;  // of allow and drop; exact, or a prefix with a final '*'
  bool operator==(const QueryKey&) const = default;
};

struct CacheConfig {
  std::string name;
  uint64_t memory_bytes = 256ull << 20;         // all that is stored, overhead included, and what is being filled
  uint64_t max_object_bytes = 16ull << 20;      // larger bodies stream through unstored; at most memory / 4
  bool fragments = true;                        // … in fragments, where the server allows ranges
  std::string eviction = "lru";                 // the name of a registered Eviction
  std::string profile = "cdn-safe";             // cdn-safe | rfc
  int64_t stale_if_unreachable_ms = 3'600'000;  // where an answer says nothing of it itself
  int64_t negative_ttl_ms = 5'000;              // of errors that say nothing of their freshness
  std::vector<std::string> ignore_cookies;      // names, or prefixes with a final '*'
  QueryKey query;
  bool sort_query = false;               // parameters by name, those of one name in their order
  std::vector<std::string> key_headers;  // lower case
  std::vector<std::string> key_cookies;
  bool key_device = false;                // the class of the client's device
  bool key_country = false;               // where the client is
  std::vector<std::string> drop_headers;  // lower case; besides those of edge/unkeyed; a final '*' for a prefix
  std::optional<bool> extension_check;    // default: of cdn-safe
  bool operator==(const CacheConfig&) const = default;
};

}  // namespace portolan::edge
