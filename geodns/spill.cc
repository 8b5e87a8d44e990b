#include "geodns/spill.hh"

#include <algorithm>
#include <cmath>
#include <map>

namespace portolan::geodns {
namespace {

constexpr int rounds = 120;
constexpr unsigned most_tries = 4;  // within a group
constexpr double near_capacity = 0.8;

double at(const std::vector<double>& list, size_t i, double otherwise) {
  return i < list.size() ? list[i] : otherwise;
}

// One flow's way down its order; what nobody took is shared by room.
class Cascade {
 public:
  Cascade(const FlowDemand& flow, std::span<const Condition> conditions, const std::vector<double>& rooms,
          std::vector<double>& loads)
      : flow_(flow), conditions_(conditions), rooms_(rooms), loads_(loads) {}

  void run() {
    double left = flow_.queries;
    for (size_t begin = 0, end = 0; begin < flow_.order.size() && left > 0; begin = end) {
      end = flow_.order[begin].group_end;
      left = group(begin, end, left);
    }
    if (left > 0) share(left);
  }

 private:
  bool serves(const Ranked& r) const {
    return r.datacenter >= conditions_.size() || usable(conditions_[r.datacenter].state);
  }
  double room(const Ranked& r) const { return at(rooms_, r.datacenter, 1); }

  double group(size_t begin, size_t end, double left) {
    double total = 0, count = 0;
    for (size_t i = begin; i < end; i++)
      if (serves(flow_.order[i])) {
        total += flow_.order[i].weight;
        count++;
      }
    if (count == 0) return left;
    for (unsigned tries = 0; tries < most_tries && left > 0; tries++) {
      double passed = 0;
      for (size_t i = begin; i < end; i++) {
        const Ranked& r = flow_.order[i];
        if (!serves(r)) continue;
        const double offered = left * (total > 0 ? r.weight / total : 1 / count);
        loads_[r.datacenter] += offered * room(r);
        passed += offered * (1 - room(r));
      }
      left = passed;
      if (count == 1) break;
    }
    return left;
  }

  void share(double left) {
    double total = 0, count = 0;
    for (const Ranked& r : flow_.order)
      if (serves(r)) {
        total += room(r);
        count++;
      }
    for (const Ranked& r : flow_.order)
      if (serves(r)) loads_[r.datacenter] += left * (total > 0 ? room(r) / total : 1 / count);
  }

  const FlowDemand& flow_;
  std::span<const Condition> conditions_;
  const std::vector<double>& rooms_;
  std::vector<double>& loads_;
};

}  // namespace

std::vector<double> find_loads(const std::vector<FlowDemand>& flows, const ServiceStates& states,
                               const std::vector<double>& rooms) {
  std::vector<double> loads(Directory::max_datacenters);
  for (const FlowDemand& flow : flows) Cascade(flow, states.of(flow.service), rooms, loads).run();
  return loads;
}

// Each room is corrected by how far its datacentre is from its capacity, until all agree.
std::vector<double> find_rooms(const std::vector<FlowDemand>& flows, const ServiceStates& states,
                               const std::vector<double>& capacity) {
  std::vector<double> rooms(capacity.size(), 1);
  for (int round = 0; round < rounds; round++) {
    const std::vector<double> loads = find_loads(flows, states, rooms);
    bool settled = true;
    for (size_t d = 0; d < rooms.size(); d++) {
      if (capacity[d] <= 0 || loads[d] <= 0) continue;
      const double next = std::clamp(rooms[d] * capacity[d] / loads[d], 1e-4, 1.0);
      settled &= std::abs(next - rooms[d]) < 1e-4;
      rooms[d] = next;
    }
    if (settled) break;
  }
  return rooms;
}

// What was counted for an order goes to the same order of the new plan: with other locations it has other askers, but
// most are the same.
void Spill::History::take(History& old) {
  const auto bytes = [](std::span<const Ranked> order) {
    return std::string_view(reinterpret_cast<const char*>(order.data()), order.size_bytes());
  };
  std::map<std::string_view, uint32_t> place;
  for (uint32_t o = 0; o < sum.size(); o++) place.emplace(bytes(plan->order(o)), o);
  for (uint32_t o = 0; o < old.sum.size(); o++) {
    const auto same = place.find(bytes(old.plan->order(o)));
    if (old.sum[o] <= 0 || same == place.end()) continue;
    sum[same->second] = old.sum[o];
    for (unsigned i = 0; i < intervals; i++) {
      if (old.buckets[i].empty()) continue;
      buckets[i].resize(sum.size());
      buckets[i][same->second] = old.buckets[i][o];
    }
  }
}

// Of services and datacentres of the same names.
void Spill::keep_used_rooms(const Directory& before, const Directory& now) {
  if (used_rooms_.empty()) return;
  std::vector<std::vector<double>> rooms(now.services.size(), std::vector<double>(now.datacenters.size(), 1));
  for (size_t s = 0; s < now.services.size(); s++) {
    const auto service = static_cast<size_t>(before.find_service(now.services[s].name));
    for (size_t d = 0; service < used_rooms_.size() && d < now.datacenters.size(); d++)
      rooms[s][d] = at(used_rooms_[service], static_cast<size_t>(before.find_datacenter(now.datacenters[d].name)), 1);
  }
  used_rooms_ = std::move(rooms);
}

void Spill::set_view(const View& view) {
  if (view.zones == zones_ && view.plans == plans_) return;
  std::vector<History> before = std::move(history_);
  history_.clear();
  zones_ = view.zones;
  plans_ = view.plans;
  rooms_.clear();
  capacity_.clear();
  if (directory_ && view.directory) keep_used_rooms(*directory_, *view.directory);
  directory_ = view.directory;
  if (!zones_ || !plans_ || !directory_) return;
  for (const Datacenter& d : view.directory->datacenters) capacity_.push_back(d.capacity);
  for (const Flow& flow : zones_->flows()) {
    History h{
        view.directory->services[flow.service].name, flow.service, (*plans_)[static_cast<size_t>(flow.plan)], {}, {}};
    h.sum.resize(h.plan->order_count());
    h.buckets.resize(intervals);
    for (History& old : before)
      if (old.plan->key() == h.plan->key() && old.service == h.service) {
        h.take(old);
        break;
      }
    history_.push_back(std::move(h));
  }
}

void Spill::add(const DemandCounts& counts) {
  if (counts.zones != zones_ || counts.plans != plans_) return;
  for (size_t f = 0; f < counts.by_order.size() && f < history_.size(); f++) {
    History& h = history_[f];
    std::vector<uint32_t>& bucket = h.buckets[newest_];
    bucket.resize(h.sum.size());
    for (size_t o = 0; o < h.sum.size(); o++) {
      bucket[o] += counts.by_order[f][o];
      h.sum[o] += counts.by_order[f][o];
    }
  }
}

void Spill::tick(const std::vector<std::vector<double>>& utilization) {
  newest_ = (newest_ + 1) % intervals;
  rooms_.clear();
  for (History& h : history_) {
    for (size_t o = 0; o < h.buckets[newest_].size(); o++) h.sum[o] -= h.buckets[newest_][o];
    h.buckets[newest_].assign(h.buckets[newest_].size(), 0);
  }
  used_rooms_.resize(utilization.size());
  for (size_t s = 0; s < utilization.size(); s++) {
    used_rooms_[s].resize(utilization[s].size(), 1);
    for (size_t d = 0; d < utilization[s].size(); d++) {
      const double used = utilization[s][d];
      double& room = used_rooms_[s][d];
      // Down at once, up slowly: what comes back comes in steps.
      const double wanted = used < 0 ? 1 : room * target_utilization / std::max(used, 0.01);
      room = std::clamp(std::min(wanted, room * 1.25), 0.02, 1.0);
    }
  }
}

std::vector<FlowDemand> Spill::flows() const {
  std::vector<FlowDemand> list;
  for (const History& h : history_)
    for (uint32_t o = 0; o < h.sum.size(); o++)
      if (h.sum[o] > 0) list.push_back({h.service_index, h.plan->order(o), h.sum[o]});
  return list;
}

double Spill::queries() const {
  double total = 0;
  for (const History& h : history_)
    for (double n : h.sum) total += n;
  return total;
}

bool Spill::wanted() const {
  return !used_rooms_.empty() || std::any_of(capacity_.begin(), capacity_.end(), [](double c) { return c > 0; });
}

void Spill::evaluate(const ServiceStates& states) {
  std::vector<std::vector<bool>> serves;
  for (const auto& service : states.states)
    for (auto& row = serves.emplace_back(); const Condition& c : service) row.push_back(usable(c.state));
  if (!rooms_.empty() && serves == served_) return;
  served_ = std::move(serves);
  rooms_.assign(capacity_.size(), 1);
  near_.assign(capacity_.size(), false);
  const double total = queries();
  if (total < fewest_queries) return;
  std::vector<double> capacity = capacity_;
  for (double& c : capacity) c *= total;
  const auto all = flows();
  rooms_ = find_rooms(all, states, capacity);
  const std::vector<double> loads = find_loads(all, states, rooms_);
  for (size_t d = 0; d < capacity.size(); d++) near_[d] = capacity[d] > 0 && loads[d] > near_capacity * capacity[d];
}

void Spill::apply(ServiceStates& states, uint32_t left_s) {
  if (!wanted()) return;
  evaluate(states);
  for (size_t s = 0; s < states.states.size(); s++)
    for (size_t d = 0; d < states.states[s].size(); d++) {
      Condition& c = states.states[s][d];
      const double used = s < used_rooms_.size() ? at(used_rooms_[s], d, 1) : 1;
      const double room = std::min(at(rooms_, d, 1), used);
      c.room = static_cast<uint16_t>(std::lround(room * Condition::full_room));
      if ((d < near_.size() && near_[d]) || room < 1) c.horizon_s = std::min(c.horizon_s, left_s);
    }
}

}  // namespace portolan::geodns
