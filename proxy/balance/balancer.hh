#pragma once
// Who serves the next request. A balancer is built from one immutable state of a pool and rebuilt when that changes;
// each worker has its own. What must be shared by the workers is counted in PoolState and ServerState.
#include <memory>
#include <string_view>
#include <vector>

#include "core/base/registry.hh"
#include "core/health/board.hh"

namespace portolan::proxy {

// Indexes into Pool::members that this request has tried already: not chosen while another is left.
using Tried = std::vector<size_t>;

class Balancer {
 public:
  static constexpr size_t none = SIZE_MAX;
  virtual ~Balancer() = default;
  // A member that serves, has room (max_connections) and was not tried; none where there is no such. The chosen
  // member's in_flight has been counted up: the caller counts it down (health::count_out) when the request is over.
  virtual size_t pick(const Tried& tried) = 0;
};

struct BalancerKind {
  std::string_view name;  // as written in `balance`
  // `members`: the indexes to choose from, one tier (servers, or backups), none of them empty-handed by health.
  std::unique_ptr<Balancer> (*make)(std::shared_ptr<const health::Pool> pool, std::vector<size_t> members);
};

inline bool was_tried(const Tried& tried, size_t index) {
  for (size_t t : tried)
    if (t == index) return true;
  return false;
}

}  // namespace portolan::proxy
