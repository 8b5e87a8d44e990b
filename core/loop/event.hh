#pragma once
// The events of a worker's loop. Everything here belongs to one worker and is used from its thread only; every wait is
// an object whose destructor cancels it.
#include <cstddef>
#include <cstdint>
#include <memory>

namespace portolan::loop {

class Worker;

// What a socket became. `closed` means the peer ended its side (EPOLLRDHUP): bytes may still be there to read.
struct Ready {
  bool readable = false;
  bool writable = false;
  bool closed = false;
};

// A descriptor registered once, edge-triggered for reading and writing (or level-triggered for reading only, for
// listening sockets). The callback may destroy the event. Does not own the descriptor: destroy this before closing it.
class SocketEvent {
 public:
  enum class Mode : uint8_t { edge_read_write, level_read };
  using Callback = void (*)(void* owner, Ready ready);
  SocketEvent(Worker& worker, int fd, Mode mode, void* owner, Callback callback);
  ~SocketEvent();
  SocketEvent(const SocketEvent&) = delete;
  SocketEvent& operator=(const SocketEvent&) = delete;
  void pause();  // level_read: no callbacks until resume()
  void resume();

 private:
  friend struct EventTrampoline;
  alignas(8) unsigned char event_[128];  // struct event, kept out of other rooms' sight
  Worker& worker_;
  void* owner_;
  Callback callback_;
};

// A one-shot timer on the worker's wheel (8 ms ticks). Moving an armed timer later costs nothing: the old slot finds the
// new deadline. The callback may destroy the timer.
class Timer {
 public:
  using Callback = void (*)(void* owner);
  Timer(Worker& worker, void* owner, Callback callback) : worker_(worker), owner_(owner), callback_(callback) {}
  ~Timer() { unlink(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  void set(int64_t delay_ms);  // fires once, delay_ms from Worker::now_ms() (not before; up to a tick later)
  void cancel() { deadline_ms_ = -1; }
  bool armed() const { return deadline_ms_ >= 0; }

 private:
  friend class Wheel;
  void unlink();
  Worker& worker_;
  void* owner_;
  Callback callback_;
  int64_t deadline_ms_ = -1;
  int64_t slot_ms_ = -1;  // when the wheel will look at it; -1: not on the wheel
  Timer* previous_ = nullptr;
  Timer* next_ = nullptr;
};

// `Timer timer_ = timer_of<&Probe::on_timeout>(worker, this)` in spirit: the callback for a member function.
template <auto Method>
struct Calls;
template <class T, void (T::*Method)()>
struct Calls<Method> {
  static void call(void* owner) { (static_cast<T*>(owner)->*Method)(); }
};
template <class T, void (T::*Method)(Ready)>
struct Calls<Method> {
  static void call(void* owner, Ready ready) { (static_cast<T*>(owner)->*Method)(ready); }
};

// Work to do soon in this worker, once however often it is asked for. Destroying it takes it off the queue.
class Runnable {
 public:
  Runnable() = default;
  virtual ~Runnable() { unlink(); }
  Runnable(const Runnable&) = delete;
  Runnable& operator=(const Runnable&) = delete;
  virtual void run() = 0;

 private:
  friend class Worker;
  void unlink();
  Runnable* previous_ = nullptr;  // both set while queued
  Runnable* next_ = nullptr;
};

// What may be handed to Worker::bury.
class Mortal {
 public:
  virtual ~Mortal() = default;
};

}  // namespace portolan::loop
