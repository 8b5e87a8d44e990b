// Hit ratios of every eviction policy on a trace: lines of "key bytes" on standard input, JSON on standard output.
//
//   replay_trace FRACTION...     of all the trace's objects, what memory holds, e.g. 0.01 0.05
//
// Each is measured twice. "policy": the policy as the cache drives it, objects as large as the trace says. "cache": the whole
// cache, whose objects take what it charges for them, heads and bookkeeping included; memory is a fraction of that.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "edge/cache.hh"
#include "edge/evict/residents.hh"

namespace portolan::edge {
namespace {

constexpr int64_t now_ms = 1'700'000'000'000;

struct Trace {
  struct Request {
    uint32_t object;
    uint64_t bytes;
  };
  std::vector<Request> requests;
  std::vector<uint64_t> objects;  // the size of each
  uint64_t bytes = 0;             // of all objects
};

struct Ratios {
  uint64_t requests = 0, hits = 0, bytes = 0, hit_bytes = 0;
  void count(bool hit, uint64_t size) {
    ++requests;
    bytes += size;
    if (!hit) return;
    ++hits;
    hit_bytes += size;
  }
};

Trace read_trace() {
  Trace trace;
  std::unordered_map<uint64_t, uint32_t> numbers;
  unsigned long key = 0, size = 0;
  while (std::scanf("%lu %lu", &key, &size) == 2) {
    auto [at, fresh] = numbers.emplace(key, static_cast<uint32_t>(numbers.size()));
    if (fresh) {
      trace.objects.push_back(size);
      trace.bytes += size;
    }
    trace.requests.push_back({at->second, trace.objects[at->second]});
  }
  return trace;
}

Ratios replay_policy(const Trace& trace, const EvictionPart& part, uint64_t room) {
  Residents residents(part, room);
  std::deque<Resident> all(trace.objects.size());
  for (size_t i = 0; i < all.size(); ++i) {
    all[i].hash = (i + 1) * 0x9E3779B97F4A7C15u;
    all[i].bytes = static_cast<uint32_t>(trace.objects[i]);
  }
  Ratios ratios;
  uint64_t used = 0;
  for (const Trace::Request& request : trace.requests) {
    Resident& r = all[request.object];
    bool hit = r.state == Resident::State::resident;
    ratios.count(hit, request.bytes);
    if (hit) {
      residents.touch(r);
    } else if (request.bytes <= room) {
      while (used + request.bytes > room) {
        Residents::Choice choice = residents.choose();
        if (!residents.claim(choice)) std::abort();
        used -= choice.resident->bytes;
        choice.resident->uses = 0;
      }
      residents.admit(r);
      used += request.bytes;
    }
  }
  return ratios;
}

// A cache that a trace's requests go through.
class Site {
 public:
  Site(const Trace& trace, std::string_view eviction, uint64_t memory)
      : cache_(config(eviction, memory), 1), body_(*std::max_element(trace.objects.begin(), trace.objects.end()), 'x') {
    head_.method = http::Method::get;
    head_.method_text = "GET";
    head_.fields.add("Host", "www.example.com");
    response_.status = 200;
    response_.framing = http::Framing::length;
    response_.fields.add("Cache-Control", "max-age=3600");
    response_.fields.add("Content-Type", "image/jpeg");
  }

  bool ask(const Trace::Request& request) {
    path_ = "/" + std::to_string(request.object);
    head_.target = head_.path = path_;
    Lookup lookup = cache_.find({head_, "http", "www.example.com", now_ms});
    if (lookup.outcome == Outcome::hit) return true;
    if (!lookup.writer) return false;
    response_.content_length = request.bytes;
    lookup.writer->head(response_, now_ms, now_ms);
    lookup.writer->append(Slice::copy_of(std::string_view(body_).substr(0, request.bytes)));
    if (!lookup.writer->finish()) std::abort();
    return false;
  }
  uint64_t bytes() const { return cache_.stats().bytes; }

 private:
  static CacheConfig config(std::string_view eviction, uint64_t memory) {
    CacheConfig c;
    c.name = "replay";
    c.memory_bytes = memory;
    c.max_object_bytes = memory / 4;
    c.eviction = eviction;
    return c;
  }
  Cache cache_;
  std::string body_, path_;
  http::RequestHead head_;
  http::ResponseHead response_;
};

uint64_t bytes_in_cache(const Trace& trace) {
  Site site(trace, "lru", UINT64_MAX / 2);
  for (uint32_t i = 0; i < trace.objects.size(); ++i) site.ask({i, trace.objects[i]});
  return site.bytes();
}

Ratios replay_cache(const Trace& trace, const EvictionPart& part, uint64_t room) {
  Site site(trace, part.name, room);
  Ratios ratios;
  for (const Trace::Request& request : trace.requests) ratios.count(site.ask(request), request.bytes);
  return ratios;
}

using Replay = std::function<Ratios(const EvictionPart& part, double fraction)>;

void print(const char* name, const std::vector<double>& fractions, const Replay& replay) {
  std::printf("\"%s\": {", name);
  const char* between = "";
  for (const EvictionPart* part : Registration<EvictionPart>::all()) {
    std::printf("%s\"%.*s\": {", between, static_cast<int>(part->name.size()), part->name.data());
    for (size_t i = 0; i < fractions.size(); ++i) {
      Ratios r = replay(*part, fractions[i]);
      std::printf("%s\"%g\": [%.2f, %.2f]", i ? ", " : "", fractions[i] * 100,
                  100.0 * static_cast<double>(r.hits) / static_cast<double>(r.requests),
                  100.0 * static_cast<double>(r.hit_bytes) / static_cast<double>(r.bytes));
    }
    std::printf("}");
    between = ", ";
  }
  std::printf("}");
}

}  // namespace
}  // namespace portolan::edge

int main(int argc, char** argv) {
  using namespace portolan::edge;
  std::vector<double> fractions;
  for (int i = 1; i < argc; ++i) fractions.push_back(std::atof(argv[i]));
  Trace trace = read_trace();
  if (trace.requests.empty() || fractions.empty()) return 2;
  auto part_of = [](uint64_t whole, double fraction) {
    return static_cast<uint64_t>(static_cast<double>(whole) * fraction);
  };
  std::printf("{");
  print("policy", fractions, [&](const EvictionPart& part, double fraction) {
    return replay_policy(trace, part, part_of(trace.bytes, fraction));
  });
  std::printf(", ");
  uint64_t whole = bytes_in_cache(trace);
  print("cache", fractions,
        [&](const EvictionPart& part, double fraction) { return replay_cache(trace, part, part_of(whole, fraction)); });
  std::printf("}\n");
  return 0;
}
