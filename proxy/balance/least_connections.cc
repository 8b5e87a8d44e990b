// The member with the fewest requests in flight for its weight. Exact across workers: choosing and counting in happen
// under the pool's one lock, in an order all workers share (core/health/load_order). Ties go round.
#include <fmt/format.h>

#include "proxy/balance/balancer.hh"

namespace portolan::proxy {
namespace {

class LeastConnections final : public Balancer {
 public:
  // The first worker to see a new state of the pool puts its members into the order.
  LeastConnections(std::shared_ptr<const health::Pool> pool, std::vector<size_t> members)
      : pool_(std::move(pool)), members_(std::move(members)) {
    whole_ = is_whole_tier(*pool_, members_);
    if (!whole_) return;
    tier_ = pool_->members[members_.front()].rank();
    health::PoolState& state = *pool_->state;
    std::lock_guard lock(state.exact);
    state.ordered = true;
    if (state.order_of[tier_] >= pool_->generation) return;
    std::vector<health::LoadOrder::Entry> entries;
    for (size_t m : members_) {
      const health::Member& member = pool_->members[m];
      entries.push_back({member.state, static_cast<uint32_t>(m), member.share(), member.max_connections});
    }
    state.orders[tier_].reset(entries);
    state.order_of[tier_] = pool_->generation;
  }

  size_t pick(const Pick& ask) override {
    if (members_.empty()) return none;
    const Tried& tried = ask.tried;
    std::lock_guard lock(pool_->state->exact);
    size_t m = least_loaded(tried);
    if (m == none || enter(m)) return m;
    // It has filled up by requests the order was not told of: its server stands in another by now.
    m = least_loaded_by_looking(tried);
    return m != none && enter(m) ? m : none;
  }

  std::string standing(size_t member, const Pick&) const override {
    const health::Member& m = pool_->members[member];
    int64_t in_flight = m.state->in_flight.load(std::memory_order_relaxed);
    double weight = static_cast<double>(m.share()) / health::Member::full_warmth;
    return fmt::format("load {:.3g} with this one ({} in flight by weight {:.3g})",
                       static_cast<double>(in_flight + 1) / weight, in_flight, weight);
  }

 private:
  bool enter(size_t m) const {
    return health::try_count_in_locked(*pool_->members[m].state, pool_->members[m].max_connections);
  }

  // Where another worker has a newer state of the pool already, this one looks at each member for that moment.
  size_t least_loaded(const Tried& tried) const {
    health::PoolState& state = *pool_->state;
    if (!whole_ || state.order_of[tier_] != pool_->generation) return least_loaded_by_looking(tried);
    uint32_t m = state.orders[tier_].least_loaded(tried);
    return m == health::LoadOrder::none ? none : m;
  }

  size_t least_loaded_by_looking(const Tried& tried) const {
    size_t best = none;
    int64_t best_load = 0;
    for (size_t m : members_) {
      const health::Member& member = pool_->members[m];
      int64_t in_flight = member.state->in_flight.load(std::memory_order_relaxed);
      if (member.max_connections > 0 && in_flight >= member.max_connections) continue;
      if (was_tried(tried, m)) continue;
      // (in_flight + 1) / weight without a division: compare by cross products.
      if (best != none && (in_flight + 1) * pool_->members[best].share() >= best_load * member.share()) continue;
      best = m;
      best_load = in_flight + 1;
    }
    return best;
  }

  std::shared_ptr<const health::Pool> pool_;
  std::vector<size_t> members_;
  size_t tier_ = 0;     // of PoolState::orders
  bool whole_ = false;  // all of its tier: the orders stand for it
};

const Registration<BalancerKind> registered{
    {"least-connections", "the least loaded", [](auto pool, auto members) {
       return std::unique_ptr<Balancer>(std::make_unique<LeastConnections>(std::move(pool), std::move(members)));
     }}};

}  // namespace
}  // namespace portolan::proxy
