#pragma once
// What goes when memory is full. A policy keeps the order of a whole cache's residents. Residents (residents.hh) holds its
// lock in every call; what a use costs is a store or two without it. Adding a policy is one .cc with its class and a
// Registration<EvictionPart>; the contract test runs on it too.
#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

#include "core/base/registry.hh"

namespace portolan::edge {

// What a policy sees of a stored thing; it is linked in by these members, never allocated for.
struct Resident {
  static constexpr uint8_t most_uses = 7;
  enum class State : uint8_t { outside, resident, chosen };

  // The owner's.
  uint64_t hash = 0;              // of its key: stays the same when it comes back
  uint32_t bytes = 0;             // memory it takes, capped at 4 GiB; fixed while it is resident
  uint16_t shard = 0;             // whose lock guards it
  bool ordinary = false;          // to be kept as long as one of average size, whatever its own
  std::atomic<uint32_t> hits{0};  // since it was stored; written under the shard's lock, read by anybody

  // The policy's.
  std::atomic<uint8_t> uses{0};  // since the policy last looked, at most most_uses
  uint8_t queue = 0;
  State state = State::outside;
  Resident* newer = nullptr;
  Resident* older = nullptr;
  uint64_t rank = 0;
};

class Eviction {
 public:
  virtual ~Eviction() = default;
  virtual void admit(Resident& r) = 0;  // a new one
  virtual void touch(Resident&) {}      // it was used; called only where reorders() is true
  virtual bool reorders() const { return false; }
  virtual Resident* take() = 0;                     // takes out the next to go; nullptr when there are none
  virtual void forget(Resident& r) = 0;             // one that is in goes, for another reason
  virtual void resize(uint64_t) {}                  // the budget has changed
  virtual uint64_t own_bytes() const { return 0; }  // memory it takes beside the residents
};

struct EvictionPart {
  std::string_view name;
  std::unique_ptr<Eviction> (*make)(uint64_t budget_bytes);
};

// A queue of residents by their own links.
class ResidentQueue {
 public:
  void push(Resident& r) {
    r.newer = nullptr;
    r.older = newest_;
    (newest_ ? newest_->newer : oldest_) = &r;
    newest_ = &r;
  }
  void remove(Resident& r) {
    (r.newer ? r.newer->older : newest_) = r.older;
    (r.older ? r.older->newer : oldest_) = r.newer;
    r.newer = r.older = nullptr;
  }
  Resident* oldest() const { return oldest_; }
  Resident* newest() const { return newest_; }

 private:
  Resident* newest_ = nullptr;
  Resident* oldest_ = nullptr;
};

}  // namespace portolan::edge
