#include "geodns/steering.hh"

#include <algorithm>
#include <cstring>

#include "core/geo/embedded.hh"
#include "core/geo/interner.hh"

namespace portolan::geodns {
namespace {

// The first `bits` of the address, mixed.
uint64_t network_of(const IpAddress& address, unsigned bits) {
  const IpAddress network = address.masked(bits);
  uint64_t halves[2];
  std::memcpy(halves, network.bytes.data(), sizeof halves);
  return geo::stir(geo::stir(address.size(), halves[0]), halves[1]);
}

// The network that sticks, an IPv4 address inside an IPv6 one by itself; lengthens the scope to it.
uint64_t sticky_network(const IpAddress& asker, unsigned& scope) {
  const geo::Embedded inside = geo::find_embedded(asker);
  const unsigned bits = inside.address.is_v4() ? sticky_bits_v4 : sticky_bits_v6;
  scope = std::max({scope, bits + inside.offset, inside.apart});
  return network_of(inside.address, bits);
}

void take_last_resort(LastResort wanted, const Slate& slate, Steered& out) {
  out.picks.last_resort = true;
  switch (wanted) {
    case LastResort::none:
      out.scope = 0;  // RFC 7871 §7.4: a negative answer
      return;
    case LastResort::first:
      return out.picks.add(slate.order.front());
    case LastResort::all:
      for (const Ranked& r : slate.order) out.picks.add(r);
      if (out.plan->orders_are_whole()) out.scope = 0;  // everybody gets all of them
  }
}

// Down the order, group by group.
[[gnu::noinline]] void go_down(const ServiceRecord& record, const View& view, const IpAddress& asker, Rng& rng,
                               Steered& out) {
  out.picks.count = 0;
  out.picks.horizon_s = Condition::ever;
  const Plan& plan = *out.plan;
  Slate slate{plan.order(out.order), view.states.of(record.service), record.answers, 0, false};
  if (plan.policy().sticks()) {
    slate.network = sticky_network(asker, out.scope);
    slate.by_network = true;
  }
  plan.policy().pick(slate, rng, out.picks);
  if (out.picks.count == 0) take_last_resort(record.last_resort, slate, out);
}

const Condition& condition_of(const View& view, uint32_t service, uint8_t datacenter) {
  const auto& rows = view.states.states;
  const auto* row = rows.data() + service;
  if (row >= rows.data() + rows.size()) return Slate::unknown;
  const Condition* condition = row->data() + datacenter;
  return condition < row->data() + row->size() ? *condition : Slate::unknown;
}

}  // namespace

void steer(const ServiceRecord& record, const Plan& plan, const View& view, const IpAddress& asker,
           const Plan::Found& found, Rng& rng, Steered& out) {
  out.plan = &plan;
  out.order = found.order;
  out.scope = found.scope;
  out.picks.last_resort = false;
  const Ranked& first = *plan.order(found.order).data();
  const Condition& now = condition_of(view, record.service, first.datacenter);
  // What most get: the first choice, which is alone, well, and has room.
  if (first.group_end == 1 && record.answers == 1 && usable(now.state) && now.room == Condition::full_room &&
      !plan.policy().sticks()) {
    out.picks.count = 1;
    out.picks.list[0] = first.candidate;
    out.picks.horizon_s = now.horizon_s;
  } else {
    go_down(record, view, asker, rng, out);
  }
  const uint32_t holds = std::max(out.picks.horizon_s, view.ttl.least_s);
  out.ttl_s = std::min(record.ttl_s, std::min(holds, view.ttl.most_s));
}

}  // namespace portolan::geodns
