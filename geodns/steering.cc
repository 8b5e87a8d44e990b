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

void take_last_resort(const ServiceRecord& record, bool by_name, Slate& slate, Rng& rng, Steered& out) {
  out.picks.last_resort = true;
  switch (record.last_resort) {
    case LastResort::first:
      return out.picks.add(slate.order.front());
    case LastResort::none:
      if (out.plan->orders_are_whole()) {
        out.scope = 0;
        return;
      }
      // RFC 7871 §7.4: a "no" is everybody's, but others may have datacentres that serve.
      [[fallthrough]];
    case LastResort::all:
      if (by_name) {  // a CNAME is one: whom the asker would have if all were well
        slate.conditions = {};
        return out.plan->policy().pick(slate, rng, out.picks);
      }
      for (const Ranked& r : slate.order) out.picks.add(r);
      if (out.plan->orders_are_whole()) out.scope = 0;  // everybody gets all of them
  }
}

}  // namespace

void go_down(const ServiceRecord& record, const View& view, const IpAddress& asker, Rng& rng, Steered& out) {
  out.picks.count = 0;
  out.picks.horizon_s = Condition::ever;
  const Plan& plan = *out.plan;
  Slate slate{plan.order(out.order),      view.states.of(record.service), record.answers, 0, false,
              view.directory->name_hashes};
  if (plan.sticks()) {
    slate.network = sticky_network(asker, out.scope);
    slate.by_network = true;
  }
  plan.policy().pick(slate, rng, out.picks);
  if (out.picks.count == 0) take_last_resort(record, view.directory->services[record.service].by_name, slate, rng, out);
}

}  // namespace portolan::geodns
