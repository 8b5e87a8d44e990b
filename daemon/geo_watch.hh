#pragma once
// Location databases that change while the process runs. Their files are looked at every few seconds; one that changed and
// has stayed the same since the last look is read anew, off the loops, and with it all plans that go by places are made.
// What can't be used is told once, and what was read before goes on. Control worker only.
#include <functional>
#include <memory>

#include "core/loop/thread_pool.hh"
#include "core/loop/worker.hh"
#include "daemon/preparation.hh"

namespace portolan::daemon {

class GeoWatch {
 public:
  struct Now {
    GeoFiles files;
    std::shared_ptr<const geodns::View> view;
  };
  struct Hooks {
    std::function<Now()> now;
    // `view` is the one that was now, with the new places. Only called where that still is.
    std::function<void(GeoFiles files, std::shared_ptr<geodns::View> view)> take;
  };
  GeoWatch(loop::Worker& control, Executor& executor, Hooks hooks, int64_t interval_ms = 2000);
  ~GeoWatch();
  uint64_t failures() const { return failures_; }  // how often what changed couldn't be used
  // Why what the files hold now isn't in use; empty: it is.
  std::string failure() const;

 private:
  struct Outcome;
  void on_due();
  void finish(const Outcome& outcome);
  loop::Worker& control_;
  Executor& executor_;
  Hooks hooks_;
  int64_t interval_ms_;
  std::vector<struct stat> seen_;   // at the last look
  std::vector<struct stat> tried_;  // that could not be used
  uint64_t failures_ = 0;
  std::string failure_;
  loop::Timer due_;
  std::shared_ptr<GeoWatch*> alive_;  // what comes back later finds nobody any more
};

}  // namespace portolan::daemon
