#include "core/loop/log_writer.hh"

#include <fcntl.h>
#include <pthread.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "core/base/clock.hh"
#include "core/base/log.hh"

namespace portolan::loop {
namespace {

constexpr size_t ring_bytes = 1 << 20;
constexpr auto gather = std::chrono::milliseconds(20);  // lines of this long leave in one write

}  // namespace

LogRing::LogRing(size_t bytes) : data_(bytes) {}

bool LogRing::append(std::string_view line) {
  uint64_t head = head_.load(std::memory_order_relaxed);
  uint64_t free = data_.size() - (head - tail_.load(std::memory_order_acquire));
  if (line.size() > free) {
    dropped_.store(dropped_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    return false;
  }
  size_t at = head & (data_.size() - 1);
  size_t first = std::min(line.size(), data_.size() - at);
  std::memcpy(data_.data() + at, line.data(), first);
  std::memcpy(data_.data(), line.data() + first, line.size() - first);
  head_.store(head + line.size(), std::memory_order_release);
  appended_.store(appended_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  return true;
}

bool LogRing::filling() const {
  uint64_t used = head_.load(std::memory_order_relaxed) - tail_.load(std::memory_order_relaxed);
  return used >= data_.size() / 4;
}

size_t LogRing::take(std::string& out) {
  uint64_t tail = tail_.load(std::memory_order_relaxed);
  uint64_t head = head_.load(std::memory_order_acquire);
  size_t n = static_cast<size_t>(head - tail);
  size_t at = tail & (data_.size() - 1);
  size_t first = std::min(n, data_.size() - at);
  out.append(data_.data() + at, first);
  out.append(data_.data(), n - first);
  tail_.store(head, std::memory_order_release);
  return n;
}

LogWriter::LogWriter() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "log");
    run();
  });
}

LogWriter::~LogWriter() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_up_.notify_one();
  thread_.join();
}

Status LogWriter::open(const std::string& path) {
  UniqueFd fd;
  if (path == "stdout") {
    fd.reset(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
  } else if (path != "off") {
    fd.reset(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
    if (!fd) return system_error("cannot open the log " + path);
  }
  std::lock_guard lock(mutex_);
  path_ = path;
  fd_ = std::move(fd);
  enabled_.store(path != "off", std::memory_order_relaxed);
  return {};
}

Status LogWriter::reopen() {
  std::string path;
  {
    std::lock_guard lock(mutex_);
    path = path_;
  }
  return open(path);
}

LogRing& LogWriter::add_ring() {
  std::lock_guard lock(mutex_);
  return *rings_.emplace_back(std::make_unique<LogRing>(ring_bytes));
}

void LogWriter::wake(const LogRing& ring) {
  std::atomic<bool>& flag = ring.filling() ? urgent_ : pending_;
  if (flag.load(std::memory_order_relaxed) || flag.exchange(true, std::memory_order_acq_rel)) return;
  wake_up_.notify_one();
}

uint64_t LogWriter::dropped() const {
  std::lock_guard lock(mutex_);
  uint64_t sum = refused_.load(std::memory_order_relaxed);
  for (const auto& ring : rings_) sum += ring->dropped();
  return sum;
}

void LogWriter::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    // The waking side takes no lock, so a notice may come between the test and the wait: look again now and then.
    wake_up_.wait_for(lock, std::chrono::seconds(1), [this] { return stopping_ || pending_.load() || urgent_.load(); });
    wake_up_.wait_for(lock, gather, [this] { return stopping_ || urgent_.load(); });
    pending_.store(false, std::memory_order_release);
    urgent_.store(false, std::memory_order_release);
    lock.unlock();
    drain();
    lock.lock();
    if (stopping_) break;
  }
}

void LogWriter::drain() {
  std::string lines;
  int fd;
  UniqueFd kept;
  {
    std::lock_guard lock(mutex_);
    for (auto& ring : rings_) ring->take(lines);
    kept.reset(fd_ ? ::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 3) : -1);
    fd = kept.get();
  }
  auto count = [](std::string_view text) {
    uint64_t lines = 0;
    for (size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1)) ++lines;
    return lines;
  };
  std::string_view left = lines;
  while (!left.empty() && fd >= 0) {
    ssize_t n = ::write(fd, left.data(), left.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      static log::Limit limit(10'000);
      if (limit.pass(SystemClock().now_ms())) log::error("a log loses lines", {{"reason", system_error("write").text}});
      break;
    }
    written_.fetch_add(count(left.substr(0, static_cast<size_t>(n))), std::memory_order_relaxed);
    left.remove_prefix(static_cast<size_t>(n));
  }
  refused_.fetch_add(count(left), std::memory_order_relaxed);
}

}  // namespace portolan::loop
