#include <algorithm>
#include <cmath>

#include "geodns/policy/policy.hh"

namespace portolan::geodns {
namespace {

// The usable datacentre at the least great-circle distance; those that stand at the same place share by weight. Askers
// whose place isn't known go by the record's order, and datacentres without a place are taken last.
class Nearest final : public Policy {
 public:
  double cost(const Candidate& c, const Point* asker) const override {
    if (!asker) return c.rank;
    if (!c.has_location) return beyond_km + c.rank;
    return asker->distance_km(c.location);
  }
  bool needs_location() const override { return true; }
  bool follows_order() const override { return true; }
  void pick(const Slate& slate, Rng& rng, Picks& picks) const override { pick_by_weight(slate, rng, picks); }

 private:
  static constexpr double beyond_km = 30'000;
};

const Nearest nearest;
const Registration<PolicyPart> registered{{"nearest", &nearest}};

}  // namespace
}  // namespace portolan::geodns
