#include "geodns/policy/policy.hh"

namespace portolan::geodns {
namespace {

// The usable datacentre at the least great-circle distance; ties go to the first. An asker without
// a location gets the first usable one, and datacentres without one are taken last.
class Nearest final : public Policy {
 public:
  Choice choose(std::span<const Candidate> candidates, States states, const Point* asker, Rng&) const override {
    Choice choice;
    double best = 0;
    for (size_t i = 0; i < candidates.size(); i++) {
      const Candidate& c = candidates[i];
      if (!states.usable(c)) continue;
      const double chord = asker && c.location ? asker->chord_squared(*c.location) : beyond;
      if (choice.candidate != Choice::all && chord >= best) continue;
      best = chord;
      choice.candidate = static_cast<int>(i);
    }
    for (const Candidate& c : candidates) choice.by_location |= states.usable(c) && c.location;
    return choice;
  }
  bool needs_location() const override { return true; }

 private:
  static constexpr double beyond = 5;  // a unit sphere's longest chord squared is 4
};

const Nearest nearest;
const Registration<PolicyPart> registered{{"nearest", &nearest}};

}  // namespace
}  // namespace portolan::geodns
