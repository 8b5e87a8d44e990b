#include "core/health/wait_queue.hh"

#include <utility>
#include <vector>

namespace portolan::health {

// Who enters is counted before it looks for room; who frees a place does so before it asks whether anybody is counted:
// one of the two sees the other (all sequentially consistent).
WaitQueue::Ticket WaitQueue::enter(std::shared_ptr<Waker> waker, size_t most, bool choosy) {
  std::lock_guard lock(mutex_);
  if (waiting_.size() >= most) return none;
  waiting_.emplace_hint(waiting_.end(), ++last_, Waiting{std::move(waker), choosy, false});
  size_.fetch_add(1);
  if (!choosy) unchoosy_.fetch_add(1);
  return last_;
}

bool WaitQueue::may_look(Ticket ticket) {
  std::lock_guard lock(mutex_);
  auto self = waiting_.find(ticket);
  if (self == waiting_.end() || self->second.choosy) return true;
  for (auto it = waiting_.begin(); it != self; ++it)
    if (!it->second.woken && !it->second.choosy) return false;
  return true;
}

void WaitQueue::again(Ticket ticket, bool pass_on) {
  std::shared_ptr<Waker> next;
  {
    std::lock_guard lock(mutex_);
    if (pass_on) next = wake_first_after(ticket);
    waiting_[ticket].woken = false;
  }
  if (next) next->wake();
}

void WaitQueue::leave(Ticket ticket, bool served) {
  std::shared_ptr<Waker> next;
  {
    std::lock_guard lock(mutex_);
    auto found = waiting_.find(ticket);
    if (found == waiting_.end()) return;
    // Who is served passes the word on as well: several places may have been freed, for which one was woken.
    bool woken = found->second.woken || served;
    if (!found->second.choosy) unchoosy_.fetch_sub(1);
    waiting_.erase(found);
    size_.fetch_sub(1);
    if (woken) next = wake_first_after(none);
  }
  if (next) next->wake();
}

void WaitQueue::room() {
  std::shared_ptr<Waker> next;
  {
    std::lock_guard lock(mutex_);
    next = wake_first_after(none);
  }
  if (next) next->wake();
}

void WaitQueue::wake_all() {
  std::vector<std::shared_ptr<Waker>> all;
  {
    std::lock_guard lock(mutex_);
    for (auto& [ticket, waiting] : waiting_)
      if (!std::exchange(waiting.woken, true)) all.push_back(waiting.waker);
  }
  for (auto& waker : all) waker->wake();
}

std::shared_ptr<Waker> WaitQueue::wake_first_after(Ticket ticket) {
  for (auto it = waiting_.upper_bound(ticket); it != waiting_.end(); ++it) {
    if (it->second.woken) continue;
    it->second.woken = true;
    return it->second.waker;
  }
  return nullptr;
}

}  // namespace portolan::health
