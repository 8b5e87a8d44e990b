// By lot, each member by its weight: shares nothing between workers, and costs the same however many there are.
#include "proxy/balance/seats.hh"

namespace portolan::proxy {
namespace {

class Random final : public Balancer {
 public:
  Random(std::shared_ptr<const health::Pool> pool, const std::vector<size_t>& members)
      : seats_(std::move(pool), members), lots_(seats_.shares()) {}

  size_t pick(const Pick& ask) override {
    if (seats_.size() == 0) return none;
    for (int i = 0; i < most_draws; ++i)
      if (size_t m = seats_.enter(seats_[lots_.draw(ask.rng.next())], ask.tried); m != none) return m;
    return seats_.enter_any(lots_.draw(ask.rng.next()), ask.tried);
  }

  std::string standing(size_t member, const Pick&) const override { return seats_.drawn_at(seats_.seat_of(member)); }

 private:
  static constexpr int most_draws = 8;  // where most are full, a walk is shorter
  Seats seats_;
  Lots lots_;
};

const Registration<BalancerKind> registered{{"random", "drawn by lot", [](auto pool, auto members) {
                                               return std::unique_ptr<Balancer>(
                                                   std::make_unique<Random>(std::move(pool), members));
                                             }}};

}  // namespace
}  // namespace portolan::proxy
