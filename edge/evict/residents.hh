#pragma once
// All that a cache stores, in the order of its eviction policy. One order for the whole cache: a policy a shard would give
// each shard a tenth of a tenth, and a large object would push out a shard instead of what is worth least.
//
// Threads: any. Locks: a shard's, then this one's. To evict, choose() without any lock, then lock the shard of the choice
// and claim() it: whoever removed it meanwhile has called forget(), and the claim fails.
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "edge/evict/policy.hh"

namespace portolan::edge {

class Residents {
 public:
  Residents(const EvictionPart& part, uint64_t budget_bytes);

  // With the lock of the resident's shard held; so that it can't go meanwhile.
  void admit(Resident& r);
  void forget(Resident& r);  // nothing, when it isn't in
  void touch(Resident& r) {
    r.hits.store(r.hits.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    keep(r);
  }
  void keep(Resident& r) {  // it is of use, to a request that was counted before
    uint8_t uses = r.uses.load(std::memory_order_relaxed);
    if (uses < Resident::most_uses) r.uses.store(uses + 1, std::memory_order_relaxed);
    if (reorders_.load(std::memory_order_relaxed)) reorder(r);
  }

  struct Choice {
    Resident* resident = nullptr;  // null: nothing is in. Not to be looked at before claim()
    uint16_t shard = 0;
    uint64_t number = 0;
  };
  Choice choose();
  bool claim(const Choice& choice);  // its shard's lock held; true: it is out, and the caller's to remove

  // Another policy or another budget: all that is in stays, with another policy in the order in which it would have gone.
  void change(const EvictionPart& part, uint64_t budget_bytes);
  uint64_t own_bytes() const;  // of memory beside the residents themselves

 private:
  void reorder(Resident& r);
  bool unchoose(const Resident& r, uint64_t number);  // number 0: any

  mutable std::mutex mutex_;
  const EvictionPart* part_;
  std::unique_ptr<Eviction> policy_;
  std::atomic<bool> reorders_{false};
  std::vector<Choice> chosen_;  // as many as there are threads that evict
  uint64_t choices_ = 0;
};

}  // namespace portolan::edge
