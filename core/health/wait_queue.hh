#pragma once
// Requests that wait until a server of their pool has room: of all workers, first come, first served. Whoever frees a
// place wakes the one that has waited longest, wherever it lives; nobody polls. A woken request tries for the place
// and, where somebody was quicker, keeps its turn.
//
// Any thread. Bounded by what enter() is told. Nothing is woken under the lock.
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "core/base/io.hh"

namespace portolan::health {

class WaitQueue {
 public:
  using Ticket = uint64_t;
  static constexpr Ticket none = 0;

  // Stands at the end from now on; none where `most` wait already. Whoever may_look() then looks for room once more: a
  // place freed before it stood here woke nobody. `choosy`: it can't use every server (it has tried some, or belongs to a shard), so that what
  // it waits for says nothing to others, who need not stand behind it.
  Ticket enter(std::shared_ptr<Waker> waker, size_t most, bool choosy = false);
  bool may_look(Ticket ticket);  // nobody before it sleeps who could use the same
  // Woken, and there was no room: asleep again in its old place, and to look once more as after enter(). `pass_on`:
  // another may be able to use what it couldn't.
  void again(Ticket ticket, bool pass_on);
  // Served, or it gave up. The next is woken: for the place it was woken for, or another that was freed meanwhile.
  void leave(Ticket ticket, bool served);

  void room();      // a place is free
  void wake_all();  // the pool has changed
  size_t size() const { return size_.load(); }
  bool empty() const { return size_.load() == 0; }
  bool must_wait() const { return unchoosy_.load(std::memory_order_relaxed) > 0; }  // who comes now: others came first

 private:
  struct Waiting {
    std::shared_ptr<Waker> waker;
    bool choosy = false;
    bool woken = false;
  };
  std::shared_ptr<Waker> wake_first_after(Ticket ticket);
  std::mutex mutex_;
  std::map<Ticket, Waiting> waiting_;  // in the order they came
  Ticket last_ = none;
  std::atomic<size_t> size_{0};
  std::atomic<size_t> unchoosy_{0};
};

}  // namespace portolan::health
