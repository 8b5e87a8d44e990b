#pragma once
// The disk tiers of the caches: opened, told the time, and kept over reloads as long as their path and size stay. The
// control worker's.
#include <map>
#include <memory>
#include <string>

#include "core/base/clock.hh"
#include "core/loop/thread_pool.hh"
#include "core/loop/worker.hh"
#include "daemon/assembly.hh"
#include "daemon/cache_report.hh"
#include "daemon/verification.hh"
#include "edge/disk/disk.hh"

namespace portolan::daemon {

class DiskKeeper {
 public:
  DiskKeeper(loop::Worker& control, const Clock& clock);
  ~DiskKeeper();
  // Gives each cache the disk that `config` says, or takes it away.
  void apply(const Config& config, const Caches& caches);
  // Begins to check what the cache's disk holds, or with an empty name all disks. Errors: 404, there is none; 409, one is being
  // made; 503.
  Status begin_check(const std::string& cache);
  VerifyState check() const;  // of the last one
  CacheSegments segments() const;

 private:
  struct Kept {
    edge::DiskConfig config;
    std::shared_ptr<edge::disk::Disk> disk;
  };
  void keep_purges(const std::string& node, const edge::CacheConfig& config, const Caches& caches);
  void await_start();
  void on_time();
  void tell_check();
  void stop_check_of(const edge::disk::Disk& disk);
  loop::Worker& control_;
  const Clock& clock_;
  // Of each directory its own, so that none waits for another one's disk; a log of purges waits for nothing but itself.
  struct Threads {
    Threads();
    loop::ThreadPool disk, log;
  };
  Threads& threads_of(const std::string& path);
  std::map<std::string, std::unique_ptr<Threads>> threads_;  // by directory; they stay: a cache may still have one
  std::unique_ptr<loop::ThreadPool> checks_;                 // null until something is checked
  std::map<std::string, Kept> disks_;                        // by cache
  std::map<std::string, std::string> told_;                  // by cache: what was last said of its state
  std::shared_ptr<Verification> verification_;
  uint64_t verifications_ = 0, told_check_ = 0;  // the number of the last
  bool applied_ = false;
  loop::Timer timer_;
};

}  // namespace portolan::daemon
