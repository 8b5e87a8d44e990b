#include "geodns/policy/policy.hh"

namespace portolan::geodns {
namespace {

// Datacentres by weight as `weighted`, but each client network stays with its own: a /24 of IPv4, a /56 of IPv6.
class Sticky final : public Policy {
 public:
  double cost(const Candidate& c, const Point*) const override { return c.weight == 0 ? 1 : 0; }
  bool sticks() const override { return true; }
  void pick(const Slate& slate, Rng& rng, Picks& picks) const override { pick_by_network(slate, rng, picks); }
};

const Sticky sticky;
const Registration<PolicyPart> registered{{"sticky", &sticky}};

}  // namespace
}  // namespace portolan::geodns
