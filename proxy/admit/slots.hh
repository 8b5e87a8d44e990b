#pragma once
// A fixed number of 64-bit words that all workers change, each by itself. Zero at first, and no memory of its own until
// somebody looks: a large table that serves few clients costs what those cost.
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <memory>

namespace portolan::proxy {

class Slots {
 public:
  // At least `least` words in sets of `ways` (a power of two); the number of sets is a power of two.
  Slots(size_t least, size_t ways) : ways_(ways), sets_(std::bit_ceil((least + ways - 1) / ways)) {
    // calloc of so much comes from mmap, which gives pages as they are touched.
    memory_.reset(std::calloc(sets_ * ways_ + line, sizeof(uint64_t)));
    if (!memory_) std::abort();  // as when `new` finds no memory
    auto at = reinterpret_cast<uintptr_t>(memory_.get());
    words_ = reinterpret_cast<uint64_t*>((at + line * sizeof(uint64_t) - 1) & ~(line * sizeof(uint64_t) - 1));
  }

  uint64_t* set_of(uint64_t hash) const { return words_ + (hash & (sets_ - 1)) * ways_; }
  uint64_t* begin() const { return words_; }
  uint64_t* end() const { return words_ + size(); }
  size_t size() const { return sets_ * ways_; }

 private:
  static constexpr size_t line = 8;  // words in a cache line
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  size_t ways_;
  size_t sets_;
  std::unique_ptr<void, Free> memory_;
  uint64_t* words_;
};

inline uint64_t read_slot(uint64_t& slot) {
  return std::atomic_ref<uint64_t>(slot).load();
}
// False: somebody else was quicker.
inline bool change_slot(uint64_t& slot, uint64_t from, uint64_t to) {
  return std::atomic_ref<uint64_t>(slot).compare_exchange_strong(from, to);
}

}  // namespace portolan::proxy
