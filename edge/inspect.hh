#pragma once
// Looking inside a cache: what is stored for a URL and what would become of a request for it, and which keys are asked
// for most. It only reads: no order of eviction, no counter and no fetch is touched, but for the disk's count of reads
// where that is asked. Any thread may call it; a shard's lock is held for one entry, or for some hundred of them in a walk.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "edge/cache.hh"

namespace portolan::edge {

struct VariantView {
  std::string vary;  // "accept-encoding: gzip; accept-language: (none)": what the request said; empty without Vary
  int status = 0;
  uint64_t bytes = 0;  // of the body
  uint64_t hits = 0;   // since it was first stored
  int64_t age_s = 0;
  int64_t ttl_s = 0;  // freshness left; negative: how long it has been stale
  int64_t stale_if_error_s = 0;
  bool heuristic = false, no_cache = false, must_revalidate = false;
  bool chosen = false;   // the request's
  bool on_disk = false;  // only there: it was read
  std::string etag, last_modified;
};

struct Inspection {
  std::string key;  // for people
  Outcome outcome = Outcome::bypass;
  Forward forward = Forward::none;
  std::string why;                    // of the outcome, in words
  std::vector<VariantView> variants;  // the newest first
  bool on_disk = false;               // what the request asks for: most likely, or where it was read, for sure
  bool disk_read = false;             // the disk was asked: `variants` has what is there, `why` why it is of no use
  size_t fetches = 0;                 // in progress for this key
  int64_t apart_ms = 0;               // for so long its requests don't wait for each other: answers weren't shared
  bool present() const { return !variants.empty() || on_disk || fetches > 0 || apart_ms > 0; }
};

struct HotKey {
  std::string key;
  uint64_t requests = 0;  // lookups since the key came to the cache
  uint64_t hits = 0;      // of what is stored
  uint64_t variants = 0;
  uint64_t bytes = 0;  // memory, overhead included
};

// The most keys that may be asked for at once.
inline constexpr size_t most_hot_keys = 1000;
inline constexpr size_t most_hot_urls = 100'000;

std::string_view token_of(Forward forward);  // as in Cache-Status (RFC 9211 §2.2); "" for none
const char* name_of(Outcome outcome);        // "hit", "miss", "stale", "follow", "bypass", "only-if-cached"

}  // namespace portolan::edge
