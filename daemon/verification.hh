#pragma once
// A check of disk tiers in the running daemon, one store after the other in one job.
// Threads: begin(), uses(), stop(), wait(), release() the control worker's; state(), ended() any.
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/base/io.hh"
#include "daemon/cache_verify.hh"
#include "edge/disk/disk.hh"

namespace portolan::daemon {

class Verification : public std::enable_shared_from_this<Verification> {
 public:
  using Disks = std::vector<std::pair<std::string, std::shared_ptr<edge::disk::Disk>>>;  // by cache
  Verification(uint64_t number, Disks disks);
  // False: the executor has too much to do. Which outlives the job: wait() for it.
  bool begin(Executor& executor);
  bool uses(const edge::disk::Disk& disk) const;
  void stop();     // soon
  void wait();     // until the job is over
  void release();  // the disks, once it ended()
  VerifyState state() const;
  bool ended() const { return ended_.load(std::memory_order_acquire); }

 private:
  void run();
  void check(size_t number);
  Disks disks_;
  std::atomic<bool> stopped_{false}, ended_{false};
  mutable std::mutex mutex_;  // of what follows
  std::condition_variable over_;
  VerifyState state_;
};

}  // namespace portolan::daemon
