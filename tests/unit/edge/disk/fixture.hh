#pragma once
// What the disk tier's tests share: a directory, an executor that works when told, and records that say who they are.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/base/clock.hh"
#include "edge/disk/disk.hh"
#include "tests/unit/edge/disk/fault_files.hh"

namespace portolan::edge::disk::test {

inline bool full_scale() {
  const char* scale = std::getenv("PORTOLAN_SCALE");
  return scale && std::string(scale) == "full";
}

class ManualExecutor final : public Executor {
 public:
  bool submit(std::function<void()> work) override {
    std::lock_guard lock(mutex_);
    if (full) return false;
    work_.push_back(std::move(work));
    return true;
  }
  bool run_one() {
    std::function<void()> work;
    {
      std::lock_guard lock(mutex_);
      if (work_.empty()) return false;
      work = std::move(work_.front());
      work_.pop_front();
    }
    work();
    return true;
  }
  void run() {
    for (int i = 0; run_one(); ++i) ASSERT_LT(i, 10'000'000) << "it never comes to rest";
  }
  bool full = false;

 private:
  std::mutex mutex_;
  std::deque<std::function<void()>> work_;
};

inline uint64_t mixed(uint64_t n) {
  n += 0x9E3779B97F4A7C15;
  n = (n ^ (n >> 30)) * 0xBF58476D1CE4E5B9;
  n = (n ^ (n >> 27)) * 0x94D049BB133111EB;
  return n ^ (n >> 31);
}

inline Key key_of(uint64_t n) {
  return {mixed(n), mixed(n ^ 0x5555)};
}

// The body of version `sequence` of record n, and nobody else's.
inline std::string body_of(uint64_t n, uint64_t sequence, size_t size) {
  std::string body(size, '\0');
  uint64_t state = mixed(n * 1'000'003 + sequence);
  for (size_t at = 0; at < size; at += 8) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    std::memcpy(body.data() + at, &state, std::min<size_t>(8, size - at));
  }
  return body;
}

inline std::string meta_of(uint64_t n, uint64_t sequence) {
  return "record " + std::to_string(n) + " version " + std::to_string(sequence);
}

inline Record record_of(uint64_t n, uint64_t sequence, size_t size) {
  Record record;
  record.key = key_of(n);
  record.sequence = sequence;
  record.useless_ms = 4'000'000'000'000;
  record.meta = meta_of(n, sequence);
  record.body.append(Slice::copy_of(body_of(n, sequence, size)));
  return record;
}

inline std::string bytes_of(const Found& found) {
  Body body;
  body.append(found.file, found.offset, found.length);
  return body.to_string();
}

class Directory {
 public:
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "portolan-disk-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

constexpr uint64_t small_segment = 256 << 10;

class DiskTest : public testing::Test {
 protected:
  DiskTest() {
    config.path = directory / "store";
    config.bytes = 32 * small_segment;
    tuning.segment_bytes = small_segment;
  }
  ~DiskTest() override {
    disk.reset();
    executor.run();
  }
  void open() {
    disk.reset();
    executor.run();  // jobs of the one before find out that it is gone
    disk = std::make_unique<Disk>(config, files, executor, clock, tuning);
    disk->start();
    executor.run();
  }
  // As kill -9 would: nothing of what it has under way happens any more.
  void kill() {
    files.crash_after(0);
    disk.reset();
    executor.run();
    files.set({});
  }
  bool write(uint64_t n, uint64_t sequence, size_t size) {
    sizes[n] = size;
    bool taken = disk->write(record_of(n, sequence, size));
    executor.run();
    return taken;
  }
  // The version there is of record n, checked to the last byte; 0: none.
  uint64_t version(uint64_t n) {
    auto found = disk->read(key_of(n));
    if (!found) return 0;
    EXPECT_EQ(found->meta, meta_of(n, found->sequence));
    EXPECT_TRUE(bytes_of(*found) == body_of(n, found->sequence, found->length)) << "wrong bytes of record " << n;
    return found->sequence;
  }
  void ticks(int64_t ms) {
    clock.advance_ms(ms);
    disk->tick();
    executor.run();
  }

  Directory directory;
  Config config;
  Tuning tuning;
  FaultFiles files;
  ManualExecutor executor;
  FakeClock clock;
  std::map<uint64_t, size_t> sizes;
  std::unique_ptr<Disk> disk;
};

}  // namespace portolan::edge::disk::test
