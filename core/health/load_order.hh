#pragma once
// The servers of a pool by load, for least-connections: whoever has the fewest requests in flight for its weight is
// found, and every change is entered, in constant time, however many servers there are. Not locked: PoolState::exact.
//
// Servers of one weight stand in lists by their requests in flight, as in a queue: who has just been given one, or given
// one back, goes to the end of its list, so that ties go round. Servers that are full stand in no list.
#include <cstdint>
#include <memory>
#include <vector>

namespace portolan::health {

struct ServerState;

class LoadOrder {
 public:
  static constexpr uint32_t none = UINT32_MAX;

  struct Entry {
    std::shared_ptr<ServerState> server;
    uint32_t member = 0;      // what least_loaded() answers
    int weight = 1;           // at least 1
    int max_connections = 0;  // 0: no limit
  };
  ~LoadOrder();
  // Forgets all; these stand in it now, each by its requests in flight at this moment.
  void reset(const std::vector<Entry>& entries);
  // The first of the least loaded that `skip` doesn't name; none where all are full or skipped.
  uint32_t least_loaded(const std::vector<size_t>& skip);
  void refresh(uint32_t place);  // of a server whose requests in flight have changed: ServerState::place

 private:
  struct Node {
    std::shared_ptr<ServerState> server;
    uint32_t member = 0;
    uint32_t weights = 0;  // in weights_
    int64_t most = 0;
    int64_t load = -1;  // the list it stands in; -1: none
    uint32_t next = none;
    uint32_t previous = none;
  };
  struct List {
    uint32_t first = none;
    uint32_t last = none;
  };
  struct Weight {  // the servers of one weight
    int64_t weight = 1;
    std::vector<List> by_load;
    std::vector<uint64_t> used;  // a bit a list: it is not empty
    uint32_t first_from(size_t load) const;
  };
  uint32_t first_but(const Weight& weight, const std::vector<size_t>& skip) const;
  void link(uint32_t place, int64_t load);
  void unlink(uint32_t place);
  std::vector<Node> nodes_;
  std::vector<Weight> weights_;
  size_t turn_ = 0;  // which weight is looked at first: where weights tie, they take turns
};

}  // namespace portolan::health
