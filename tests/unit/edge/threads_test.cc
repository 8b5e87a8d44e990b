// Many threads on a few keys: fetches, followers, validations, purges, evictions, reloads and looks inside at once. Every
// body must be whole and of one answer; the sanitizers watch the rest.
#include <atomic>
#include <chrono>
#include <thread>

#include "core/base/clock.hh"
#include "edge/content.hh"
#include "edge/inspect.hh"
#include "tests/unit/edge/support.hh"

namespace portolan::edge::test {
namespace {

// A body of one letter, its length told by the letter's place: any mix or cut shows.
std::string body_for(uint64_t n) {
  return std::string(500 + n % 26 * 3000, static_cast<char>('a' + n % 26));
}

void expect_whole(const std::string& body) {
  ASSERT_FALSE(body.empty());
  EXPECT_EQ(body, body_for(static_cast<uint64_t>(body[0] - 'a')));
}

// Reads to the end. False: released or failed.
bool follow(Reader& reader, std::string& out) {
  Body body;
  for (;;) {
    switch (reader.state()) {
      case Reader::State::pending:
      case Reader::State::wait: {
        auto signal = std::make_shared<Signal>();
        reader.wait(signal);
        signal->wait();
        break;
      }
      case Reader::State::more:
        reader.read(body, 5000);
        break;
      case Reader::State::end:
        out = body.to_string();
        return true;
      case Reader::State::released:
      case Reader::State::failed:
        return false;
    }
  }
}

struct Totals {
  std::atomic<uint64_t> led{0}, followed{0}, hit{0}, beside{0};
};

void fetch(Lookup& lookup, Rng& rng) {
  // A server that takes a moment: without, on few cores, nobody ever comes while a fetch is under way.
  if (rng.below(16) == 0) std::this_thread::sleep_for(std::chrono::microseconds(100));
  std::string body = body_for(rng.next());
  const char* kept = rng.below(2) ? "max-age=60" : "max-age=60, stale-while-revalidate=30";
  Pairs fields = {{"Cache-Control", rng.below(8) ? kept : "no-store"}, {"ETag", "\"e\""}};
  if (rng.below(4) == 0) fields.push_back({"Cache-Groups", "\"g\""});
  if (rng.below(4) == 0) fields.push_back({"Vary", "X-V"});
  Response response(fields);
  if (lookup.writer->revalidates() && rng.below(2)) {
    Response not_changed(Pairs{{"Cache-Control", kept}}, 304);
    lookup.writer->head(not_changed.head, start_ms, start_ms);
    return;
  }
  if (rng.below(10) == 0) return;  // dies before the head
  lookup.writer->head(response.head, start_ms, start_ms);
  bool breaks = rng.below(10) == 0;
  for (size_t at = 0; at < body.size(); at += 4000) {
    if (breaks && at > 8000) return;
    lookup.writer->append(Slice::copy_of(std::string_view(body).substr(at, 4000)));
  }
  if (!breaks) lookup.writer->finish();
}

void one_request(Cache& cache, Rng& rng, Totals& totals) {
  Request request("/" + std::to_string(rng.below(12)), {{"X-V", std::to_string(rng.below(2))}});
  Lookup lookup = cache.find(request.at(start_ms + static_cast<int64_t>(rng.below(2)) * 61'000));
  std::string body;
  if (lookup.outcome == Outcome::hit) {
    ++totals.hit;
    expect_whole(body_of(lookup.object));
    if (!lookup.writer) return;
    ++totals.beside;
    fetch(lookup, rng);
    return;
  }
  if (lookup.writer) {
    ++totals.led;
    fetch(lookup, rng);
    lookup.writer.reset();
    if (rng.below(3) == 0) lookup.reader.reset();
  }
  if (lookup.outcome == Outcome::follow) ++totals.followed;
  if (lookup.reader && rng.below(10) && follow(*lookup.reader, body)) expect_whole(body);
}

TEST(Threads, FetchFollowPurgeEvictReload) {
  CacheConfig c = config(400'000, 70'000);
  Cache cache(c, 1);
  Totals totals;
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      Rng rng(t);
      for (int i = 0; i < 1000; ++i) one_request(cache, rng, totals);
    });
  }
  threads.emplace_back([&] {
    Rng rng(99);
    for (int i = 0; i < 1500; ++i) {
      cache.purge("http://example.com/" + std::to_string(rng.below(12)));
      CacheConfig next = c;
      next.memory_bytes = i % 2 ? 400'000 : 300'000;
      if (i % 50 == 0) cache.reconfigure(next);
      if (i % 20 == 0) {
        Request post("/" + std::to_string(rng.below(12)), {}, "POST");
        cache.invalidate(post.at(start_ms), Response(Pairs{{"Cache-Group-Invalidation", "\"g\""}}).head);
      }
      Request request("/" + std::to_string(rng.below(12)), {}, i % 8 ? "GET" : "POST");
      cache.inspect(request.at(start_ms));
      if (i % 8 == 0) cache.invalidate(request.at(start_ms), Response(Pairs{{"Location", "/3"}}, 303).head);
      EXPECT_LE(cache.top(5).size(), 5u);
      EXPECT_LE(cache.stats().bytes, 400'000u);
    }
  });
  for (std::thread& t : threads) t.join();
  EXPECT_GT(totals.led.load(), 100u);
  EXPECT_GT(totals.hit.load(), 100u);
  EXPECT_GT(totals.beside.load(), 10u);
  EXPECT_GT(totals.followed.load(), 0u);
  EXPECT_GT(cache.stats().validated, 10u);
  EXPECT_GT(cache.stats().evictions, 10u);
  EXPECT_EQ(cache.stats().filling, 0u);
  EXPECT_EQ(cache.stats().passing_bytes, 0u);
  for (int i = 0; i < 12; ++i) cache.purge("http://example.com/" + std::to_string(i));
  EXPECT_EQ(cache.stats().objects, 0u);
  cache.reconfigure(c);
  EXPECT_EQ(cache.stats().bytes, Cache(c, 1).stats().bytes);
}

// A producer held back by readers, each on its own thread; one of them stops, and is cut.
TEST(Threads, AWindowWithSlowReaders) {
  Cache cache(config(8 << 20, 100'000), 1);
  Request request("/big");
  Lookup lead = cache.find(request.at(start_ms));
  std::vector<std::unique_ptr<Reader>> readers;
  for (int i = 0; i < 3; ++i) readers.push_back(cache.find(request.at(start_ms)).reader);
  readers.push_back(std::move(lead.reader));
  std::unique_ptr<Reader> stopped = cache.find(request.at(start_ms)).reader;
  std::vector<std::thread> threads;
  std::atomic<uint64_t> read{0};
  for (auto& reader : readers) {
    threads.emplace_back([&read, r = reader.get()] {
      std::string body;
      EXPECT_TRUE(follow(*r, body));
      read += body.size();
    });
  }
  Response response(Pairs{{"Cache-Control", "max-age=60"}});
  lead.writer->head(response.head, start_ms, start_ms);
  std::string part(16'000, 'x');
  int cuts = 0;
  for (int i = 0; i < 400; ++i) {
    for (int held = 0; !lead.writer->writable(); ++held) {
      auto signal = std::make_shared<Signal>();
      lead.writer->wait_writable(signal);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      if (held < 300 || !lead.writer->held_up()) continue;  // one that reads isn't that slow
      lead.writer->cut_slow();
      signal->wait();
      ++cuts;
    }
    lead.writer->append(Slice::copy_of(part));
  }
  EXPECT_TRUE(lead.writer->finish());
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(read.load(), 4u * 400 * 16'000);
  EXPECT_EQ(cuts, 1);
  EXPECT_EQ(stopped->state(), Reader::State::failed);
}

}  // namespace
}  // namespace portolan::edge::test
