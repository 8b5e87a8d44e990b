#include "daemon/disk_keeper.hh"

#include <algorithm>
#include <chrono>
#include <thread>

#include "core/base/log.hh"

namespace portolan::daemon {
namespace {

constexpr size_t disk_threads = 4;  // a directory
constexpr size_t most_waiting = 4096;
constexpr int64_t tick_ms = 1000;
constexpr int64_t change_look_ms = 16;
constexpr int64_t longest_wait_ms = 500;

using State = edge::disk::Stats::State;

}  // namespace

DiskKeeper::DiskKeeper(loop::Worker& control, const Clock& clock)
    : control_(control),
      clock_(clock),
      timer_(control, this, &loop::Calls<&DiskKeeper::on_time>::call),
      change_timer_(control, this, &loop::Calls<&DiskKeeper::look_at_changes>::call) {}

DiskKeeper::~DiskKeeper() {
  for (const auto& change : changes_)
    if (change->thread.joinable()) change->thread.join();
  if (!verification_) return;
  verification_->stop();
  verification_->wait();
  verification_->release();
}

void DiskKeeper::apply(const Config& config, const Caches& caches) {
  std::map<std::string, Kept> kept;
  for (const edge::CacheConfig& cache : config.caches) {
    if (!cache.disk) continue;
    auto old = disks_.find(cache.name);
    if (old != disks_.end() && old->second.config == *cache.disk) {
      kept.insert(disks_.extract(old));
      continue;
    }
    Kept& next = kept[cache.name];
    next.config = *cache.disk;
    next.disk = std::make_shared<edge::disk::Disk>(edge::disk::Config{cache.disk->path, cache.disk->bytes},
                                                   real_files(), threads_of(cache.disk->path).disk, clock_);
    const Kept* before = old == disks_.end() ? nullptr : &old->second;
    // Of the same store it is told at once what is outdated, though it opens only when the other one has let go.
    next.attached = before && before->attached && before->config.path == next.config.path;
    change(config.server.name, before, &next, cache.name, caches);
    if (before) disks_.erase(old);
  }
  for (const auto& [name, left] : disks_) change(config.server.name, &left, nullptr, name, caches);
  disks_ = std::move(kept);
  look_at_changes();
  for (const auto& [name, cache] : caches) {
    auto disk = disks_.find(name);
    if (disk != disks_.end() && disk->second.attached)
      cache->use_disk(disk->second.disk, &threads_of(disk->second.config.path).disk);
    else
      cache->use_disk(nullptr, nullptr);
  }
  if (!std::exchange(applied_, true)) await_start();
  if (!disks_.empty()) timer_.set(tick_ms);
}

// ── what takes its time ──

void DiskKeeper::change(const std::string& node, const Kept* leaves, const Kept* comes, const std::string& name,
                        const Caches& caches) {
  auto next = std::make_unique<Change>();
  Change& it = *next;
  it.name = name;
  if (auto cache = caches.find(name); cache != caches.end()) it.cache = cache->second;
  std::shared_future<void> end = it.end.get_future().share();
  auto follow = [&](const std::string& what) {
    auto& last = last_[what];
    if (last.valid()) it.after.push_back(last);
    last = end;
  };
  follow("cache " + name);
  if (leaves) {
    stop_check_of(*leaves->disk);
    it.leaves = leaves->disk;
    follow("directory " + leaves->config.path);
  }
  Threads* threads = nullptr;
  if (comes) {
    told_.erase(name);
    it.comes = comes->disk;
    it.config = comes->config;
    threads = &threads_of(comes->config.path);
    if (!leaves || leaves->config.path != comes->config.path) follow("directory " + comes->config.path);
  }
  const int64_t wall_ms = clock_.wall_ms();
  changes_.push_back(std::move(next));
  if (!applied_) return carry_out(it, node, threads, wall_ms);
  it.thread = std::thread([&it, node, threads, wall_ms] { carry_out(it, node, threads, wall_ms); });
}

// What was purged counts before anything of an earlier process is served.
void DiskKeeper::carry_out(Change& change, const std::string& node, Threads* threads, int64_t wall_ms) {
  for (const auto& other : change.after) other.wait();
  if (change.leaves) change.leaves->stop();
  if (change.comes) {
    if (change.cache)
      change.note = change.cache->keep_purges(change.config.path, node, real_files(), threads->log, wall_ms);
    change.comes->start();
  }
  change.end.set_value();
}

void DiskKeeper::look_at_changes() {
  std::erase_if(changes_, [this](const std::unique_ptr<Change>& change) {
    if (last_["cache " + change->name].wait_for(std::chrono::seconds(0)) != std::future_status::ready) return false;
    if (change->thread.joinable()) change->thread.join();
    if (!change->note.empty())
      log::warning("about the purges that a cache remembers",
                   {{"cache", change->name}, {"path", change->config.path}, {"reason", change->note}});
    auto now = disks_.find(change->name);
    bool wanted = change->comes && now != disks_.end() && now->second.disk == change->comes;
    if (wanted && change->cache && !std::exchange(now->second.attached, true))
      change->cache->use_disk(change->comes, &threads_of(change->config.path).disk);
    return true;
  });
  if (!changes_.empty()) change_timer_.set(change_look_ms);
}

// Before the first request: a store of usual size has its index in some ten milliseconds, and what is asked for before that
// would be fetched for nothing.
void DiskKeeper::await_start() {
  auto starting = [this] {
    return std::any_of(disks_.begin(), disks_.end(),
                       [](const auto& d) { return d.second.disk->stats().state == State::starting; });
  };
  for (int64_t until_ms = clock_.now_ms() + longest_wait_ms; starting() && clock_.now_ms() < until_ms;)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

DiskKeeper::Threads::Threads() : disk(disk_threads, most_waiting), log(1, most_waiting) {}

DiskKeeper::Threads& DiskKeeper::threads_of(const std::string& path) {
  auto& threads = threads_[path];
  if (!threads) threads = std::make_unique<Threads>();
  return *threads;
}

Executor* DiskKeeper::executor_of(const std::string& cache) {
  auto kept = disks_.find(cache);
  return kept == disks_.end() ? nullptr : &threads_of(kept->second.config.path).disk;
}

Status DiskKeeper::begin_check(const std::string& cache) {
  if (verification_ && !verification_->ended()) return Error{"the stores are being checked already", 409};
  Verification::Disks disks;
  for (const auto& [name, kept] : disks_)
    if (cache.empty() || cache == name) disks.emplace_back(name, kept.disk);
  if (disks.empty())
    return Error{cache.empty() ? "no cache has a disk" : "there is no cache " + cache + " with a disk", 404};
  auto next = std::make_shared<Verification>(verifications_ + 1, std::move(disks));
  if (!checks_) checks_ = std::make_unique<loop::ThreadPool>(1, most_waiting);
  if (!next->begin(*checks_)) return Error{"too much waits for the disks; try again later", 503};
  ++verifications_;
  if (verification_) verification_->release();
  verification_ = std::move(next);
  log::info("the check of stored objects began", {{"cache", cache.empty() ? "all" : cache}});
  return {};
}

// What leaves isn't kept open for a check.
void DiskKeeper::stop_check_of(const edge::disk::Disk& disk) {
  if (verification_ && verification_->uses(disk)) verification_->stop();
}

VerifyState DiskKeeper::check() const {
  return verification_ ? verification_->state() : VerifyState();
}

CacheSegments DiskKeeper::segments() const {
  CacheSegments out;
  out.now_ms = clock_.wall_ms();
  for (const auto& [name, kept] : disks_) out.caches.emplace_back(name, kept.disk->segments());
  return out;
}

void DiskKeeper::tell_check() {
  if (!verification_ || !verification_->ended() || told_check_ == verifications_) return;
  told_check_ = verifications_;
  verification_->release();
  for (const StoreCheck& s : verification_->state().stores) {
    if (s.report && s.report->damaged == 0 && s.failure.empty()) {
      log::info("stored objects are whole", {{"cache", s.name}, {"records", s.report->records}});
      continue;
    }
    if (s.report && s.report->damaged > 0) {
      auto disk = disks_.find(s.name);
      std::string file = disk == disks_.end() ? "data" : disk->second.config.path + "/data";
      log::warning("stored objects are damaged", {{"cache", s.name},
                                                  {"damaged", s.report->damaged},
                                                  {"reason", "their checksums are wrong"},
                                                  {"file", file},
                                                  {"segments", damaged_segments(*s.report)}});
    }
    if (!s.failure.empty())
      log::warning("the check of stored objects was cut short", {{"cache", s.name}, {"reason", s.failure}});
  }
}

void DiskKeeper::on_time() {
  tell_check();
  for (auto& [name, kept] : disks_) {
    kept.disk->tick();
    edge::disk::Stats stats = kept.disk->stats();
    if (!stats.set_aside.empty() && std::exchange(told_set_aside_[name], stats.set_aside) != stats.set_aside)
      log::warning("what the cache's disk held was set aside, and an empty store begun",
                   {{"cache", name}, {"path", kept.config.path}, {"reason", stats.set_aside}});
    std::string say = stats.state == State::aside ? stats.reason : stats.state == State::serving ? "serving" : "";
    if (stats.state == State::serving && stats.segments_without_room > 0) say = "no room";
    if (say.empty() || told_[name] == say) continue;
    told_[name] = say;
    if (say == "no room") {
      log::warning("the file system has no room for all of the cache's disk tier",
                   {{"cache", name}, {"path", kept.config.path}, {"size", stats.budget}, {"used", stats.bytes}});
    } else if (stats.state == State::aside) {
      log::warning("the cache goes on without its disk", {{"cache", name}, {"reason", say}});
    } else {
      log::info("disk tier serves", {{"cache", name}, {"path", kept.config.path}, {"objects", stats.objects}});
    }
  }
  if (!disks_.empty() || (verification_ && told_check_ != verifications_)) timer_.set(tick_ms);
}

}  // namespace portolan::daemon
