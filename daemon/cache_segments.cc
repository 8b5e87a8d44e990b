// `portolan cache stats --segments`.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "core/conf/words.hh"
#include "daemon/cache_report.hh"
#include "daemon/table.hh"

namespace portolan::daemon {
namespace {

using edge::disk::SegmentStats;
using Kind = edge::disk::SegmentReport::Kind;

struct AgeClass {
  const char* label;
  int64_t below_ms;
};
constexpr AgeClass age_classes[] = {{"under a minute", 60'000},
                                    {"under an hour", 3'600'000},
                                    {"under a day", 86'400'000},
                                    {"under a week", 604'800'000},
                                    {"older", INT64_MAX}};

// Those in use, the youngest first.
std::vector<SegmentStats> used(const std::vector<SegmentStats>& all) {
  std::vector<SegmentStats> out;
  std::copy_if(all.begin(), all.end(), std::back_inserter(out),
               [](const SegmentStats& s) { return s.kind != Kind::free; });
  std::stable_sort(out.begin(), out.end(),
                   [](const SegmentStats& a, const SegmentStats& b) { return a.opened_ms > b.opened_ms; });
  return out;
}

struct Sum {
  uint64_t segments = 0, objects = 0, bytes = 0;
};

std::string mean(uint64_t bytes, uint64_t objects) {
  return objects ? size(bytes / objects) : "-";
}

}  // namespace

// There may be a hundred thousand of them.
std::string to_json(const CacheSegments& segments) {
  std::string out = "{\"caches\":[";
  auto add = std::back_inserter(out);
  for (const auto& cache : segments.caches) {
    fmt::format_to(add, "{}{{\"name\":\"{}\",\"segments\":[", out.back() == '[' ? "" : ",", cache.first);
    for (const SegmentStats& s : used(cache.second))
      fmt::format_to(add, R"({}{{"kind":"{}","open":{},"age_s":{},"objects":{},"bytes":{}}})",
                     out.back() == '[' ? "" : ",", name_of(s.kind), s.open,
                     std::max<int64_t>(0, segments.now_ms - s.opened_ms) / 1000, s.objects, s.bytes);
    out += "]}";
  }
  return out + "]}";
}

std::string to_text(const CacheSegments& segments) {
  if (segments.caches.empty()) return "no cache has a disk\n";
  Table table({"CACHE", "SEGMENT", "AGE", "OBJECTS", "STORED", "MEAN"}, {2, 3, 4, 5});
  Table ages({"CACHE", "AGE", "SEGMENTS", "OBJECTS", "STORED", "MEAN"}, {2, 3, 4, 5});
  for (const auto& [name, all] : segments.caches) {
    Sum sums[std::size(age_classes)];
    bool first = true;
    for (const SegmentStats& s : used(all)) {
      int64_t age_ms = segments.now_ms - s.opened_ms;
      table.row({std::exchange(first, false) ? name : "", std::string(name_of(s.kind)) + (s.open ? ", open" : ""),
                 age(age_ms), std::to_string(s.objects), size(s.bytes), mean(s.bytes, s.objects)});
      size_t at = 0;
      while (age_ms >= age_classes[at].below_ms) ++at;
      ++sums[at].segments;
      sums[at].objects += s.objects;
      sums[at].bytes += s.bytes;
    }
    for (const Sum& sum : sums)
      ages.row({&sum == sums ? name : "", age_classes[&sum - sums].label, std::to_string(sum.segments),
                std::to_string(sum.objects), size(sum.bytes), mean(sum.bytes, sum.objects)});
  }
  std::string text = table.text();
  return (text.empty() ? "no segment is in use\n" : text) + "\n" + ages.text();
}

}  // namespace portolan::daemon
