// Smooth weighted round robin: one schedule in which every member stands `weight` times, spread evenly, and one
// counter for all workers that says whose turn it is.
#include <algorithm>
#include <numeric>

#include "proxy/balance/balancer.hh"

namespace portolan::proxy {
namespace {

class RoundRobin final : public Balancer {
 public:
  RoundRobin(std::shared_ptr<const health::Pool> pool, std::vector<size_t> members)
      : pool_(std::move(pool)), schedule_(spread(*pool_, members)) {}

  size_t pick(const Tried& tried) override {
    if (schedule_.empty()) return none;
    uint64_t turn = pool_->state->turn.fetch_add(1, std::memory_order_relaxed);
    size_t at = static_cast<size_t>(turn % schedule_.size());
    for (size_t i = 0; i < schedule_.size(); ++i) {
      size_t member = schedule_[(at + i) % schedule_.size()];
      if (!was_tried(tried, member) && try_enter(pool_->members[member])) return member;
    }
    return none;
  }

 private:
  // The k-th turn of a member of weight w belongs at (k + phase) / w of the round; each has a phase of its own, so that
  // members of one weight don't stand side by side.
  static std::vector<size_t> spread(const health::Pool& pool, const std::vector<size_t>& members) {
    int common = 0;
    for (size_t m : members) common = std::gcd(common, pool.members[m].weight);
    struct Turn {
      double at;
      size_t member;
    };
    std::vector<Turn> turns;
    for (size_t i = 0; i < members.size(); ++i) {
      int weight = pool.members[members[i]].weight / common;
      double phase = (static_cast<double>(i) + 0.5) / static_cast<double>(members.size());
      for (int k = 0; k < weight; ++k) turns.push_back({(k + phase) / weight, members[i]});
    }
    std::stable_sort(turns.begin(), turns.end(), [](const Turn& a, const Turn& b) { return a.at < b.at; });
    std::vector<size_t> schedule;
    schedule.reserve(turns.size());
    for (const Turn& t : turns) schedule.push_back(t.member);
    return schedule;
  }

  std::shared_ptr<const health::Pool> pool_;
  std::vector<size_t> schedule_;
};

const Registration<BalancerKind> registered{{"round-robin", [](auto pool, auto members) {
                                               return std::unique_ptr<Balancer>(
                                                   std::make_unique<RoundRobin>(std::move(pool), std::move(members)));
                                             }}};

}  // namespace
}  // namespace portolan::proxy
