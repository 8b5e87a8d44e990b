#pragma once
// [cache.NAME]: one memory cache and the rules it follows.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/compress/compressor.hh"

namespace portolan::edge {

// Which query parameters belong to the key.
struct QueryKey {
  enum class Mode : uint8_t { all, none, allow, drop } mode = Mode::all;
  std::vector<std::string> names;  // of allow and drop; exact, or a prefix with a final '*'
  bool operator==(const QueryKey&) const = default;
};

// A row of [cache.NAME].ttl: which answers it is about, and how long they are fresh.
struct TtlRule {
  std::vector<std::string> paths;  // prefixes by whole segments; empty: any
  std::string path_regex;
  std::vector<int> statuses;       // empty: 200, 203, 301, 302, 307 and 308; where immutable 200 alone
  std::vector<std::string> types;  // "text/html", "image/*", lower case; empty: any
  std::optional<int64_t> ttl_s;
  bool overrides = false;           // ttl counts, whatever the answer says of its freshness
  std::vector<std::string> ignore;  // no-store, private, no-cache, set-cookie
  std::optional<int64_t> stale_if_error_s;
  std::string cache_control;  // what clients are told; empty: what the server said
  bool immutable = false;     // what a URL names never changes
  bool operator==(const TtlRule&) const = default;
};

// Stored answers in other content codings, made once each.
struct CompressConfig {
  std::vector<http::Coding> codings;  // the preferred first; empty: none
  std::vector<std::string> types = {"text/*",
                                    "application/javascript",
                                    "application/json",
                                    "application/ld+json",
                                    "application/manifest+json",
                                    "application/rss+xml",
                                    "application/atom+xml",
                                    "application/xhtml+xml",
                                    "application/xml",
                                    "application/wasm",
                                    "application/vnd.ms-fontobject",
                                    "font/otf",
                                    "font/ttf",
                                    "image/svg+xml",
                                    "image/x-icon"};
  uint64_t min_bytes = 1024;
  uint64_t max_bytes = 16ull << 20;
  compress::Levels levels;
  bool operator==(const CompressConfig&) const = default;
};

// Where stored things go besides memory.
struct DiskConfig {
  std::string path;  // a directory, of this cache alone
  uint64_t bytes = 50ull << 30;
  bool operator==(const DiskConfig&) const = default;
};

struct CacheConfig {
  std::string name;
  uint64_t memory_bytes = 256ull << 20;         // all that is stored, overhead included, and what is being filled
  uint64_t max_object_bytes = 16ull << 20;      // larger bodies stream through unstored; at most memory / 4
  bool fragments = true;                        // … in fragments, where the server allows ranges
  std::string eviction = "s3-fifo";             // the name of a registered Eviction
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
  std::vector<TtlRule> ttl;               // the first that fits an answer counts
  CompressConfig compress;
  std::optional<DiskConfig> disk;
  bool keep_tags = false;                  // clients get Surrogate-Key and Cache-Tag
  uint64_t purge_memory_bytes = 32 << 20;  // for what was purged, besides memory_bytes
  bool operator==(const CacheConfig&) const = default;
};

}  // namespace portolan::edge
