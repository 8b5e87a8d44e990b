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
#include "edge/disk/disk.hh"

namespace portolan::daemon {

class DiskKeeper {
 public:
  DiskKeeper(loop::Worker& control, const Clock& clock);
  ~DiskKeeper();
  // Gives each cache the disk that `config` says, or takes it away.
  void apply(const Config& config, const Caches& caches);

 private:
  struct Kept {
    edge::DiskConfig config;
    std::shared_ptr<edge::disk::Disk> disk;
  };
  void keep_purges(const std::string& node, const edge::CacheConfig& config, const Caches& caches);
  void await_start();
  void on_time();
  loop::Worker& control_;
  const Clock& clock_;
  std::unique_ptr<loop::ThreadPool> threads_;  // null until a cache has a disk
  std::map<std::string, Kept> disks_;          // by cache
  std::map<std::string, std::string> told_;    // by cache: what was last said of its state
  bool applied_ = false;
  loop::Timer timer_;
};

}  // namespace portolan::daemon
