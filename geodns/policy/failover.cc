#include "geodns/policy/policy.hh"

namespace portolan::geodns {
namespace {

// The first usable datacentre in the record's order.
class Failover final : public Policy {
 public:
  Choice choose(std::span<const Candidate> candidates, States states, const Point*, Rng&) const override {
    const Candidate* best = nullptr;
    for (const Candidate& c : candidates)
      if ((!best || c.rank < best->rank) && states.usable(c)) best = &c;
    return {best ? static_cast<int>(best - candidates.data()) : Choice::all, false};
  }
};

const Failover failover;
const Registration<PolicyPart> registered{{"failover", &failover}};

}  // namespace
}  // namespace portolan::geodns
