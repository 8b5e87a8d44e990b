#pragma once
// What somebody wants purged, as JSON and as the command line says it:
//   {"urls":[…], "prefixes":[…], "hosts":[…], "tags":[…], "all":true, "soft":true, "cache":"NAME"}
// Each list may be one string, under its name or in the singular ("url", "tag", …). Without "cache": in every cache.
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.hh"
#include "edge/purge/purge.hh"

namespace portolan::daemon {

struct PurgeOrder {
  static constexpr size_t most = 1000;  // purges
  std::vector<edge::Purge> purges;
  std::string cache;  // empty: all
  std::string who;    // for the log; no part of the JSON
};
// The error says what is wrong with it. Every purge is normalised.
Result<PurgeOrder> parse_purge_order(const std::string& body);
std::string to_json(const PurgeOrder& order);

// What came of it. The purges of one cache are numbered: `number` is that of the last.
struct PurgeOutcome {
  uint64_t removed = 0;  // objects of URLs, taken out of memory at once
  std::vector<std::pair<std::string, uint64_t>> caches;
  bool disk = false;  // one of the caches has a disk: what is there is purged, too, and not counted
};
// {"purged":N, "caches":{"NAME":{"number":N}}}, and with a disk "disk":true.
std::string to_json(const PurgeOutcome& outcome);

}  // namespace portolan::daemon
