#pragma once
// What rooms without sockets need of the world: somebody to do slow work, and a way to be woken.
#include <functional>

namespace portolan {

// Runs work off the event loops (file reads, database loads). Thread-safe; bounded: refuses when its queue is full.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual bool submit(std::function<void()> work) = 0;  // false: refused, nothing will run
};

// Wakes whoever waits, from any thread. wake() may be called any number of times and after the waiter is gone.
class Waker {
 public:
  virtual ~Waker() = default;
  virtual void wake() = 0;
};

}  // namespace portolan
