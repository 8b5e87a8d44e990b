#pragma once
// Since when the disk has kept somebody waiting. Lock-free; any thread.
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/base/clock.hh"

namespace portolan::edge::disk {

class Watch {
 public:
  // Stands while its maker is about to wait for the disk. Of more than `slots` at once some aren't watched.
  class Wait {
   public:
    Wait(Watch& watch, const Clock& clock) : watch_(watch) {
      int64_t now = clock.now_ms();
      for (auto& slot : watch_.since_) {
        int64_t none = 0;
        if (slot.load(std::memory_order_relaxed) != 0 || !slot.compare_exchange_strong(none, now)) continue;
        slot_ = &slot;
        return;
      }
    }
    ~Wait() {
      if (slot_) slot_->store(0, std::memory_order_relaxed);
    }
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;

   private:
    Watch& watch_;
    std::atomic<int64_t>* slot_ = nullptr;
  };

  // How long the one that waits longest has waited.
  int64_t longest_ms(const Clock& clock) const {
    int64_t now = clock.now_ms(), longest = 0;
    for (const auto& slot : since_)
      if (int64_t since = slot.load(std::memory_order_relaxed); since != 0 && now - since > longest)
        longest = now - since;
    return longest;
  }

 private:
  static constexpr size_t slots = 32;
  std::array<std::atomic<int64_t>, slots> since_{};
};

}  // namespace portolan::edge::disk
