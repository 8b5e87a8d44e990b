// Everybody at once: writers, readers that hold what they found, removals, ticks, a walk over everything, while segments are
// reclaimed and the tier is opened anew. For ThreadSanitizer, and for the bytes.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <thread>

#include "tests/unit/edge/disk/fixture.hh"

namespace portolan::edge::disk::test {
namespace {

class Pool final : public Executor {
 public:
  explicit Pool(size_t threads) {
    for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
  }
  ~Pool() override {
    {
      std::lock_guard lock(mutex_);
      ends_ = true;
    }
    changed_.notify_all();
    for (std::thread& t : threads_) t.join();
  }
  bool submit(std::function<void()> work) override {
    std::lock_guard lock(mutex_);
    if (work_.size() > 64) return false;
    work_.push_back(std::move(work));
    changed_.notify_one();
    return true;
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return ends_ || !work_.empty(); });
      if (work_.empty()) return;
      auto next = std::move(work_.front());
      work_.pop_front();
      lock.unlock();
      next();
      next = nullptr;
      lock.lock();
    }
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> work_;
  bool ends_ = false;
  std::vector<std::thread> threads_;
};

TEST(DiskThreads, AllAtOnce) {
  Directory directory;
  Config config{directory / "store", 40 * small_segment};
  Tuning tuning;
  tuning.segment_bytes = small_segment;
  tuning.checkpoint_ms = 20;
  tuning.retry_ms = 50;
  SystemClock clock;
  Pool pool(2);
  uint64_t per_run = full_scale() ? 40'000 : 4'000;
  std::atomic<uint64_t> reads{0}, wrong{0}, holds{0}, gone{0};
  for (int run = 0; run < 3; ++run) {
    Disk disk(config, real_files(), pool, clock, tuning);
    disk.start();
    std::atomic<bool> ends{false};
    std::vector<std::thread> threads;
    for (uint64_t w = 0; w < 2; ++w)
      threads.emplace_back([&, w] {
        Rng rng(w + 10);
        for (uint64_t i = 0; i < per_run; ++i) {
          uint64_t n = rng.below(800), sequence = (static_cast<uint64_t>(run) * per_run + i) * 2 + w + 1;
          if (!disk.write(record_of(n, sequence, 1 + mixed(n) % 12'000)))
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
          if (i % 64 == 0) disk.remove(key_of(rng.below(800)));
        }
      });
    for (uint64_t r = 0; r < 2; ++r)
      threads.emplace_back([&, r] {
        Rng rng(r + 20);
        std::deque<std::pair<uint64_t, Found>> held;  // kept a while
        while (!ends) {
          uint64_t n = rng.below(800);
          if (disk.may_have(key_of(n))) disk.touch(key_of(n));
          if (auto found = disk.read(key_of(n))) held.emplace_back(n, std::move(*found));
          if (held.size() < 20) continue;
          auto& [of, found] = held.front();
          if (of % 2) {  // as a memory tier does: let go, and taken up again
            found.file.reset();
            found.file = disk.hold(found.spot);
            ++(found.file ? holds : gone);
          }
          if (!found.file) {
            held.pop_front();
            continue;
          }
          ++reads;
          wrong += bytes_of(found) != body_of(of, found.sequence, 1 + mixed(of) % 12'000);
          held.pop_front();
        }
      });
    threads.emplace_back([&] {
      while (!ends) {
        disk.tick();
        disk.stats();
        disk.segments();
        disk.most_used(3);
        auto report = disk.verify({});
        EXPECT_TRUE(!report || report->damaged == 0);
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
    });
    threads[0].join();
    threads[1].join();
    ends = true;
    for (size_t i = 2; i < threads.size(); ++i) threads[i].join();
    EXPECT_EQ(disk.stats().state, Stats::State::serving) << disk.stats().reason;
    EXPECT_EQ(disk.stats().damaged, 0u);
    EXPECT_EQ(disk.stats().errors, 0u);
  }
  EXPECT_GT(reads, 100u);
  EXPECT_EQ(wrong, 0u);
  EXPECT_GT(holds, 50u);
}

}  // namespace
}  // namespace portolan::edge::disk::test
