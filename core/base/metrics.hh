#pragma once
// Prometheus metrics. A series lives in a Shard owned by one worker, is written by that worker alone (relaxed
// stores) and summed over all shards when read. Looking a series up takes the shard's lock and may allocate: keep
// the reference, it stays valid as long as the shard.
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace portolan::metrics {

enum class Type : uint8_t { counter, gauge, histogram };

// One metric with its labels' names; static, declared beside the code that counts.
struct Family {
  const char* name;  // "portolan_requests_total"
  const char* help;
  Type type;
  std::vector<const char*> labels;
};

class Counter {
 public:
  void add(uint64_t n = 1) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  void sub(uint64_t n = 1) { add(~n + 1); }  // gauges only; sums over shards stay right
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// Seconds, in fixed buckets from 100 µs to 100 s.
class Histogram {
 public:
  static constexpr size_t bucket_count = 19;
  static const uint64_t bounds_us[bucket_count];  // upper bounds; +Inf follows
  void observe_us(uint64_t us);

 private:
  friend class Registry;
  Counter buckets_[bucket_count + 1];
  Counter sum_us_;
};

class Shard {
 public:
  Counter& counter(const Family& family, std::initializer_list<std::string_view> labels = {});
  Histogram& histogram(const Family& family, std::initializer_list<std::string_view> labels = {});
  // Adds the counters of a family to those with other labels, where `fold` gives some (rendered: route="a",pool="b"); they
  // end, and with them the references to them. Nothing that was counted is lost. On the thread that writes this shard.
  void fold(const Family& family, const std::function<std::string(std::string_view labels)>& fold);

 private:
  friend class Registry;
  struct Key {
    const Family* family;
    std::string labels;  // rendered: route="a",pool="b"
    auto operator<=>(const Key&) const = default;
  };
  Key key_of(const Family& family, std::initializer_list<std::string_view> labels);
  std::mutex mutex_;
  std::map<Key, std::unique_ptr<Counter>> counters_;
  std::map<Key, std::unique_ptr<Histogram>> histograms_;
};

// Text lines for values that are computed when read rather than counted.
class Exposition {
 public:
  void family(const char* name, const char* help, const char* type);
  void sample(std::string_view name, std::initializer_list<std::pair<std::string_view, std::string_view>> labels,
              double value);
  std::string take() { return std::move(text_); }
  std::string text_;
};

// All shards of the process.
class Registry {
 public:
  Shard& add_shard();                    // any thread; shards live as long as the registry
  std::string expose();                  // Prometheus text format 0.0.4, families sorted by name
  uint64_t total(const Family& family);  // over all labels and shards; for tests and `status`
  // Sum of the series of a family whose rendered labels contain `part` (e.g. `pool="app"`).
  uint64_t total(const Family& family, std::string_view part);

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Shard>> shards_;
};

std::string escape_label(std::string_view value);

}  // namespace portolan::metrics
