#pragma once
// Objects the workers shared, until the last of them has let go: they are freed by a thread that serves nobody. Freeing
// ten thousand routes takes milliseconds. The control worker's.
#include <memory>
#include <vector>

#include "core/base/heap.hh"
#include "core/base/io.hh"
#include "core/loop/worker.hh"

namespace portolan::daemon {

class Retired {
 public:
  Retired(loop::Worker& control, Executor& executor)
      : executor_(executor), timer_(control, this, &loop::Calls<&Retired::sweep>::call) {}

  // Nobody may begin to use it any more. Null is nothing.
  void add(std::shared_ptr<const void> object) {
    if (!object) return;
    objects_.push_back(std::move(object));
    if (!timer_.armed()) timer_.set(look_ms);
  }

 private:
  static constexpr int64_t look_ms = 500;

  // What a reload has read and dropped again goes back to the system as well: it may be many times what is kept.
  static void free(std::vector<std::shared_ptr<const void>>& objects) {
    objects.clear();
    give_back_free_pages();
  }

  void sweep() {
    std::vector<std::shared_ptr<const void>> gone;
    std::erase_if(objects_, [&](std::shared_ptr<const void>& object) {
      if (object.use_count() > 1) return false;
      gone.push_back(std::move(object));
      return true;
    });
    if (!gone.empty()) (void)executor_.submit([gone = std::move(gone)]() mutable { free(gone); });
    if (!objects_.empty()) timer_.set(look_ms);
  }

  Executor& executor_;
  std::vector<std::shared_ptr<const void>> objects_;
  loop::Timer timer_;
};

}  // namespace portolan::daemon
