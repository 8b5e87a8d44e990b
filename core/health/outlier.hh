#pragma once
// What failed requests say of one server: whether they are enough to take it out, for how long, and how often that
// happened lately. Workers count in the ServerState; this reads it when a failure is told. Control worker only.
#include <cstdint>
#include <string>

#include "core/health/config.hh"
#include "core/health/server_state.hh"

namespace portolan::health {

class Outlier {
 public:
  // Why the server is to be ejected ("5 failed requests in a row"); empty: it isn't. One failure is never enough.
  std::string judge(const EjectConfig& config, const ServerState& counts, int64_t now_ms);
  // It was on its way to that within the last window, as all of a pool are that is overloaded.
  bool struggled(const EjectConfig& config, int64_t now_ms) const {
    return struggled_ms_ >= 0 && now_ms - struggled_ms_ < config.window_ms;
  }
  // Out from now on, for `time` as often as it was ejected lately, `max_time` at most. Every `time` that it served
  // since takes one off that count.
  void eject(const EjectConfig& config, ServerState& counts, int64_t now_ms);
  // In again, with a clean slate.
  void restore(ServerState& counts, int64_t now_ms);

  bool out() const { return until_ms_ >= 0; }
  int64_t until_ms() const { return until_ms_; }  // of the monotonic clock; -1: it is not out
  int64_t length_ms() const { return length_ms_; }
  int times() const { return times_; }  // lately

 private:
  int times_ = 0;
  int64_t until_ms_ = -1;
  int64_t length_ms_ = 0;
  int64_t back_ms_ = 0;  // since when it serves again
  int64_t struggled_ms_ = -1;
  int64_t begin_ms_ = -1;  // the window: opened by the first failure since the last; -1: none is open
  uint64_t ended_ = 0;     // requests over, and failures among them, when it was opened
  uint64_t failed_ = 0;
};

}  // namespace portolan::health
