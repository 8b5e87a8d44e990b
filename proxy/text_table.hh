#pragma once
// A number by a scope and a text: the router's hosts and paths. Filled once, then read by any thread; a lookup costs one
// hash of the text and, nearly always, one cache line of slots, however many there are.
#include <xxhash.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace portolan::proxy {

class TextTable {
 public:
  static constexpr uint32_t none = UINT32_MAX;

  uint32_t find(uint32_t scope, std::string_view text) const {
    if (slots_.empty()) return none;
    uint64_t hash = hash_of(scope, text);
    for (size_t at = hash & mask_;; at = (at + 1) & mask_) {
      const Slot& slot = slots_[at];
      if (slot.value == none) return none;
      if (slot.hash == hash && slot.scope == scope && std::string_view(texts_).substr(slot.begin, slot.size) == text)
        return slot.value;
    }
  }

  // `value` is not none. The one that is there already wins, and is answered.
  uint32_t add(uint32_t scope, std::string_view text, uint32_t value) {
    if (uint32_t there = find(scope, text); there != none) return there;
    if ((used_ + 1) * 2 > slots_.size()) grow();
    put({hash_of(scope, text), scope, value, static_cast<uint32_t>(texts_.size()), static_cast<uint32_t>(text.size())});
    texts_ += text;
    ++used_;
    return value;
  }

  // Each value v becomes values[v].
  void replace_values(const std::vector<uint32_t>& values) {
    for (Slot& slot : slots_)
      if (slot.value != none) slot.value = values[slot.value];
  }

 private:
  struct Slot {
    uint64_t hash = 0;
    uint32_t scope = 0;
    uint32_t value = none;  // none: empty
    uint32_t begin = 0;     // in texts_
    uint32_t size = 0;
  };
  static uint64_t hash_of(uint32_t scope, std::string_view text) {
    return XXH3_64bits_withSeed(text.data(), text.size(), scope);
  }
  void put(const Slot& slot) {
    size_t at = slot.hash & mask_;
    while (slots_[at].value != none) at = (at + 1) & mask_;
    slots_[at] = slot;
  }
  void grow() {
    std::vector<Slot> before(slots_.empty() ? 16 : slots_.size() * 2);
    before.swap(slots_);
    mask_ = slots_.size() - 1;
    for (const Slot& slot : before)
      if (slot.value != none) put(slot);
  }
  std::vector<Slot> slots_;  // a power of two
  std::string texts_;
  size_t mask_ = 0;
  size_t used_ = 0;
};

}  // namespace portolan::proxy
