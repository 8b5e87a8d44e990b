// Least recently used: one queue, to whose end every use moves. Where two threads use something at once, one of them
// moves nothing: the order is that of a moment's accuracy.
#include "edge/evict/policy.hh"

namespace portolan::edge {
namespace {

class Lru final : public Eviction {
 public:
  void admit(Resident& r) override { queue_.push(r); }
  bool reorders() const override { return true; }

  void touch(Resident& r) override {
    if (queue_.newest() == &r) return;
    queue_.remove(r);
    queue_.push(r);
  }

  Resident* take() override {
    Resident* r = queue_.oldest();
    if (r) queue_.remove(*r);
    return r;
  }

  void forget(Resident& r) override { queue_.remove(r); }

 private:
  ResidentQueue queue_;
};

const Registration<EvictionPart> registered{
    {"lru", [](uint64_t) -> std::unique_ptr<Eviction> { return std::make_unique<Lru>(); }}};

}  // namespace
}  // namespace portolan::edge
