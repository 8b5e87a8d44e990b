#include "daemon/verification.hh"

#include <algorithm>

namespace portolan::daemon {

using edge::disk::VerifyReport;

Verification::Verification(uint64_t number, Disks disks) : disks_(std::move(disks)) {
  state_.number = number;
  state_.running = true;
  for (const auto& [name, disk] : disks_) {
    StoreCheck& store = state_.stores.emplace_back();
    store.name = name;
    store.total = disk->stats().bytes;
  }
}

bool Verification::begin(Executor& executor) {
  return executor.submit([self = shared_from_this()] { self->run(); });
}

bool Verification::uses(const edge::disk::Disk& disk) const {
  return std::any_of(disks_.begin(), disks_.end(), [&](const auto& d) { return d.second.get() == &disk; });
}

void Verification::stop() {
  stopped_ = true;
}

void Verification::wait() {
  std::unique_lock lock(mutex_);
  over_.wait(lock, [this] { return ended(); });
}

// By the control worker, so that the last of a disk doesn't go on a thread that it waits for.
void Verification::release() {
  disks_.clear();
}

VerifyState Verification::state() const {
  std::lock_guard lock(mutex_);
  return state_;
}

void Verification::run() {
  for (size_t i = 0; i < disks_.size(); ++i) check(i);
  std::lock_guard lock(mutex_);
  state_.running = false;
  ended_.store(true, std::memory_order_release);
  over_.notify_all();
}

void Verification::check(size_t number) {
  edge::disk::Disk& disk = *disks_[number].second;
  std::optional<VerifyReport> report;
  if (!stopped_) {
    report = disk.verify([&](uint64_t done, uint64_t total) {
      std::lock_guard lock(mutex_);
      state_.stores[number].done = done;
      state_.stores[number].total = total;
      return !stopped_;
    });
  }
  std::string reason = disk.stats().reason;
  std::lock_guard lock(mutex_);
  StoreCheck& store = state_.stores[number];
  if (report) store.report = std::make_shared<const VerifyReport>(std::move(*report));
  if (stopped_) {
    store.failure = "the daemon ended, or a reload took the disk away";
  } else if (!report) {
    store.failure = reason.empty() ? "the disk tier doesn't serve" : reason;
  }
}

}  // namespace portolan::daemon
