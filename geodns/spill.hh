#pragma once
// Who passes how many on. From what was asked for in the last five minutes, by order, follows what each datacentre is asked
// to bear as things stand now: one that fails is seen to load the next before it does. Where that is more than its
// capacity, its room is what it can take, and the rest goes on to each asker's next choice, whose room follows in turn: nobody
// is above his capacity while another has room. Datacentres whose own Portolan tells how much of a service is in use are
// held to that as well. On the control thread.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "geodns/demand.hh"

namespace portolan::geodns {

// One way the queries of a service go.
struct FlowDemand {
  uint32_t service = 0;
  std::span<const Ranked> order;
  double queries = 0;
};

// By datacentre, how much of what it is offered it takes, 0 to 1. `capacity` in queries, 0: no limit.
std::vector<double> find_rooms(const std::vector<FlowDemand>& flows, const ServiceStates& states,
                               const std::vector<double>& capacity);
// What each datacentre bears then.
std::vector<double> find_loads(const std::vector<FlowDemand>& flows, const ServiceStates& states,
                               const std::vector<double>& rooms);

class Spill {
 public:
  static constexpr unsigned interval_s = 10;     // between two tick()s
  static constexpr unsigned intervals = 30;      // five minutes
  static constexpr double fewest_queries = 500;  // in five minutes, to say anything
  static constexpr double target_utilization = 0.9;

  // Flows whose service and spec are in `view` too keep their history, datacentres what they told of their utilization.
  void set_view(const View& view);
  void add(const DemandCounts& counts);  // of one worker
  // An interval is over. `utilization`: [service][datacentre], negative where unknown.
  void tick(const std::vector<std::vector<double>>& utilization);
  // Sets rooms, and horizons of those that may change with the next tick, which is `left_s` seconds away. Rooms are worked
  // out once between two ticks, and when another datacentre serves than before.
  void apply(ServiceStates& states, uint32_t left_s = interval_s);
  bool wanted() const;  // some datacentre has a capacity, or told its utilization
  double queries() const;

 private:
  struct History {
    std::string service;
    uint32_t service_index = 0;
    std::shared_ptr<const Plan> plan;
    std::vector<double> sum;                     // by order
    std::vector<std::vector<uint32_t>> buckets;  // the newest at `newest_`
    void take(History& old);                     // of the same spec
  };
  std::vector<FlowDemand> flows() const;
  void evaluate(const ServiceStates& states);
  void keep_used_rooms(const Directory& before, const Directory& now);
  std::shared_ptr<const Directory> directory_;
  std::shared_ptr<const ZoneSet> zones_;
  std::shared_ptr<const Plans> plans_;
  std::vector<double> capacity_;                 // shares
  std::vector<History> history_;                 // by flow
  std::vector<std::vector<double>> used_rooms_;  // [service][datacentre], by utilization
  size_t newest_ = 0;
  // What was worked out last, and for whom that serve; none: nothing.
  std::vector<std::vector<bool>> served_;
  std::vector<double> rooms_;
  std::vector<bool> near_;  // capacity
};

}  // namespace portolan::geodns
