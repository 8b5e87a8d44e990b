#pragma once
// Whether a client moves at least so many bytes a second (`min_rate`), looked at when a timer of several seconds fires
// and at no other time: nothing is done a byte or a request. A peer that is slow by less than all is left in peace: only
// time in which we wait for it counts, and a transfer may take as long as it likes.
#include <cstdint>

#include "proxy/config.hh"

namespace portolan::proxy {

class RateWatch {
 public:
  // From now on it is its turn, with `moved` bytes behind it.
  void begin(int64_t now_ms, uint64_t moved = 0) {
    since_ms_ = now_ms;
    moved_ = moved;
  }
  // `moved`: bytes so far; `its_turn`: there is something for it to send or to take, and there was at the last look
  // unless this says otherwise. True: it was its turn for `min_rate_after`, and it moved too little.
  bool too_slow(int64_t now_ms, uint64_t moved, bool its_turn, const Timeouts& limits) {
    if (!its_turn || limits.min_rate == 0) {
      since_ms_ = -1;
      return false;
    }
    if (since_ms_ < 0) {
      begin(now_ms, moved);
      return false;
    }
    int64_t passed_ms = now_ms - since_ms_;
    if (passed_ms < limits.min_rate_after) return false;
    auto least = static_cast<uint64_t>(passed_ms) * limits.min_rate / 1000;
    bool slow = static_cast<int64_t>(moved - moved_) < static_cast<int64_t>(least);
    begin(now_ms, moved);
    return slow;
  }

 private:
  int64_t since_ms_ = -1;  // -1: it is not its turn
  uint64_t moved_ = 0;
};

}  // namespace portolan::proxy
