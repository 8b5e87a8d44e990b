#pragma once
// A state that somebody else writes into a file: its first word is up, down or draining. A file that is missing, says
// something else or was not written for too long says nothing: unknown is not down. Read at every interval, a few bytes, on
// the control worker, whose alone it is.
#include <functional>
#include <string>

#include "core/health/board.hh"
#include "core/loop/event.hh"
#include "core/loop/worker.hh"

namespace portolan::health {

class FileWatch {
 public:
  // `on_change` runs from the loop, never from within the constructor.
  FileWatch(loop::Worker& worker, std::string path, int64_t max_age_ms, int64_t interval_ms,
            const std::function<void()>& on_change);
  const Health& health() const { return health_; }  // since_ms stays 0

 private:
  void on_due();
  Health read() const;
  loop::Worker& worker_;
  std::string path_;
  int64_t max_age_ms_;
  int64_t interval_ms_;
  const std::function<void()>& on_change_;
  Health health_;
  loop::Timer due_;
};

}  // namespace portolan::health
