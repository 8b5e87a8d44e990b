#pragma once
// The Executor of the daemon: a few threads and a bounded queue for work that may block.
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "core/base/io.hh"

namespace portolan::loop {

class ThreadPool final : public Executor {
 public:
  // `niceness`: of nice(1); what is nice leaves the cores to the workers.
  explicit ThreadPool(size_t threads, size_t queue_limit = 1024, int niceness = 0);
  ~ThreadPool() override;  // finishes what is queued
  bool submit(std::function<void()> work) override;

 private:
  void run();
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::function<void()>> queue_;
  size_t queue_limit_;
  int niceness_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace portolan::loop
