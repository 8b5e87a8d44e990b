// Finding a fresh object in the cache, among few and many.
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "bench/operations/operation.hh"
#include "core/base/clock.hh"
#include "edge/cache.hh"

namespace portolan::edge {
namespace {

using bench::Row;
using bench::Run;

constexpr int64_t now_ms = 1'700'000'000'000;

struct Site {
  std::unique_ptr<Cache> cache;
  http::RequestHead head;
  std::string path;

  RequestView request(size_t i) {
    path.resize(10);
    path += std::to_string(i);
    path += ".jpeg";
    head.target = head.path = path;
    return {head, "http", "www.example.com", now_ms};
  }
};

std::shared_ptr<Site> site(size_t count) {
  auto s = std::make_shared<Site>();
  CacheConfig config;
  config.name = "bench";
  config.memory_bytes = 512 << 20;
  s->cache = std::make_unique<Cache>(config, 1);
  s->path = "/pictures/";
  s->head.method = http::Method::get;
  s->head.method_text = "GET";
  s->head.fields.add("Host", "www.example.com");
  http::ResponseHead response;
  response.status = 200;
  response.framing = http::Framing::length;
  response.content_length = 1024;
  response.fields.add("Cache-Control", "max-age=3600");
  response.fields.add("Content-Type", "image/jpeg");
  const std::string body(1024, 'x');
  for (size_t i = 0; i < count; ++i) {
    Lookup lookup = s->cache->find(s->request(i));
    if (!lookup.writer || lookup.writer->head(response, now_ms, now_ms) != Writer::Verdict::stored) std::abort();
    lookup.writer->append(Slice::copy_of(body));
    if (!lookup.writer->finish()) std::abort();
  }
  return s;
}

Run find(size_t count) {
  return [s = site(count), rng = Rng(5), count](size_t times) mutable {
    while (times-- > 0)
      if (s->cache->find(s->request(rng.below(count))).outcome != Outcome::hit) std::abort();
  };
}

const Row rows[] = {
    {"cache find/10", [] { return find(10); }},
    {"cache find/100000", [] { return find(100'000); }},
};

}  // namespace
}  // namespace portolan::edge
