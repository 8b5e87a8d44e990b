#pragma once
// A node that leaves while it still runs: it says it isn't ready, its answers end their connections, and, where the one
// who asks wants it, new connections wait for the node that comes after it. Control worker only.
//
// An address that moves takes its connections along to a node that doesn't know them. So before it goes there must be
// none: connections that begin are not answered, which makes a client's kernel ask again after a second (RFC 6298),
// those that are there end, and only then is it said that this node isn't ready.
#include <cstdint>
#include <functional>
#include <vector>

#include "core/loop/worker.hh"

namespace portolan::daemon {

class Leave {
 public:
  struct Hooks {
    std::function<void(bool)> leaving;      // answers end their connections, or don't any more
    std::function<void()> end_connections;  // idle ones at once, others after their request
    std::function<void(bool)> hold;         // connections that begin wait, or don't any more
    std::function<int64_t()> connections;   // of clients, open now
  };
  Leave(loop::Worker& control, Hooks hooks);

  void begin();
  void end();
  bool leaving() const { return leaving_; }
  // New connections wait for `ms` from now, and `done` runs when no other is left, or half a second has passed. While
  // leaving only; else `done` runs at once.
  void hold(int64_t ms, std::function<void()> done);
  bool holding() const { return step_ != Step::open; }

 private:
  // Those whose handshake was under way arrive; all end; they wait.
  enum class Step : uint8_t { open, arriving, ending, quiet };
  void on_timer();
  void answer();
  void release();
  loop::Worker& worker_;
  Hooks hooks_;
  bool leaving_ = false;
  Step step_ = Step::open;
  int64_t hold_until_ms_ = 0;
  int64_t give_up_ms_ = 0;
  std::vector<std::function<void()>> waiting_;
  loop::Timer timer_;
};

}  // namespace portolan::daemon
