#pragma once
// Gives equal things one number. It keeps the numbers only: the things stay with the caller, who
// compares them.
#include <cstddef>
#include <cstdint>
#include <vector>

namespace portolan::geo {

class Interner {
 public:
  Interner() : slots_(1024) {}

  // The number of the thing equal to this one, `same(number)` tells; where there is none, `fresh` is
  // remembered as its number and returned. `fresh` is below the largest uint32_t.
  template <class Same>
  uint32_t number_of(uint64_t hash, uint32_t fresh, Same same) {
    if ((count_ + 1) * 2 > slots_.size()) grow();
    const uint32_t tag = static_cast<uint32_t>(hash >> 32 ^ hash);
    size_t at = tag & (slots_.size() - 1);
    for (; slots_[at].number != none; at = (at + 1) & (slots_.size() - 1))
      if (slots_[at].tag == tag && same(slots_[at].number)) return slots_[at].number;
    slots_[at] = {fresh, tag};
    ++count_;
    return fresh;
  }

 private:
  static constexpr uint32_t none = UINT32_MAX;
  struct Slot {
    uint32_t number = none;
    uint32_t tag = 0;
  };

  void grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.number == none) continue;
      size_t at = slot.tag & (slots_.size() - 1);
      while (slots_[at].number != none) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = slot;
    }
  }

  std::vector<Slot> slots_;
  size_t count_ = 0;
};

// Stirs `v` into a hash: start from any constant.
inline uint64_t stir(uint64_t hash, uint64_t v) {
  hash = (hash ^ v) * 0xff51afd7ed558ccd;
  return hash ^ hash >> 32;
}

}  // namespace portolan::geo
