#include "geodns/policy/policy.hh"

namespace portolan::geodns {
namespace {

// A usable datacentre at random, by weight, afresh for every question. Weight 0 counts only where
// every usable one has it.
class Weighted final : public Policy {
 public:
  bool is_random() const override { return true; }
  Choice choose(std::span<const Candidate> candidates, States states, const Point*, Rng& rng) const override {
    uint64_t total = 0, usable_count = 0;
    for (const Candidate& c : candidates)
      if (states.usable(c)) {
        total += c.weight;
        usable_count++;
      }
    if (usable_count == 0) return {};
    const bool equal = total == 0;
    uint64_t ticket = rng.below(equal ? usable_count : total);
    const Candidate* chosen = candidates.data();
    for (;; chosen++) {
      if (!states.usable(*chosen)) continue;
      const uint64_t share = equal ? 1 : chosen->weight;
      if (ticket < share) break;
      ticket -= share;
    }
    return {static_cast<int>(chosen - candidates.data()), false};
  }
};

const Weighted weighted;
const Registration<PolicyPart> registered{{"weighted", &weighted}};

}  // namespace
}  // namespace portolan::geodns
