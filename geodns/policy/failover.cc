#include "geodns/policy/policy.hh"

namespace portolan::geodns {
namespace {

// The first usable datacentre in the record's order.
class Failover final : public Policy {
 public:
  Choice choose(std::span<const Candidate> candidates, const Point*, Rng&) const override {
    Choice choice;
    for (size_t i = 0; i < candidates.size(); i++) {
      if (!usable(candidates[i].state)) continue;
      if (choice.candidate == Choice::all ||
          candidates[i].rank < candidates[static_cast<size_t>(choice.candidate)].rank)
        choice.candidate = static_cast<int>(i);
    }
    return choice;
  }
};

const Failover failover;
const Registration<PolicyPart> registered{{"failover", &failover}};

}  // namespace
}  // namespace portolan::geodns
