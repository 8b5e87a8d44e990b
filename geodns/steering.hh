#pragma once
// A query for a service's addresses, from its asker to the datacentres that are answered, the TTL and the scope: the order
// its address has in the record's plan, gone down by health and room. Pure but for the Rng, without the heap.
#include <algorithm>

#include "core/dns/query.hh"
#include "geodns/service_record.hh"
#include "geodns/view.hh"

namespace portolan::geodns {

// RFC 7871 §7.1.2: the subnet the resolver names, else who asks; source /0 means "don't use my subnet".
inline bool by_subnet(const dns::Query& query) {
  return query.has_subnet && query.subnet.source > 0;
}
inline const IpAddress& asker_of(const dns::Query& query, const IpAddress& client) {
  return by_subnet(query) ? query.subnet.address : client;
}

// How much of an address is a network that `sticky` keeps together.
constexpr unsigned sticky_bits_v4 = 24;
constexpr unsigned sticky_bits_v6 = 56;

struct Steered {
  const Plan* plan = nullptr;
  uint32_t order = 0;  // the plan's
  unsigned scope = 0;  // every asker within so many bits of this one's address is answered alike, chance apart
  uint32_t ttl_s = 0;
  Picks picks;  // empty only where the record's last resort is none, and every order has all datacentres
  std::span<const Candidate> candidates() const { return plan->spec().candidates; }
};

// steer() where the first choice doesn't decide: picks anew, group by group.
[[gnu::noinline]] void go_down(const ServiceRecord& record, const View& view, const IpAddress& asker, Rng& rng,
                               Steered& out);

// What `found` of the record's plan for a family leads to now.
[[gnu::always_inline]] inline void steer(const ServiceRecord& record, const Plan& plan, const View& view,
                                         const IpAddress& asker, const Plan::Found& found, Rng& rng, Steered& out) {
  out.plan = &plan;
  out.order = found.order;
  out.scope = found.scope;
  out.picks.last_resort = false;
  const Ranked& first = *plan.order(found.order).data();
  // What most get: the first choice, which is alone, well, and has room.
  bool served = first.group_end == 1 && record.answers == 1 && !plan.sticks();
  if (served) {
    const Condition& now = view.states.at(record.service, first.datacenter);
    served = usable(now.state) && now.room == Condition::full_room;
    out.picks.count = 1;
    out.picks.list[0] = first.candidate;
    out.picks.horizon_s = now.horizon_s;
  }
  if (!served) go_down(record, view, asker, rng, out);
  const uint32_t holds = std::max(out.picks.horizon_s, view.ttl.least_s);
  out.ttl_s = std::min(record.ttl_s, std::min(holds, view.ttl.most_s));
}

// The record's plan for a family; it has one.
inline const Plan& plan_of(const ServiceRecord& record, bool v6, const View& view) {
  return *view.plans->data()[record.plan[v6]].get();
}

}  // namespace portolan::geodns
