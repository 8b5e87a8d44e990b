#pragma once
// Offsets in a data section -> what is known of each: open addressing, nothing is taken out.
#include <cstddef>
#include <cstdint>
#include <vector>

namespace portolan::geo {

class OffsetMap {
 public:
  OffsetMap() : slots_(1024) {}

  // Null where nothing was put. Good until the next put().
  const uint32_t* find(uint32_t offset) const {
    size_t at = place_of(offset);
    return slots_[at].offset == offset ? &slots_[at].value : nullptr;
  }
  // An offset below the largest uint32_t that is not there yet.
  void put(uint32_t offset, uint32_t value) {
    if (++count_ * 2 > slots_.size()) grow();
    slots_[place_of(offset)] = {offset, value};
  }

 private:
  struct Slot {
    uint32_t offset = UINT32_MAX;
    uint32_t value = 0;
  };

  // Offsets of one KiB share 32 slots: who asks in the order of the file stays in the cache.
  size_t place_of(uint32_t offset) const {
    const uint64_t block = (uint64_t{offset >> 10} * 0x9e3779b97f4a7c15) >> 32;
    size_t at = (block << 5 | (offset >> 5 & 31)) & (slots_.size() - 1);
    while (slots_[at].offset != offset && slots_[at].offset != UINT32_MAX) at = (at + 1) & (slots_.size() - 1);
    return at;
  }
  void grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old)
      if (slot.offset != UINT32_MAX) slots_[place_of(slot.offset)] = slot;
  }

  std::vector<Slot> slots_;
  size_t count_ = 0;
};

}  // namespace portolan::geo
