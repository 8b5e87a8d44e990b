#pragma once
// Signals as events of the control worker. Block them (before any thread starts), then listen.
#include <functional>

#include "core/base/fd.hh"
#include "core/loop/worker.hh"

namespace portolan::daemon {

class Signals {
 public:
  // SIGTERM, SIGINT, SIGHUP, SIGUSR1 are blocked in this thread and those it starts; SIGPIPE is ignored.
  static void block();
  Signals(loop::Worker& control, std::function<void(int signal)> on_signal);

 private:
  void on_ready(loop::Ready ready);
  std::function<void(int)> on_signal_;
  UniqueFd fd_;
  loop::SocketEvent event_;
};

}  // namespace portolan::daemon
