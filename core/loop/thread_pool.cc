#include "core/loop/thread_pool.hh"

#include <sys/resource.h>

namespace portolan::loop {

ThreadPool::ThreadPool(size_t threads, size_t queue_limit, int niceness)
    : queue_limit_(queue_limit), niceness_(niceness) {
  for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ready_.notify_all();
  for (std::thread& t : threads_) t.join();
}

bool ThreadPool::submit(std::function<void()> work) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_ || queue_.size() >= queue_limit_) return false;
    queue_.push_back(std::move(work));
  }
  ready_.notify_one();
  return true;
}

void ThreadPool::run() {
  // On Linux that of the calling thread alone.
  if (niceness_ > 0) (void)::setpriority(PRIO_PROCESS, 0, niceness_);
  for (;;) {
    std::function<void()> work;
    {
      std::unique_lock lock(mutex_);
      ready_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      work = std::move(queue_.front());
      queue_.pop_front();
    }
    work();
  }
}

}  // namespace portolan::loop
