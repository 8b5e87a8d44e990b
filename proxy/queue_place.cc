#include "proxy/queue_place.hh"

#include <cstring>

#include "proxy/proxy.hh"

namespace portolan::proxy {
namespace {

using metrics::Family;
using metrics::Type;

const Family queued_total{"portolan_queued_requests_total",
                          "Requests that found every server full: served in their turn, out of time (503), refused "
                          "because too many waited (503), or given up by the client.",
                          Type::counter,
                          {"pool", "outcome"}};
const Family queue_wait{"portolan_queue_wait_seconds",
                        "How long requests that were served waited for a server with room.",
                        Type::histogram,
                        {"pool"}};

}  // namespace

QueuePlace::QueuePlace(Proxy& proxy, const Cluster& cluster, loop::Runnable& waiter, bool choosy)
    : proxy_(proxy),
      name_(cluster.pool().name),
      pool_(cluster.pool().state),
      waker_(std::make_shared<WorkerWaker>(proxy.worker(), waiter)),
      since_us_(proxy.worker().now_us()) {
  ticket_ = pool_->queue.enter(waker_, static_cast<size_t>(cluster.config().queue.size), choosy);
  if (ticket_ == health::WaitQueue::none) outcome_ = "full";
}

std::unique_ptr<QueuePlace> QueuePlace::take(Proxy& proxy, const Cluster& cluster, loop::Runnable& waiter,
                                             bool choosy) {
  std::unique_ptr<QueuePlace> place(new QueuePlace(proxy, cluster, waiter, choosy));
  return place->ticket_ == health::WaitQueue::none ? nullptr : std::move(place);
}

void QueuePlace::served() {
  outcome_ = "served";
  int64_t waited_us = std::max<int64_t>(0, proxy_.worker().precise_us() - since_us_);
  proxy_.worker().metrics().histogram(queue_wait, {name_}).observe_us(static_cast<uint64_t>(waited_us));
}

QueuePlace::~QueuePlace() {
  waker_->forget();
  if (ticket_ != health::WaitQueue::none) pool_->queue.leave(ticket_, std::strcmp(outcome_, "served") == 0);
  proxy_.worker().metrics().counter(queued_total, {name_, outcome_}).add();
}

}  // namespace portolan::proxy
