#include "geodns/policy/policy.hh"

namespace portolan::geodns {
namespace {

// The first usable datacentre in the record's order.
class Failover final : public Policy {
 public:
  double cost(const Candidate& c, const Point*) const override { return c.rank; }
  bool follows_order() const override { return true; }
  void pick(const Slate& slate, Rng& rng, Picks& picks) const override { pick_by_weight(slate, rng, picks); }
};

const Failover failover;
const Registration<PolicyPart> registered{{"failover", &failover}};

}  // namespace
}  // namespace portolan::geodns
