// SIEVE (Zhang et al., NSDI '24): one queue that nothing moves in. A hand goes from the oldest to the newest and round
// again; it takes what was not used since it last came by.
#include "edge/evict/policy.hh"

namespace portolan::edge {
namespace {

class Sieve final : public Eviction {
 public:
  void admit(Resident& r) override { queue_.push(r); }

  Resident* take() override {
    for (int spared = 0;; ++spared) {
      Resident* r = hand_ ? hand_ : queue_.oldest();
      if (!r) return nullptr;
      hand_ = r->newer;
      if (spared < most_spared && r->uses.exchange(0, std::memory_order_relaxed) != 0) continue;
      queue_.remove(*r);
      return r;
    }
  }

  void forget(Resident& r) override {
    if (hand_ == &r) hand_ = r.newer;
    queue_.remove(r);
  }

 private:
  static constexpr int most_spared = 256;  // in a row: the lock is held meanwhile

  ResidentQueue queue_;
  Resident* hand_ = nullptr;  // null: the oldest
};

const Registration<EvictionPart> registered{
    {"sieve", [](uint64_t) -> std::unique_ptr<Eviction> { return std::make_unique<Sieve>(); }}};

}  // namespace
}  // namespace portolan::edge
