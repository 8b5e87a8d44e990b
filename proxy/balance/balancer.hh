#pragma once
// Who serves the next request. A balancer is built from one immutable state of a pool and rebuilt when that changes;
// each worker has its own. What must be shared by the workers is counted in PoolState and ServerState.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.hh"
#include "core/base/registry.hh"
#include "core/health/board.hh"

namespace portolan::proxy {

// Indexes into Pool::members that this request has tried already: not chosen while another is left.
using Tried = std::vector<size_t>;

// What a request itself says of where it belongs (Cluster::steer).
struct Steer {
  static constexpr size_t none = SIZE_MAX;
  uint64_t key = 0;     // equal keys belong together
  size_t named = none;  // the member that the client's cookie names, asked before all others
  size_t shard = none;  // whose servers alone may answer it
};

// What a choice may depend on. All of it is there without a system call.
struct Pick {
  const Tried& tried;
  Rng& rng;            // the worker's
  int64_t now_us = 0;  // monotonic, of this turn of the loop
  Steer to = {};
};

class Balancer {
 public:
  static constexpr size_t none = Steer::none;
  virtual ~Balancer() = default;
  // A member that serves, has room (max_connections) and was not tried; none where there is no such. The chosen
  // member's in_flight has been counted up: the caller counts it down (health::count_out) when the request is over.
  // Allocates nothing.
  virtual size_t pick(const Pick& ask) = 0;
  // How a member of it stands with this request before the pick, for people: what the policy compares, with its figures.
  // Counts nothing. May allocate.
  virtual std::string standing(size_t member, const Pick& ask) const = 0;
};

struct BalancerKind {
  std::string_view name;    // as written in `balance`
  std::string_view chosen;  // for people: what the chosen one is among the others
  // `members`: the indexes to choose from, one tier, none of them empty-handed by health.
  std::unique_ptr<Balancer> (*make)(std::shared_ptr<const health::Pool> pool, std::vector<size_t> members);
  bool by_latency = false;  // wants to be told how long answers take: health::note_latency
  bool by_key = false;      // Steer::key counts
};

// Whether `members` are all of their tier: only then can what workers share of it be theirs.
bool is_whole_tier(const health::Pool& pool, const std::vector<size_t>& members);

inline bool was_tried(const Tried& tried, size_t index) {
  for (size_t t : tried)
    if (t == index) return true;
  return false;
}

}  // namespace portolan::proxy
