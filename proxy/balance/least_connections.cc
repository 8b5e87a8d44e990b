// The member with the fewest requests in flight for its weight. Exact across workers: choosing and counting in happen
// under the pool's one lock. Ties go round.
#include "proxy/balance/balancer.hh"

namespace portolan::proxy {
namespace {

class LeastConnections final : public Balancer {
 public:
  LeastConnections(std::shared_ptr<const health::Pool> pool, std::vector<size_t> members)
      : pool_(std::move(pool)), members_(std::move(members)) {}

  size_t pick(const Tried& tried) override {
    if (members_.empty()) return none;
    std::lock_guard lock(pool_->state->exact);
    size_t start = pool_->state->turn.fetch_add(1, std::memory_order_relaxed) % members_.size();
    size_t best = none;
    int64_t best_load = 0;
    for (size_t i = 0; i < members_.size(); ++i) {
      size_t m = members_[(start + i) % members_.size()];
      const health::Member& member = pool_->members[m];
      int64_t in_flight = member.state->in_flight.load(std::memory_order_relaxed);
      if (member.max_connections > 0 && in_flight >= member.max_connections) continue;
      if (was_tried(tried, m)) continue;
      // (in_flight + 1) / weight without a division: compare by cross products.
      if (best != none && (in_flight + 1) * pool_->members[best].weight >= best_load * member.weight) continue;
      best = m;
      best_load = in_flight + 1;
    }
    if (best == none || !try_enter(pool_->members[best])) return none;
    return best;
  }

 private:
  std::shared_ptr<const health::Pool> pool_;
  std::vector<size_t> members_;
};

const Registration<BalancerKind> registered{
    {"least-connections", [](auto pool, auto members) {
       return std::unique_ptr<Balancer>(std::make_unique<LeastConnections>(std::move(pool), std::move(members)));
     }}};

}  // namespace
}  // namespace portolan::proxy
