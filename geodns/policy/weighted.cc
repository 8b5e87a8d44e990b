#include "geodns/policy/policy.hh"

namespace portolan::geodns {
namespace {

// A usable datacentre at random, by weight, afresh for every question. Weight 0 counts only where every usable one has it.
class Weighted final : public Policy {
 public:
  double cost(const Candidate& c, const Point*) const override { return c.weight == 0 ? 1 : 0; }
  void pick(const Slate& slate, Rng& rng, Picks& picks) const override { pick_by_weight(slate, rng, picks); }
};

const Weighted weighted;
const Registration<PolicyPart> registered{{"weighted", &weighted}};

}  // namespace
}  // namespace portolan::geodns
