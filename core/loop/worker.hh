#pragma once
// One event loop and the thread that runs it. Owns the timers, the run queues and the mailbox of everything that lives
// on it. Only post(), stop() and name() may be called from other threads.
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/base/clock.hh"
#include "core/base/fd.hh"
#include "core/base/metrics.hh"
#include "core/loop/event.hh"

struct event_base;
struct event;

namespace portolan::loop {

// A hashed timer wheel: 1,024 slots of 8 ms.
class Wheel {
 public:
  static constexpr int64_t tick_ms = 8;
  static constexpr size_t slot_count = 1024;
  explicit Wheel(Worker& worker, int64_t now_ms);
  void schedule(Timer& timer, int64_t deadline_ms);
  void advance(int64_t now_ms);  // fires what is due
  int64_t next_due_ms() const;   // when advance() has something to look at; INT64_MAX: never
  void unlink(Timer& timer);

 private:
  void look_at(size_t slot, int64_t now_ms);
  void mark(size_t slot) { used_[slot / 64] |= 1ull << (slot % 64); }
  Worker& worker_;
  Timer* slots_[slot_count] = {};
  uint64_t used_[slot_count / 64] = {};
  int64_t tick_ = 0;  // the last tick advanced over
};

class Worker {
 public:
  Worker(int id, std::string name, const Clock& clock, uint64_t seed, metrics::Shard& metrics);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void start();  // runs the loop in a thread of its own until stop()
  void run();    // runs it in this thread
  void stop();   // any thread; the loop ends after the current turn
  void join();
  // One turn: waits for events at most `wait_ms` (0: not at all). For tests on a fake clock.
  void turn(int64_t wait_ms);

  static Worker* current();                 // the one whose loop runs in this thread, or nullptr
  void post(std::function<void()> work);    // any thread: runs on this worker's loop, in order
  void run_soon(Runnable& work);            // later in this turn, after the current callback
  void run_next_turn(Runnable& work);       // after the loop has looked at the other sockets
  void bury(std::unique_ptr<Mortal> dead);  // destroyed when the current callback has returned

  // Asymmetric cryptography takes as long as many small requests: true for a few connections a turn; the others come
  // again with run_next_turn().
  bool take_handshake() { return handshakes_left_ > 0 && handshakes_left_-- > 0; }

  int id() const { return id_; }
  const std::string& name() const { return name_; }
  // The clock is looked at when a turn begins and every few callbacks: what these say is that old at most.
  int64_t now_ms() const { return now_us_ / 1000; }  // monotonic
  int64_t now_us() const { return now_us_; }
  int64_t wall_ms() const { return now_us_ / 1000 + wall_offset_ms_; }
  int64_t precise_us() {  // looks at the clock
    now_us_ = clock_.now_us();
    return now_us_;
  }
  const Clock& clock() const { return clock_; }
  Rng& rng() { return rng_; }
  metrics::Shard& metrics() { return metrics_; }
  Wheel& wheel() { return wheel_; }
  event_base* base() { return base_; }
  int64_t last_turn_ms() const { return last_turn_ms_.load(std::memory_order_relaxed); }  // any thread: watchdog

 private:
  friend struct EventTrampoline;
  friend class Wheel;
  struct Queue {
    Queue() { anchor.previous_ = anchor.next_ = &anchor; }
    struct Anchor final : Runnable {
      void run() override {}
    } anchor;
    bool empty() const { return anchor.next_ == &anchor; }
  };
  void open_mailbox();
  void on_mail(Ready ready);
  static void push(Queue& queue, Runnable& work);
  static Runnable* take(Queue& queue);
  void begin_callback();  // refreshes the time
  void read_clock();
  void end_callback();  // run queue, graves
  void fire_timers();
  void wait_for_events(int64_t wait_ms);

  int id_;
  std::string name_;
  const Clock& clock_;
  Rng rng_;
  metrics::Shard& metrics_;
  event_base* base_ = nullptr;
  event* wheel_event_ = nullptr;
  int64_t now_us_;
  int64_t wall_offset_ms_;    // from monotonic to wall time, looked at once a turn
  int handshakes_left_ = 0;   // in this turn
  int callbacks_ = 0;         // since the clock was looked at; -1: a new turn
  int64_t wakes_at_ms_ = -1;  // what wheel_event_ is set to; -1: not set
  Wheel wheel_;
  Queue soon_;
  Queue next_turn_;
  std::vector<std::unique_ptr<Mortal>> graves_;
  int depth_ = 0;
  std::mutex mail_mutex_;
  std::vector<std::function<void()>> mail_;
  UniqueFd mail_fd_;
  std::unique_ptr<SocketEvent> mail_event_;
  std::atomic<bool> stopping_{false};
  std::atomic<int64_t> last_turn_ms_{0};
  std::thread thread_;
};

}  // namespace portolan::loop
