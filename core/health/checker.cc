#include "core/health/checker.hh"

#include <algorithm>

namespace portolan::health {

struct Target::Attempt {
  Attempt(Target& t, uint64_t n)
      : target(t), number(n), timeout(t.worker_, this, &loop::Calls<&Attempt::on_timeout>::call) {}
  void on_timeout() { target.on_timeout(number); }
  Target& target;
  uint64_t number;
  loop::Timer timeout;
  std::unique_ptr<ProbeRun> run;
};

Target::Target(loop::Worker& worker, CheckObserver& observer, const StartProbe& start, const SocketAddress& address,
               const CheckConfig& check)
    : worker_(worker),
      observer_(observer),
      start_(start),
      address_(address),
      check_(check),
      due_(worker, this, &loop::Calls<&Target::on_due>::call) {
  next_start_ms_ = worker_.now_ms();
  begin();
}

Target::~Target() = default;

void Target::begin() {
  if (attempts_.size() < static_cast<size_t>(std::max(1, check_.fall)))
    launch();
  else
    owed_ = true;
  auto jitter = worker_.rng().below(static_cast<uint64_t>(check_.interval_ms) / 10 + 1);
  next_start_ms_ += check_.interval_ms - static_cast<int64_t>(jitter);
  // The loop stood still for longer than an interval: begin anew rather than catch up.
  if (next_start_ms_ <= worker_.now_ms()) next_start_ms_ = worker_.now_ms() + check_.interval_ms;
  due_.set(next_start_ms_ - worker_.now_ms());
}

void Target::on_due() {
  begin();
}

void Target::launch() {
  auto attempt = std::make_unique<Attempt>(*this, ++launched_);
  uint64_t number = attempt->number;
  attempt->timeout.set(check_.timeout_ms);
  attempt->run = start_(worker_, address_, check_, [this, number](Verdict v) { on_verdict(number, std::move(v)); });
  attempts_.push_back(std::move(attempt));
}

void Target::on_timeout(uint64_t number) {
  on_verdict(number, {false, "timed out after " + std::to_string(check_.timeout_ms) + " ms"});
}

void Target::drop(uint64_t number) {
  std::erase_if(attempts_, [&](const auto& a) { return a->number == number; });
}

void Target::on_verdict(uint64_t number, Verdict verdict) {
  drop(number);
  if (owed_) {
    owed_ = false;
    launch();
  }
  // A later check has spoken already; what an earlier one saw is older news.
  if (number < newest_counted_) return;
  newest_counted_ = number;
  bool changed = count(verdict);
  observer_.on_check(*this, verdict.good, changed);
}

bool Target::count(const Verdict& verdict) {
  in_a_row_ = verdict.good == last_good_ ? in_a_row_ + 1 : 1;
  last_good_ = verdict.good;
  State before = state_;
  if (verdict.good && (state_ == State::unknown || (state_ == State::down && in_a_row_ >= check_.rise)))
    state_ = State::up;
  if (!verdict.good && (state_ == State::unknown || in_a_row_ >= check_.fall)) state_ = State::down;
  bool news = state_ != before || (state_ == State::down && !verdict.good && reason_ != verdict.reason);
  if (news) reason_ = verdict.reason;
  return news;
}

int64_t Target::steady_ms() const {
  if (state_ == State::unknown) return 0;
  const bool serving = state_ != State::down;
  const int needed = serving ? check_.fall : check_.rise;
  const int there = last_good_ == serving ? 0 : in_a_row_;  // of those it takes
  return std::max(0, needed - there - 1) * (check_.interval_ms - check_.interval_ms / 10);
}

Checker::Checker(loop::Worker& worker, CheckObserver& observer, StartProbe start)
    : worker_(worker), observer_(observer), start_(std::move(start)) {}

std::shared_ptr<Target> Checker::watch(const SocketAddress& address, const CheckConfig& check) {
  auto& here = targets_[address];
  std::erase_if(here, [](const auto& weak) { return weak.expired(); });
  for (const auto& weak : here)
    if (auto target = weak.lock(); target && target->check() == check) return target;
  auto target = std::make_shared<Target>(worker_, observer_, start_, address, check);
  here.push_back(target);
  return target;
}

size_t Checker::size() {
  size_t n = 0;
  for (auto it = targets_.begin(); it != targets_.end();) {
    std::erase_if(it->second, [](const auto& weak) { return weak.expired(); });
    n += it->second.size();
    it = it->second.empty() ? targets_.erase(it) : std::next(it);
  }
  return n;
}

}  // namespace portolan::health
