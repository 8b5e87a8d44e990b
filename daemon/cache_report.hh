#pragma once
// `portolan cache stats|segments|top|inspect`: what the caches tell of themselves, as JSON and as people read it.
//
//   stats    {"caches":[{"name", "objects", "bytes", "memory", "fetching", "passing_bytes", "hits", "misses", "stale",
//             "collapsed", "bypassed", "stored", "validated", "evicted", "purged", "too_large", "promoted", and with a disk tier
//             "disk": {"state": "starting"|"serving"|"aside"|"stopped", "reason", "set_aside", "objects", "bytes", "size", "index_bytes",
//             "segments", "segments_free", "segments_without_room", "reads", "writes", "written_bytes", "moved_bytes", "refused", "damaged", "evicted",
//             "reclaimed", "syncs", "errors"}}]}
//   segments {"caches":[{"name", "segments":[{"kind": "probation"|"main", "open", "age_s", "objects", "bytes"}]}]}: of
//             those in use, the youngest first
//   top      {"caches":[{"name", "keys":[{"key", "requests", "hits", "variants", "bytes"}]}]}
//   inspect  {"listener", "route", "outcome", "why", "asked", "caches":[{"name", "key", "outcome", "forward", "why", "on_disk",
//             "disk_read", "fetches", "apart_s", "variants":[{"vary", "status", "bytes", "hits", "age_s", "ttl_s",
//             "stale_if_error_s", "heuristic", "no_cache", "must_revalidate", "etag", "last_modified", "chosen",
//             "on_disk"}]}]}: of the one cache of the route that the request takes, or none.
//             "outcome": "hit", "miss", "stale", "follow", "bypass", "only-if-cached"; "refused", "why" with the status;
//             "uncached". "asked": what the gates on its way ask
// Counts are since the start; bytes and memory are bytes.
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "edge/cache.hh"
#include "edge/inspect.hh"

namespace portolan::daemon {

// Each by the name of its cache.
struct CacheCounts {
  std::vector<std::pair<std::string, edge::Stats>> caches;
};
// Of the disk tiers.
struct CacheSegments {
  int64_t now_ms = 0;  // wall clock
  std::vector<std::pair<std::string, std::vector<edge::disk::SegmentStats>>> caches;
};
struct CacheTops {
  std::vector<std::pair<std::string, std::vector<edge::HotKey>>> caches;
};
struct CacheInspections {
  std::string listener, route;                                   // that the request takes; empty: none
  std::string outcome, why;                                      // of the request, whatever is stored
  std::vector<std::string> asked;                                // by the gates on its way
  std::vector<std::pair<std::string, edge::Inspection>> caches;  // the route's, or none
};

std::string_view name_of(edge::disk::SegmentReport::Kind kind);
std::string_view name_of(edge::disk::Stats::State state);

std::string to_json(const CacheCounts& counts);
std::string to_json(const CacheSegments& segments);
std::string to_json(const CacheTops& tops);
std::string to_json(const CacheInspections& found);
std::string to_text(const CacheCounts& counts);
std::string to_text(const CacheSegments& segments);
std::string to_text(const CacheTops& tops);
std::string to_text(const CacheInspections& found);

}  // namespace portolan::daemon
