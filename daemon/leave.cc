#include "daemon/leave.hh"

#include <algorithm>

#include "core/base/log.hh"

namespace portolan::daemon {

namespace {

constexpr int64_t arriving_ms = 100;
constexpr int64_t ending_ms = 400;
constexpr int64_t look_ms = 10;
constexpr int64_t longest_hold_ms = 10'000;

}  // namespace

Leave::Leave(loop::Worker& control, Hooks hooks)
    : worker_(control), hooks_(std::move(hooks)), timer_(control, this, &loop::Calls<&Leave::on_timer>::call) {}

void Leave::begin() {
  if (std::exchange(leaving_, true)) return;
  hooks_.leaving(true);
}

void Leave::end() {
  if (!std::exchange(leaving_, false)) return;
  release();
  answer();
  hooks_.leaving(false);
}

void Leave::hold(int64_t ms, std::function<void()> done) {
  if (!leaving_) return done();
  hold_until_ms_ = worker_.now_ms() + std::clamp<int64_t>(ms, arriving_ms + ending_ms, longest_hold_ms);
  if (step_ == Step::quiet) {
    timer_.set(hold_until_ms_ - worker_.now_ms());
    return done();
  }
  waiting_.push_back(std::move(done));
  if (step_ != Step::open) return;
  step_ = Step::arriving;
  hooks_.hold(true);
  timer_.set(arriving_ms);
}

void Leave::on_timer() {
  int64_t now = worker_.now_ms();
  switch (step_) {
    case Step::open:
      return;
    case Step::arriving:
      step_ = Step::ending;
      give_up_ms_ = now + ending_ms;
      hooks_.end_connections();
      return timer_.set(look_ms);
    case Step::ending:
      if (hooks_.connections() > 0 && now < give_up_ms_) return timer_.set(look_ms);
      step_ = Step::quiet;
      log::info("new connections wait for the next node",
                {{"connections_left", hooks_.connections()}, {"at_most_ms", hold_until_ms_ - now}});
      answer();
      return timer_.set(std::max<int64_t>(look_ms, hold_until_ms_ - now));
    case Step::quiet:
      return release();
  }
}

void Leave::answer() {
  for (auto& done : std::exchange(waiting_, {})) done();
}

void Leave::release() {
  timer_.cancel();
  if (std::exchange(step_, Step::open) != Step::open) hooks_.hold(false);
}

}  // namespace portolan::daemon
