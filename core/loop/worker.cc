#include "core/loop/worker.hh"

#include <event2/event.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cstdlib>

namespace portolan::loop {
namespace {

thread_local Worker* running = nullptr;

constexpr int callbacks_a_look = 8;  // at the clock
constexpr int handshakes_a_turn = 4;

}  // namespace

Worker* Worker::current() {
  return running;
}

Worker::Worker(int id, std::string name, const Clock& clock, uint64_t seed, metrics::Shard& metrics)
    : id_(id),
      name_(std::move(name)),
      clock_(clock),
      rng_(seed),
      metrics_(metrics),
      now_us_(clock.now_us()),
      wall_offset_ms_(clock.wall_ms() - now_us_ / 1000),
      wheel_(*this, now_ms()) {
  event_config* config = event_config_new();
  if (!config) std::abort();
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
  event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
  event_config_require_features(config, EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE);
  base_ = event_base_new_with_config(config);
  event_config_free(config);
  if (!base_) std::abort();
  wheel_event_ = event_new(
      base_, -1, 0, [](evutil_socket_t, short, void* self) { static_cast<Worker*>(self)->wakes_at_ms_ = -1; }, this);
  mail_fd_.reset(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!mail_fd_ || !wheel_event_) std::abort();
  mail_event_ = std::make_unique<SocketEvent>(*this, mail_fd_.get(), SocketEvent::Mode::level_read, this,
                                              &Calls<&Worker::on_mail>::call);
}

Worker::~Worker() {
  stop();
  join();
  if (running == this) running = nullptr;
  graves_.clear();
  mail_event_.reset();
  event_free(wheel_event_);
  event_base_free(base_);
}

void Worker::start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
    run();
  });
}

void Worker::run() {
  while (!stopping_.load(std::memory_order_relaxed)) turn(INT64_MAX);
}

void Worker::stop() {
  stopping_.store(true, std::memory_order_relaxed);
  uint64_t one = 1;
  [[maybe_unused]] ssize_t ignored = ::write(mail_fd_.get(), &one, sizeof one);
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::turn(int64_t wait_ms) {
  running = this;
  callbacks_ = -1;
  handshakes_left_ = handshakes_a_turn;
  last_turn_ms_.store(now_ms(), std::memory_order_relaxed);
  while (!next_turn_.empty()) push(soon_, *take(next_turn_));
  wait_for_events(soon_.empty() ? wait_ms : 0);
  begin_callback();
  end_callback();
  fire_timers();
}

void Worker::wait_for_events(int64_t wait_ms) {
  if (wait_ms <= 0) {
    event_base_loop(base_, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    return;
  }
  int64_t due = wheel_.next_due_ms();
  if (wait_ms < INT64_MAX) due = std::min(due, now_ms() + wait_ms);
  // The event is moved only when that changes anything: it costs more than a small request.
  if (due != wakes_at_ms_) {
    int64_t until = due == INT64_MAX ? INT64_MAX : std::max<int64_t>(0, due - now_ms());
    if (until < 3'600'000) {
      timeval t{until / 1000, static_cast<suseconds_t>(until % 1000 * 1000)};
      event_add(wheel_event_, &t);
      wakes_at_ms_ = due;
    } else {
      event_del(wheel_event_);
      wakes_at_ms_ = -1;
    }
  }
  event_base_loop(base_, EVLOOP_ONCE);
}

void Worker::fire_timers() {
  read_clock();
  wheel_.advance(now_ms());
}

void Worker::read_clock() {
  now_us_ = clock_.now_us();
  if (callbacks_ < 0) wall_offset_ms_ = clock_.wall_ms() - now_us_ / 1000;
  callbacks_ = 0;
}

void Worker::begin_callback() {
  if (depth_++ > 0) return;
  if (callbacks_ < 0 || ++callbacks_ == callbacks_a_look) read_clock();
}

void Worker::end_callback() {
  if (depth_ == 1) {
    while (Runnable* work = take(soon_)) work->run();
    while (!graves_.empty()) {
      auto dead = std::move(graves_);
      graves_.clear();
      dead.clear();
      while (Runnable* work = take(soon_)) work->run();
    }
  }
  --depth_;
}

void Worker::post(std::function<void()> work) {
  bool first;
  {
    std::lock_guard lock(mail_mutex_);
    first = mail_.empty();
    mail_.push_back(std::move(work));
  }
  if (!first) return;
  uint64_t one = 1;
  [[maybe_unused]] ssize_t ignored = ::write(mail_fd_.get(), &one, sizeof one);
}

void Worker::on_mail(Ready) {
  uint64_t count;
  [[maybe_unused]] ssize_t ignored = ::read(mail_fd_.get(), &count, sizeof count);
  std::vector<std::function<void()>> mail;
  {
    std::lock_guard lock(mail_mutex_);
    mail.swap(mail_);
  }
  for (auto& work : mail) work();
}

void Worker::run_soon(Runnable& work) {
  if (!work.next_) push(soon_, work);
}

void Worker::run_next_turn(Runnable& work) {
  if (!work.next_) push(next_turn_, work);
}

void Worker::bury(std::unique_ptr<Mortal> dead) {
  graves_.push_back(std::move(dead));
}

void Worker::push(Queue& queue, Runnable& work) {
  Runnable* last = queue.anchor.previous_;
  work.previous_ = last;
  work.next_ = &queue.anchor;
  last->next_ = &work;
  queue.anchor.previous_ = &work;
}

Runnable* Worker::take(Queue& queue) {
  if (queue.empty()) return nullptr;
  Runnable* work = queue.anchor.next_;
  work->unlink();
  return work;
}

}  // namespace portolan::loop
