#include "geodns/policy/policy.hh"

namespace portolan::geodns {
namespace {

// Every usable datacentre, from a random one on, or with `answers` so many of them at random; weight 0 only where no other is usable.
class All final : public Policy {
 public:
  double cost(const Candidate& c, const Point*) const override { return c.weight == 0 ? 1 : 0; }
  void pick(const Slate& slate, Rng& rng, Picks& picks) const override {
    if (slate.answers != Slate::every) return pick_by_weight(slate, rng, picks);
    for (size_t begin = 0; begin < slate.order.size() && picks.count == 0; begin = slate.order[begin].group_end) {
      const size_t size = slate.order[begin].group_end - begin;
      size_t next = size > 1 ? rng.below(size) : 0;
      for (size_t i = 0; i < size; i++) {
        const Ranked& r = slate.order[begin + next];
        if (++next == size) next = 0;
        const Condition& c = slate.of(r);
        picks.look_at(c);
        if (usable(c.state)) picks.add(r);
      }
    }
  }
};

const All all;
const Registration<PolicyPart> registered{{"all", &all}};

}  // namespace
}  // namespace portolan::geodns
