#pragma once
// The access log's way to the disk: each worker fills a ring of its own, one thread empties them. A slow or full disk
// drops lines and counts them; a worker never waits.
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/base/fd.hh"
#include "core/base/result.hh"

namespace portolan::loop {

// Single producer (its worker), single consumer (the writer).
class LogRing {
 public:
  explicit LogRing(size_t bytes);      // a power of two
  bool append(std::string_view line);  // false: no room; the line is dropped and counted
  size_t take(std::string& out);       // moves what is there to the end of out
  uint64_t appended() const { return appended_.load(std::memory_order_relaxed); }
  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }
  bool filling() const;  // a quarter full or more: better emptied soon

 private:
  friend class LogWriter;
  std::vector<char> data_;
  std::atomic<uint64_t> head_{0};  // written by the producer
  std::atomic<uint64_t> tail_{0};  // written by the consumer
  std::atomic<uint64_t> appended_{0};
  std::atomic<uint64_t> dropped_{0};
};

class LogWriter {
 public:
  LogWriter();
  ~LogWriter();  // writes what is left
  // "off", "stdout" or a file (created 0640, appended to). Takes effect for lines not yet written.
  Status open(const std::string& path);
  Status reopen();      // SIGUSR1: the same path, a new file
  LogRing& add_ring();  // lives as long as the writer
  // Any worker: there is something in its ring. Cheap when the writer knows already.
  void wake(const LogRing& ring);
  bool enabled() const { return enabled_.load(std::memory_order_relaxed); }
  uint64_t dropped() const;  // rings without room, and lines the disk refused
  uint64_t written() const { return written_.load(std::memory_order_relaxed); }

 private:
  void run();
  void drain();
  mutable std::mutex mutex_;  // path, descriptor, rings
  std::condition_variable wake_up_;
  std::string path_ = "off";
  UniqueFd fd_;
  std::vector<std::unique_ptr<LogRing>> rings_;
  std::atomic<bool> enabled_{false};
  std::atomic<bool> pending_{false};
  std::atomic<bool> urgent_{false};  // a ring fills
  std::atomic<uint64_t> written_{0};
  std::atomic<uint64_t> refused_{0};
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace portolan::loop
