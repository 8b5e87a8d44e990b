#pragma once
// `portolan explain`: what would become of a request, step by step, without sending it anywhere or counting it. Pure.
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.hh"
#include "core/health/board.hh"
#include "edge/config.hh"
#include "proxy/snapshot.hh"

namespace portolan::daemon {

struct ExplainRequest {
  std::string method = "GET";
  std::string url;                   // absolute
  std::vector<std::string> headers;  // "Name: value"
  std::string from = "127.0.0.1";    // who is connected
  std::string listener;              // empty: the one that the URL leads to
};
std::string to_json(const ExplainRequest& request);
Result<ExplainRequest> parse_explain_request(const std::string& json);

struct ExplainWorld {
  const proxy::Snapshot& snapshot;
  const health::Board& board;  // without pools: nothing runs
  const std::vector<edge::CacheConfig>& caches;
  int64_t now_us = 0;                  // monotonic
  const geo::Table* places = nullptr;  // null: the snapshot's
  int64_t wall_ms = 0;                 // signatures that end before it don't hold
};

// Lines for people. An error where what was asked makes no sense: no URL, no address.
Result<std::string> explain(const ExplainRequest& request, const ExplainWorld& world);

}  // namespace portolan::daemon
