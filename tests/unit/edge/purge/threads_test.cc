// Purges beside fetches, hits and validations of many threads: what a find gives is never older than the last purge that
// came back before it.
#include <array>
#include <atomic>
#include <thread>

#include "core/base/clock.hh"
#include "edge/purge/purges.hh"
#include "tests/unit/edge/support.hh"

namespace portolan::edge::test {
namespace {

constexpr size_t pages = 8;

struct Shared {
  explicit Shared(const CacheConfig& c) : cache(c, 1) {}
  Cache cache;
  std::atomic<bool> stop{false};
  // Of each page: what its origin says now, and what it said at least when the last hard purge came back, and the last of
  // any kind.
  std::array<std::atomic<uint64_t>, pages> version{}, hard{}, any{};
  std::atomic<uint64_t> hits{0}, stale{0}, stored{0}, validated{0};
};

uint64_t version_of(const Object& object) {
  return std::stoull(std::string(object.fields().find("X-Version").value_or("0")));
}

void answer(Shared& s, size_t page, Writer& writer, Rng& rng) {
  uint64_t version = s.version[page];
  if (writer.revalidates() && rng.below(2)) {
    Response same(Pairs{{"Cache-Control", "max-age=60"}, {"X-Validated", std::to_string(version)}}, 304);
    if (writer.head(same.head, start_ms, start_ms) == Writer::Verdict::not_modified) ++s.validated;
    return;
  }
  Response response(Pairs{{"Cache-Control", "max-age=60, stale-while-revalidate=30"},
                          {"ETag", "\"e\""},
                          {"X-Version", std::to_string(version)},
                          {"X-Validated", std::to_string(version)},
                          {page % 2 ? "Surrogate-Key" : "Cache-Tag", "page-" + std::to_string(page)}});
  if (rng.below(8) == 0) std::this_thread::yield();
  if (writer.head(response.head, start_ms, start_ms) != Writer::Verdict::stored) return;
  writer.append(Slice::copy_of("body"));
  if (writer.finish()) ++s.stored;
}

void read(Shared& s, Rng& rng) {
  while (!s.stop) {
    size_t page = rng.below(pages);
    Request request("/" + std::to_string(page));
    uint64_t hard = s.hard[page], any = s.any[page];
    Lookup l = s.cache.find(request.at(start_ms));
    if (l.object) {
      EXPECT_GE(version_of(*l.object), hard) << "purged before it was asked for";
      uint64_t validated = std::stoull(std::string(l.object->fields().find("X-Validated").value_or("0")));
      if (l.object->fresh(start_ms)) EXPECT_GE(validated, any) << "fresh after a purge";
      (l.outcome == Outcome::hit ? s.hits : s.stale)++;
    }
    if (l.outcome == Outcome::follow && l.reader->object()) EXPECT_GE(version_of(*l.reader->object()), hard);
    if (l.writer) answer(s, page, *l.writer, rng);
  }
}

void purge(Shared& s, size_t page, Rng& rng) {
  uint64_t version = ++s.version[page];
  bool soft = rng.below(3) == 0;
  std::string n = std::to_string(page);
  const Purge kinds[] = {{PurgeKind::url, "http://example.com/" + n, soft},
                         {PurgeKind::prefix, "example.com/" + n, soft},
                         {PurgeKind::tag, "page-" + n, soft}};
  EXPECT_TRUE(s.cache.purge(kinds[rng.below(3)], start_ms));
  if (!soft) s.hard[page] = version;
  s.any[page] = version;
}

TEST(PurgeThreads, NothingOlderThanTheLastPurgeIsFound) {
  CacheConfig c = config();
  c.purge_memory_bytes = 64 << 10;  // the table is made anew now and then
  Shared s(c);
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t)
    threads.emplace_back([&s, t] {
      Rng rng(t);
      read(s, rng);
    });
  Rng rng(99);
  for (int i = 0; i < 4000 || s.hits < 1000 || s.stored < 100; ++i) {
    purge(s, rng.below(pages), rng);  // one purger, so that the numbers of a page grow
    EXPECT_TRUE(s.cache.purge({PurgeKind::tag, "other-" + std::to_string(i), false}, start_ms));
    if (i % 16 == 0) std::this_thread::yield();
    if (i % 1000 == 999) s.cache.reconfigure(c);
  }
  s.stop = true;
  for (std::thread& t : threads) t.join();
  EXPECT_GT(s.cache.purges().stats().merged + s.cache.purges().stats().forgotten, 0u);
  EXPECT_EQ(s.cache.stats().filling, 0u);
}

}  // namespace
}  // namespace portolan::edge::test
