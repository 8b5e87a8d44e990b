#pragma once
// The disk tiers of the caches: opened, told the time, and kept over reloads as long as their path and size stay. The
// control worker's. What may take as long as a disk likes, stopping one and reading a log of purges, is done by a thread
// each after the start, so that no reload, and nothing else of the control worker's, waits for it.
#include <future>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

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
  // Gives each cache the disk that `config` says, or takes it away: the first time at once, later as soon as its log of
  // purges is read and who had the directory before has let go of it.
  void apply(const Config& config, const Caches& caches);
  // Begins to check what the cache's disk holds, or with an empty name all disks. Errors: 404, there is none; 409, one is being
  // made; 503.
  Status begin_check(const std::string& cache);
  VerifyState check() const;  // of the last one
  CacheSegments segments() const;
  // Whose threads may wait for the cache's disk; null: it has none. Outlives the disk.
  Executor* executor_of(const std::string& cache);

 private:
  // Of each directory its own, so that none waits for another one's disk; a log of purges waits for nothing but itself.
  struct Threads {
    Threads();
    loop::ThreadPool disk, log;
  };
  struct Kept {
    edge::DiskConfig config;
    std::shared_ptr<edge::disk::Disk> disk;
    bool attached = false;
  };
  // One disk leaves, or another one comes, or both in this order. The thread's, but for what is looked at once it is done.
  struct Change {
    std::string name;  // of the cache
    std::shared_ptr<edge::Cache> cache;
    std::shared_ptr<edge::disk::Disk> leaves, comes;
    edge::DiskConfig config;                      // of what comes
    std::vector<std::shared_future<void>> after;  // of the same cache or directory
    std::promise<void> end;
    std::string note;
    std::thread thread;
  };
  void change(const std::string& node, const Kept* leaves, const Kept* comes, const std::string& name,
              const Caches& caches);
  static void carry_out(Change& change, const std::string& node, Threads* threads, int64_t wall_ms);
  void look_at_changes();
  void await_start();
  void on_time();
  void tell_check();
  void stop_check_of(const edge::disk::Disk& disk);
  Threads& threads_of(const std::string& path);
  loop::Worker& control_;
  const Clock& clock_;
  std::map<std::string, std::unique_ptr<Threads>> threads_;  // by directory; they stay: a cache may still have one
  std::unique_ptr<loop::ThreadPool> checks_;                 // null until something is checked
  std::map<std::string, Kept> disks_;                        // by cache
  std::map<std::string, std::string> told_set_aside_;        // by cache: what was said of a store that couldn't be used
  std::map<std::string, std::string> told_;                  // by cache: what was last said of its state
  std::shared_ptr<Verification> verification_;
  uint64_t verifications_ = 0, told_check_ = 0;  // the number of the last
  bool applied_ = false;
  std::vector<std::unique_ptr<Change>> changes_;
  std::map<std::string, std::shared_future<void>> last_;  // by cache and by directory: the end of its last change
  loop::Timer timer_, change_timer_;
};

}  // namespace portolan::daemon
