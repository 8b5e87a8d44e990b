#pragma once
// What to throw out when memory is full. A policy keeps the order of one shard's residents; its
// shard's lock is held in every call. Adding one is one .cc with its class and a
// Registration<EvictionPart>.
#include <cstdint>
#include <memory>
#include <string_view>

#include "core/base/registry.hh"

namespace portolan::edge {

// What a policy sees of a stored thing; it is linked in by these members, never allocated for.
struct Resident {
  Resident* newer = nullptr;
  Resident* older = nullptr;
  uint64_t hash = 0;      // of its key: stays the same when it comes back
  uint32_t bytes = 0;     // capped at 4 GiB
  uint8_t bits = 0;       // the policy's own
  bool resident = false;  // between admit and forget
};

class Eviction {
 public:
  virtual ~Eviction() = default;
  virtual void admit(Resident& r) = 0;   // a new one
  virtual void touch(Resident& r) = 0;   // it was used
  virtual Resident* victim() = 0;        // the next to go, still admitted; nullptr when there are none
  virtual void forget(Resident& r) = 0;  // it goes, for whatever reason
};

struct EvictionPart {
  std::string_view name;
  std::unique_ptr<Eviction> (*make)(uint64_t budget_bytes);
};

}  // namespace portolan::edge
