#include "core/base/metrics.hh"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstring>

namespace portolan::metrics {

const uint64_t Histogram::bounds_us[bucket_count] = {
    100,     250,     500,       1'000,     2'500,     5'000,      10'000,     25'000,     50'000,     100'000,
    250'000, 500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000, 25'000'000, 50'000'000, 100'000'000};

void Histogram::observe_us(uint64_t us) {
  size_t i = 0;
  while (i < bucket_count && us > bounds_us[i]) ++i;
  buckets_[i].add();
  sum_us_.add(us);
}

std::string escape_label(std::string_view value) {
  std::string out;
  for (char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

Shard::Key Shard::key_of(const Family& family, std::initializer_list<std::string_view> labels) {
  assert(labels.size() == family.labels.size());
  Key key{&family, {}};
  size_t i = 0;
  for (std::string_view value : labels) {
    if (i > 0) key.labels += ',';
    key.labels += fmt::format("{}=\"{}\"", family.labels[i++], escape_label(value));
  }
  return key;
}

Counter& Shard::counter(const Family& family, std::initializer_list<std::string_view> labels) {
  std::lock_guard lock(mutex_);
  auto& slot = counters_[key_of(family, labels)];
  if (!slot) slot = std::make_unique<Counter>();
  return *slot;
}

void Shard::fold(const Family& family, const std::function<std::string(std::string_view labels)>& fold) {
  std::lock_guard lock(mutex_);
  for (auto it = counters_.lower_bound({&family, {}}); it != counters_.end() && it->first.family == &family;) {
    std::string into = fold(it->first.labels);
    if (into.empty() || into == it->first.labels) {
      ++it;
      continue;
    }
    auto& sum = counters_[{&family, std::move(into)}];
    if (!sum) sum = std::make_unique<Counter>();
    sum->add(it->second->value());
    it = counters_.erase(it);
  }
}

Histogram& Shard::histogram(const Family& family, std::initializer_list<std::string_view> labels) {
  std::lock_guard lock(mutex_);
  auto& slot = histograms_[key_of(family, labels)];
  if (!slot) slot = std::make_unique<Histogram>();
  return *slot;
}

Shard& Registry::add_shard() {
  std::lock_guard lock(mutex_);
  return *shards_.emplace_back(std::make_unique<Shard>());
}

namespace {

struct Summed {
  uint64_t value = 0;
  std::vector<uint64_t> buckets;
  uint64_t sum_us = 0;
};

std::string braces(const std::string& labels, const std::string& extra = {}) {
  if (labels.empty() && extra.empty()) return {};
  return "{" + labels + (labels.empty() || extra.empty() ? "" : ",") + extra + "}";
}

void print_histogram(std::string& out, const Family& family, const std::string& labels, const Summed& s) {
  uint64_t running = 0;
  for (size_t i = 0; i <= Histogram::bucket_count; ++i) {
    running += s.buckets[i];
    std::string le =
        i < Histogram::bucket_count ? fmt::format("{:g}", static_cast<double>(Histogram::bounds_us[i]) / 1e6) : "+Inf";
    out += fmt::format("{}_bucket{} {}\n", family.name, braces(labels, "le=\"" + le + "\""), running);
  }
  out += fmt::format("{}_sum{} {:.6f}\n", family.name, braces(labels), static_cast<double>(s.sum_us) / 1e6);
  out += fmt::format("{}_count{} {}\n", family.name, braces(labels), running);
}

}  // namespace

std::string Registry::expose() {
  struct ByName {
    bool operator()(const Family* a, const Family* b) const { return std::strcmp(a->name, b->name) < 0; }
  };
  std::map<const Family*, std::map<std::string, Summed>, ByName> all;
  std::lock_guard lock(mutex_);
  for (auto& shard : shards_) {
    std::lock_guard inner(shard->mutex_);
    for (auto& [key, counter] : shard->counters_) all[key.family][key.labels].value += counter->value();
    for (auto& [key, histogram] : shard->histograms_) {
      Summed& s = all[key.family][key.labels];
      s.buckets.resize(Histogram::bucket_count + 1);
      for (size_t i = 0; i <= Histogram::bucket_count; ++i) s.buckets[i] += histogram->buckets_[i].value();
      s.sum_us += histogram->sum_us_.value();
    }
  }
  static constexpr const char* types[] = {"counter", "gauge", "histogram"};
  std::string out;
  for (auto& [family, series] : all) {
    out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", family->name, family->help, family->name,
                       types[static_cast<size_t>(family->type)]);
    for (auto& [labels, s] : series) {
      if (family->type == Type::histogram) {
        print_histogram(out, *family, labels, s);
      } else {
        out += fmt::format("{}{} {}\n", family->name, braces(labels), static_cast<int64_t>(s.value));
      }
    }
  }
  return out;
}

uint64_t Registry::total(const Family& family) {
  return total(family, {});
}

uint64_t Registry::total(const Family& family, std::string_view part) {
  uint64_t sum = 0;
  std::lock_guard lock(mutex_);
  for (auto& shard : shards_) {
    std::lock_guard inner(shard->mutex_);
    for (auto& [key, counter] : shard->counters_)
      if (key.family == &family && key.labels.find(part) != std::string::npos) sum += counter->value();
  }
  return sum;
}

void Exposition::family(const char* name, const char* help, const char* type) {
  text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

void Exposition::sample(std::string_view name,
                        std::initializer_list<std::pair<std::string_view, std::string_view>> labels, double value) {
  text_ += name;
  if (labels.size() > 0) {
    char separator = '{';
    for (auto& [key, text] : labels) {
      text_ += fmt::format("{}{}=\"{}\"", separator, key, escape_label(text));
      separator = ',';
    }
    text_ += '}';
  }
  text_ += fmt::format(" {:.15g}\n", value);
}

}  // namespace portolan::metrics
