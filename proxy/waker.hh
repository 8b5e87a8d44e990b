#pragma once
// Wakes something that lives on a worker, from any thread, even after it is gone.
#include "core/base/io.hh"
#include "core/loop/worker.hh"

namespace portolan::proxy {

class WorkerWaker final : public Waker, public std::enable_shared_from_this<WorkerWaker> {
 public:
  WorkerWaker(loop::Worker& worker, loop::Runnable& target) : worker_(worker), target_(&target) {}
  void wake() override {
    if (loop::Worker::current() == &worker_) return deliver();
    worker_.post([self = shared_from_this()] { self->deliver(); });
  }
  // The target's thread only; afterwards nothing is woken.
  void forget() { target_ = nullptr; }

 private:
  void deliver() {
    if (target_) worker_.run_soon(*target_);
  }
  loop::Worker& worker_;
  loop::Runnable* target_;  // touched on the worker's thread only
};

}  // namespace portolan::proxy
