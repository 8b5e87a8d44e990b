#include "core/loop/event.hh"

#include <event2/event.h>
#include <event2/event_struct.h>

#include <cstdlib>

#include "core/loop/worker.hh"

namespace portolan::loop {

// What libevent calls: the only place from which owners are called, and so the only one that ends a callback.
struct EventTrampoline {
  static void call(evutil_socket_t, short what, void* argument) {
    auto* socket = static_cast<SocketEvent*>(argument);
    Worker& worker = socket->worker_;
    worker.begin_callback();
    socket->callback_(socket->owner_, Ready{(what & EV_READ) != 0, (what & EV_WRITE) != 0, (what & EV_CLOSED) != 0});
    worker.end_callback();
  }
};

SocketEvent::SocketEvent(Worker& worker, int fd, Mode mode, void* owner, Callback callback)
    : worker_(worker), owner_(owner), callback_(callback) {
  static_assert(sizeof(struct ::event) <= sizeof event_);
  short what = mode == Mode::level_read ? EV_READ | EV_PERSIST : EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST;
  auto* e = reinterpret_cast<struct ::event*>(event_);
  if (event_assign(e, worker.base(), fd, what, &EventTrampoline::call, this) != 0 || event_add(e, nullptr) != 0)
    std::abort();
}

SocketEvent::~SocketEvent() {
  event_del(reinterpret_cast<struct ::event*>(event_));
}

void SocketEvent::pause() {
  event_del(reinterpret_cast<struct ::event*>(event_));
}

void SocketEvent::resume() {
  event_add(reinterpret_cast<struct ::event*>(event_), nullptr);
}

void Timer::set(int64_t delay_ms) {
  int64_t deadline = worker_.now_ms() + (delay_ms > 0 ? delay_ms : 0);
  worker_.wheel().schedule(*this, deadline);
}

void Timer::unlink() {
  if (slot_ms_ >= 0) worker_.wheel().unlink(*this);
  deadline_ms_ = -1;
}

void Runnable::unlink() {
  if (!next_) return;
  previous_->next_ = next_;
  next_->previous_ = previous_;
  previous_ = next_ = nullptr;
}

}  // namespace portolan::loop
