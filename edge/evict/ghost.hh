#pragma once
// Remembers keys that went, by fingerprint, the newest of them: memory of fixed size, asked for and added to in a line of
// the processor's cache. May now and then forget one early, or take one for another.
#include <cstdint>
#include <memory>

namespace portolan::edge {

class Ghost {
 public:
  explicit Ghost(uint64_t bytes);  // at most; at least one line

  // Remembers `hash` until `keep` others were added.
  void add(uint64_t hash, uint64_t keep);
  // Whether it is remembered; and forgets it.
  bool take(uint64_t hash);
  uint64_t own_bytes() const { return (mask_ + 1) * sizeof(Line); }

 private:
  static constexpr int slots_a_line = 8;
  struct Slot {
    uint32_t fingerprint = 0;
    uint32_t added = 0;  // the how manieth; 0: none
  };
  struct alignas(64) Line {
    Slot slots[slots_a_line];
  };
  Line& line_of(uint64_t hash) { return lines_[hash & mask_]; }
  uint32_t age(const Slot& s) const { return added_ - s.added; }

  uint64_t mask_ = 0;
  uint32_t added_ = 0;
  uint32_t keep_ = 0;
  std::unique_ptr<Line[]> lines_;
};

}  // namespace portolan::edge
