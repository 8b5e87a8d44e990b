#include "edge/evict/residents.hh"

#include <algorithm>

namespace portolan::edge {

using State = Resident::State;

Residents::Residents(const EvictionPart& part, uint64_t budget_bytes) : part_(&part), policy_(part.make(budget_bytes)) {
  reorders_.store(policy_->reorders(), std::memory_order_relaxed);
}

void Residents::admit(Resident& r) {
  std::lock_guard lock(mutex_);
  r.state = State::resident;
  policy_->admit(r);
}

void Residents::forget(Resident& r) {
  std::lock_guard lock(mutex_);
  if (r.state == State::resident) policy_->forget(r);
  if (r.state == State::chosen) unchoose(r, 0);
  r.state = State::outside;
}

// Never waited for: a use that isn't counted in costs less than a worker that stands still.
void Residents::reorder(Resident& r) {
  std::unique_lock lock(mutex_, std::try_to_lock);
  if (lock && r.state == State::resident) policy_->touch(r);
}

Residents::Choice Residents::choose() {
  std::lock_guard lock(mutex_);
  Resident* r = policy_->take();
  if (!r) return {};
  r->state = State::chosen;
  chosen_.push_back({r, r->shard, ++choices_});
  return chosen_.back();
}

// The address alone says little: what stood there may be gone, and another in its place chosen by somebody else.
bool Residents::claim(const Choice& choice) {
  std::lock_guard lock(mutex_);
  if (!unchoose(*choice.resident, choice.number)) return false;
  choice.resident->state = State::outside;
  return true;
}

bool Residents::unchoose(const Resident& r, uint64_t number) {
  auto at = std::find_if(chosen_.begin(), chosen_.end(),
                         [&](const Choice& c) { return c.resident == &r && (number == 0 || c.number == number); });
  if (at == chosen_.end()) return false;
  *at = chosen_.back();
  chosen_.pop_back();
  return true;
}

void Residents::change(const EvictionPart& part, uint64_t budget_bytes) {
  std::unique_ptr<Eviction> next = part.make(budget_bytes);
  std::lock_guard lock(mutex_);
  if (part_ == &part) return policy_->resize(budget_bytes);
  part_ = &part;
  while (Resident* r = policy_->take()) next->admit(*r);
  policy_ = std::move(next);
  reorders_.store(policy_->reorders(), std::memory_order_relaxed);
}

uint64_t Residents::own_bytes() const {
  std::lock_guard lock(mutex_);
  return policy_->own_bytes();
}

}  // namespace portolan::edge
