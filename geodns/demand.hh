#pragma once
// How often each order of each flow was gone down: what a worker counts, and from time to time hands to control. One a
// worker, on its thread.
#include <cstdint>
#include <memory>
#include <vector>

#include "geodns/view.hh"

namespace portolan::geodns {

// Counts by flow (ZoneSet::flows()) and order of its plan, of the zones and plans they were counted by.
struct DemandCounts {
  std::shared_ptr<const ZoneSet> zones;
  std::shared_ptr<const Plans> plans;
  std::vector<std::vector<uint32_t>> by_order;
};

class Demand {
 public:
  // What was counted for other plans is dropped. Counts nothing where no datacentre has a capacity.
  void set_view(const View& view) {
    if (view.zones == counts_.zones && view.plans == counts_.plans) return;
    counts_ = {view.zones, view.plans, {}};
    make_room();
  }
  void count(int flow, uint32_t order) {
    if (static_cast<size_t>(flow) < counts_.by_order.size()) counts_.by_order[static_cast<size_t>(flow)][order]++;
  }
  DemandCounts take() {
    DemandCounts taken = std::move(counts_);
    counts_ = {taken.zones, taken.plans, {}};
    make_room();
    return taken;
  }

 private:
  void make_room() {
    if (!counts_.zones || !counts_.plans) return;
    for (const Flow& flow : counts_.zones->flows())
      counts_.by_order.emplace_back((*counts_.plans)[static_cast<size_t>(flow.plan)]->order_count());
  }
  DemandCounts counts_;
};

}  // namespace portolan::geodns
