#pragma once
// What can be purged, and how it is named. Values are kept in one spelling, so that a purge twice told is one entry.
//   url     "https://host/path?query": every variant and every value of other keys of it
//   prefix  "host/path": whole segments ("host/img" is /img, /img/… and not /imgs); with a final "*" any characters.
//           Of both schemes; a host without a port is that host at every port, with one at this port alone
//   host    "host" or "host:port", the same
//   tag     one of those that an answer's Surrogate-Key or Cache-Tag named, byte for byte
//   all     everything; no value
// Soft: what it reaches is stale from then on, not gone.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hh"
#include "core/http/message.hh"

namespace portolan::edge {

inline constexpr std::string_view surrogate_key = "Surrogate-Key";
inline constexpr std::string_view cache_tag = "Cache-Tag";

enum class PurgeKind : uint8_t { url = 1, prefix, host, tag, all };
const char* name_of(PurgeKind kind);  // "url", …

struct Purge {
  static constexpr size_t longest_value = 8192;  // bytes
  static constexpr size_t longest_path = 1024;   // of a prefix, in bytes
  PurgeKind kind = PurgeKind::all;
  std::string value;
  bool soft = false;
  bool operator==(const Purge&) const = default;
};

// The same in the one spelling; the error says what is wrong with it.
Result<Purge> normalised(Purge purge);

// A purge that was made.
struct PurgeEntry {
  uint64_t number = 0;    // of this node's purges; grows
  uint64_t sequence = 0;  // of the cache, when it was made: objects with a lower one are reached
  int64_t at_ms = 0;      // wall clock
  Purge purge;
  bool operator==(const PurgeEntry&) const = default;
};

// The tags of an answer as digests, those of Surrogate-Key first: parted by blanks there, by commas in Cache-Tag.
struct PurgeTags {
  std::vector<uint64_t> digests;
  uint32_t surrogates = 0;  // so many are of Surrogate-Key
  bool empty() const { return digests.empty(); }
};
PurgeTags purge_tags(const http::Fields& response);
bool is_tag_field(const http::Field& field);
// Of a 304: what it names takes the place of what was there, field by field.
PurgeTags updated_tags(const PurgeTags& old, const http::Fields& response);

}  // namespace portolan::edge
