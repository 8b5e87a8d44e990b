#pragma once
// What one Portolan tells another at /health: one JSON object, as one line where changes are
// pushed. Unknown keys are ignored and missing ones have defaults, so that nodes of different ages
// understand each other:
//   {"server":"edge-1","datacenter":"us-east","version":12,"draining":false,
//    "pools":{"app":{"up":2,"of":3,"share":0.67,"state":"up","utilization":0.41}},
//    "services":{"web":{"us-east":"up","us-west":"down"}}}
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "core/base/result.hh"
#include "core/health/board.hh"

namespace portolan::health {

struct PoolReport {
  int64_t up = 0;  // members that serve
  int64_t of = 0;
  double share = 0;              // by weight, backups apart
  State state = State::unknown;  // up: at least one serves; unknown: those that serve are all unchecked, or none is
                                 // known yet
  double utilization = -1;       // utilization.hh; negative: unknown. No news by itself
  bool operator==(const PoolReport& o) const {
    return up == o.up && of == o.of && share == o.share && state == o.state;
  }
};

struct Report {
  std::string server;
  std::string datacenter;
  uint64_t version = 0;   // of its board
  bool draining = false;  // asks for no new clients
  std::map<std::string, PoolReport, std::less<>> pools;
  // Service → datacentre → state, as this node sees it.
  std::map<std::string, std::map<std::string, std::string>, std::less<>> services;
  // Whether two reports say the same; the version alone is no news.
  bool says_as(const Report& other) const;
};

PoolReport report_of(const Pool& pool);
// `draining` is set where the datacentre is drained on this board.
Report report_of(const Board& board, const std::string& server, const std::string& datacenter);

std::string to_json(const Report& report);  // without a newline
Result<Report> parse_report(std::string_view json);

// Whether that much of a pool is up: a share, a number, or (neither given) one server.
struct MinUp {
  uint32_t percent = 0;  // 0: not asked for
  uint32_t count = 0;    // 0: not asked for
  bool operator==(const MinUp&) const = default;
};
// State of a site whose health is this pool's, and why ("1 of 3 servers of pool app are up").
Health judge(const std::string& pool_name, const PoolReport& pool, const MinUp& min_up);

}  // namespace portolan::health
