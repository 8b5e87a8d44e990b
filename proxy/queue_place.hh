#pragma once
// The place of one request in the queue of its pool (core/health/wait_queue). Lives on the request's worker; destroying
// it leaves the queue.
#include <memory>

#include "core/loop/event.hh"
#include "proxy/cluster.hh"
#include "proxy/waker.hh"

namespace portolan::proxy {

class Proxy;

class QueuePlace {
 public:
  // `waiter` runs when there may be room. nullptr: as many wait already as may. `choosy`: it can't use every server.
  static std::unique_ptr<QueuePlace> take(Proxy& proxy, const Cluster& cluster, loop::Runnable& waiter, bool choosy);
  ~QueuePlace();
  bool may_look() { return pool_->queue.may_look(ticket_); }
  void again(bool pass_on) { pool_->queue.again(ticket_, pass_on); }  // there was no room; look once more
  void served();
  void timed_out() { outcome_ = "timeout"; }

 private:
  QueuePlace(Proxy& proxy, const Cluster& cluster, loop::Runnable& waiter, bool choosy);
  Proxy& proxy_;
  std::string name_;
  std::shared_ptr<health::PoolState> pool_;
  std::shared_ptr<WorkerWaker> waker_;
  health::WaitQueue::Ticket ticket_ = health::WaitQueue::none;
  int64_t since_us_;
  const char* outcome_ = "left";
};

}  // namespace portolan::proxy
