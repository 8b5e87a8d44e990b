#include <algorithm>

#include "core/loop/worker.hh"

namespace portolan::loop {

Wheel::Wheel(Worker& worker, int64_t now_ms) : worker_(worker), tick_(now_ms / tick_ms) {}

void Wheel::schedule(Timer& timer, int64_t deadline_ms) {
  timer.deadline_ms_ = deadline_ms;
  if (timer.slot_ms_ >= 0 && timer.slot_ms_ <= deadline_ms) return;  // the old slot will find it
  if (timer.slot_ms_ >= 0) unlink(timer);
  int64_t tick = (deadline_ms + tick_ms - 1) / tick_ms;
  tick = std::clamp<int64_t>(tick, tick_ + 1, tick_ + static_cast<int64_t>(slot_count) - 1);
  timer.slot_ms_ = tick * tick_ms;
  size_t slot = static_cast<size_t>(tick) % slot_count;
  timer.previous_ = nullptr;
  timer.next_ = slots_[slot];
  if (timer.next_) timer.next_->previous_ = &timer;
  slots_[slot] = &timer;
  mark(slot);
}

void Wheel::unlink(Timer& timer) {
  size_t slot = static_cast<size_t>(timer.slot_ms_ / tick_ms) % slot_count;
  if (timer.previous_) {
    timer.previous_->next_ = timer.next_;
  } else {
    slots_[slot] = timer.next_;
  }
  if (timer.next_) timer.next_->previous_ = timer.previous_;
  timer.previous_ = timer.next_ = nullptr;
  timer.slot_ms_ = -1;
}

void Wheel::look_at(size_t slot, int64_t now_ms) {
  used_[slot / 64] &= ~(1ull << (slot % 64));
  while (Timer* timer = slots_[slot]) {
    unlink(*timer);
    if (timer->deadline_ms_ < 0) continue;
    if (timer->deadline_ms_ > now_ms) {
      schedule(*timer, timer->deadline_ms_);
      continue;
    }
    timer->deadline_ms_ = -1;
    worker_.begin_callback();
    timer->callback_(timer->owner_);
    worker_.end_callback();
  }
}

void Wheel::advance(int64_t now_ms) {
  int64_t now_tick = now_ms / tick_ms;
  int64_t from = std::max(tick_ + 1, now_tick - static_cast<int64_t>(slot_count) + 1);
  for (int64_t tick = from; tick <= now_tick; ++tick) {
    tick_ = tick;
    size_t slot = static_cast<size_t>(tick) % slot_count;
    if (slots_[slot]) look_at(slot, now_ms);
  }
  tick_ = std::max(tick_, now_tick);
}

int64_t Wheel::next_due_ms() const {
  for (size_t ahead = 1; ahead < slot_count;) {
    size_t slot = static_cast<size_t>(tick_ + static_cast<int64_t>(ahead)) % slot_count;
    uint64_t word = used_[slot / 64] >> (slot % 64);
    if (word == 0) {
      ahead += 64 - slot % 64;
      continue;
    }
    ahead += static_cast<size_t>(__builtin_ctzll(word));
    return ahead < slot_count ? (tick_ + static_cast<int64_t>(ahead)) * tick_ms : INT64_MAX;
  }
  return INT64_MAX;
}

}  // namespace portolan::loop
