// Least recently used: a list, the newest in front.
#include "edge/evict/policy.hh"

namespace portolan::edge {
namespace {

class Lru final : public Eviction {
 public:
  void admit(Resident& r) override {
    r.resident = true;
    r.newer = nullptr;
    r.older = newest_;
    if (newest_) newest_->newer = &r;
    newest_ = &r;
    if (!oldest_) oldest_ = &r;
  }

  void touch(Resident& r) override {
    if (newest_ == &r) return;
    forget(r);
    admit(r);
  }

  Resident* victim() override { return oldest_; }

  void forget(Resident& r) override {
    (r.newer ? r.newer->older : newest_) = r.older;
    (r.older ? r.older->newer : oldest_) = r.newer;
    r.newer = r.older = nullptr;
    r.resident = false;
  }

 private:
  Resident* newest_ = nullptr;
  Resident* oldest_ = nullptr;
};

const Registration<EvictionPart> registered{
    {"lru", [](uint64_t) -> std::unique_ptr<Eviction> { return std::make_unique<Lru>(); }}};

}  // namespace
}  // namespace portolan::edge
