// The power of two choices (Mitzenmacher): of two members drawn by their weights, the one with fewer requests in flight
// for its weight. Nearly as even as least-connections, without its lock.
#include <fmt/format.h>

#include "proxy/balance/seats.hh"

namespace portolan::proxy {
namespace {

class TwoChoices final : public Balancer {
 public:
  TwoChoices(std::shared_ptr<const health::Pool> pool, const std::vector<size_t>& members)
      : seats_(std::move(pool), members), lots_(seats_.shares()) {}

  size_t pick(const Pick& ask) override {
    return pick_of_two(seats_, lots_, ask, [](const Seat& a, const Seat& b) {
      return a.in_flight() * b.share < b.in_flight() * a.share;  // by cross products: without a division
    });
  }

  std::string standing(size_t member, const Pick&) const override {
    size_t at = seats_.seat_of(member);
    double weight = static_cast<double>(seats_[at].share) / health::Member::full_warmth;
    return fmt::format("load {:.3g} ({} in flight by weight {:.3g}), {}",
                       static_cast<double>(seats_[at].in_flight()) / weight, seats_[at].in_flight(), weight,
                       seats_.drawn_at(at));
  }

 private:
  Seats seats_;
  Lots lots_;
};

const Registration<BalancerKind> registered{
    {"two-choices", "the less loaded of two drawn by lot", [](auto pool, auto members) {
       return std::unique_ptr<Balancer>(std::make_unique<TwoChoices>(std::move(pool), members));
     }}};

}  // namespace
}  // namespace portolan::proxy
