#include <random>

#include "core/base/clock.hh"
#include "edge/content.hh"
#include "tests/unit/edge/support.hh"

namespace portolan::edge::test {
namespace {

using Verdict = Writer::Verdict;
using State = Reader::State;
const Pairs minute = {{"Cache-Control", "max-age=60"}};

std::string pattern(size_t n) {
  std::string s(n, '\0');
  for (size_t i = 0; i < n; ++i) s[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
  return s;
}

TEST(Fill, ManyFollowOneAtTheirOwnPace) {
  Cache cache(config(), 1);
  Request request("/a");
  Lookup lead = cache.find(request.at(start_ms));
  ASSERT_EQ(lead.outcome, Outcome::miss);
  std::vector<Lookup> followers;
  for (int i = 0; i < 5; ++i) {
    followers.push_back(cache.find(request.at(start_ms)));
    ASSERT_EQ(followers.back().outcome, Outcome::follow);
  }
  auto waker = std::make_shared<CountingWaker>();
  followers[0].reader->wait(waker);
  EXPECT_EQ(waker->count, 0);
  Response response(minute);
  EXPECT_EQ(lead.writer->head(response.head, start_ms, start_ms), Verdict::stored);
  EXPECT_EQ(waker->count, 1);
  EXPECT_EQ(followers[0].reader->state(), State::wait);
  followers[0].reader->wait(waker);
  followers[4].reader.reset();  // one leaves
  lead.reader.reset();          // so does the leader's client

  std::string whole = pattern(200'000);
  std::vector<Body> got(4);
  for (size_t at = 0; at < whole.size(); at += 1000) {
    EXPECT_TRUE(lead.writer->append(Slice::copy_of(std::string_view(whole).substr(at, 1000))));
    if (at == 0) EXPECT_EQ(waker->count, 2);
    for (size_t i = 0; i < 3; ++i) followers[i].reader->read(got[i], 300 * (i + 1));
  }
  Lookup late = cache.find(request.at(start_ms));  // its head is known: read along at once
  ASSERT_EQ(late.outcome, Outcome::follow);
  EXPECT_EQ(late.reader->state(), State::more);
  EXPECT_TRUE(lead.writer->finish());
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(got[i].to_string() + drain(*followers[i].reader), whole);
    EXPECT_EQ(followers[i].reader->state(), State::end);
  }
  EXPECT_EQ(drain(*late.reader), whole);
  Lookup hit = cache.find(request.at(start_ms));
  ASSERT_EQ(hit.outcome, Outcome::hit);
  EXPECT_EQ(body_of(hit.object), whole);
  EXPECT_EQ(cache.stats().fills, 1u);
  EXPECT_EQ(cache.stats().collapsed, 6u);
}

TEST(Fill, UncacheableReleasesAllAtOnceAndIsRemembered) {
  Cache cache(config(), 1);
  Request request("/a");
  Lookup lead = cache.find(request.at(start_ms));
  std::vector<Lookup> followers;
  std::vector<std::shared_ptr<CountingWaker>> wakers;
  for (int i = 0; i < 50; ++i) {
    followers.push_back(cache.find(request.at(start_ms)));
    wakers.push_back(std::make_shared<CountingWaker>());
    followers.back().reader->wait(wakers.back());
  }
  Response response(Pairs{{"Cache-Control", "private"}});
  EXPECT_EQ(lead.writer->head(response.head, start_ms, start_ms), Verdict::uncacheable);
  for (size_t i = 0; i < followers.size(); ++i) {
    EXPECT_EQ(wakers[i]->count, 1);
    EXPECT_EQ(followers[i].reader->state(), State::released);
    EXPECT_FALSE(followers[i].reader->retry());
  }
  EXPECT_FALSE(lead.reader->object()->stored());
  lead.writer->append(Slice::literal("mine"));
  EXPECT_TRUE(lead.writer->finish());
  EXPECT_EQ(drain(*lead.reader), "mine");
  // Remembered: side by side, none waits.
  Lookup one = cache.find(request.at(start_ms + 1000));
  Lookup two = cache.find(request.at(start_ms + 1000));
  EXPECT_EQ(one.outcome, Outcome::miss);
  EXPECT_EQ(two.outcome, Outcome::miss);
  // A cacheable answer ends that.
  fill(two, Response(minute), "now");
  EXPECT_EQ(cache.find(request.at(start_ms + 1000)).outcome, Outcome::hit);
  EXPECT_EQ(cache.stats().objects, 1u);
}

TEST(Fill, TheNoteEnds) {
  Cache cache(config(), 1);
  Request request("/a");
  {
    Lookup lead = cache.find(request.at(start_ms));
    fill(lead, Response(Pairs{{"Cache-Control", "no-store"}}), "x");
  }
  Lookup one = cache.find(request.at(start_ms + 61'000));
  EXPECT_EQ(cache.find(request.at(start_ms + 61'000)).outcome, Outcome::follow);
}

TEST(Fill, OtherVariantsAreSentBack) {
  Cache cache(config(), 1);
  Request de("/a", {{"Accept-Language", "de"}}), en("/a", {{"Accept-Language", "en"}});
  Lookup lead = cache.find(de.at(start_ms));
  Lookup same = cache.find(de.at(start_ms));
  Lookup other = cache.find(en.at(start_ms));
  ASSERT_EQ(other.outcome, Outcome::follow);
  Pairs fields = minute;
  fields.push_back({"Vary", "Accept-Language"});
  Response response(fields);
  lead.writer->head(response.head, start_ms, start_ms);
  EXPECT_EQ(same.reader->state(), State::wait);
  EXPECT_EQ(other.reader->state(), State::released);
  EXPECT_TRUE(other.reader->retry());
  Lookup again = cache.find(en.at(start_ms));
  EXPECT_EQ(again.outcome, Outcome::miss);
  EXPECT_EQ(cache.find(en.at(start_ms)).outcome, Outcome::follow);
  EXPECT_EQ(cache.find(de.at(start_ms)).outcome, Outcome::follow);
}

TEST(Fill, AuthorizationIsNeverShared) {
  Cache cache(config(), 1);
  Request request("/a", {{"Authorization", "Basic x"}});
  Lookup one = cache.find(request.at(start_ms));
  Lookup two = cache.find(request.at(start_ms));
  Request plain("/a");
  Lookup three = cache.find(plain.at(start_ms));
  EXPECT_EQ(one.outcome, Outcome::miss);
  EXPECT_EQ(two.outcome, Outcome::miss);
  EXPECT_EQ(three.outcome, Outcome::miss);
}

TEST(Fill, WhatBreaksIsNeverStored) {
  for (int how = 0; how < 5; ++how) {
    Cache cache(config(), 1);
    Request request("/a");
    Lookup lead = cache.find(request.at(start_ms));
    Lookup follower = cache.find(request.at(start_ms));
    Response response(minute);
    if (how >= 2) response.length(10);
    if (how > 0) lead.writer->head(response.head, start_ms, start_ms);
    if (how > 0) lead.writer->append(Slice::literal("12345"));
    switch (how) {
      case 0:
        lead.writer->abort(start_ms, 504);
        EXPECT_EQ(lead.reader->error_status(), 504);
        break;
      case 1:
        lead.writer.reset();
        break;
      case 2:
        EXPECT_FALSE(lead.writer->finish());
        break;
      case 3:
        EXPECT_FALSE(lead.writer->append(Slice::literal("1234567")));
        EXPECT_FALSE(lead.writer->finish());
        break;
      case 4:
        lead.writer->abort();
        break;
    }
    if (how > 0) EXPECT_EQ(drain(*follower.reader), "12345") << how;
    if (how == 0) EXPECT_EQ(lead.reader->state(), State::failed);
    EXPECT_EQ(follower.reader->state(), how > 0 ? State::failed : State::released) << how;
    EXPECT_EQ(cache.stats().objects, 0u) << how;
    EXPECT_EQ(cache.find(request.at(start_ms)).outcome, Outcome::miss) << how;
  }
}

// A body that turned out too long to be stored, with its window full.
struct Windowed {
  Windowed() {
    lead = cache.find(request.at(start_ms));
    slow = cache.find(request.at(start_ms));
    EXPECT_EQ(lead.writer->head(Response(minute).head, start_ms, start_ms), Verdict::stored);
  }
  void pour() {
    while (lead.writer->writable() && at < whole.size()) {
      size_t n = std::min<size_t>(16'000, whole.size() - at);
      stored += lead.writer->append(Slice::copy_of(std::string_view(whole).substr(at, n)));
      at += n;
      while (reading && lead.reader->state() == State::more) lead.reader->read(fast_got, 1 << 20);
    }
    EXPECT_LE(cache.stats().passing_bytes, Content::window_bytes + 100'000);
  }
  std::shared_ptr<CountingWaker> wait(Reader& reader) {
    auto waker = std::make_shared<CountingWaker>();
    reader.wait(waker);
    return waker;
  }
  Cache cache{config(8 << 20, 100'000), 1};
  Request request{"/a"};
  Lookup lead, slow;
  std::string whole = pattern(6 << 20);
  Body fast_got;
  size_t at = 0, stored = 0;
  bool reading = true;
};

TEST(Fill, TooLongStreamsThroughAWindow) {
  Windowed w;
  Body slow_got;
  auto waker = std::make_shared<CountingWaker>();
  for (int stall = 0; stall < 20; ++stall) {
    w.pour();
    int before = waker->count;
    w.lead.writer->wait_writable(waker);
    EXPECT_EQ(waker->count, before);
    while (waker->count == before) ASSERT_GT(w.slow.reader->read(slow_got, 20'000), 0u);
  }
  EXPECT_EQ(w.stored, 6u);
  w.pour();
  w.wait(*w.lead.reader);
  w.lead.writer->wait_writable(waker);
  ASSERT_TRUE(w.lead.writer->held_up());
  int before = waker->count;
  w.lead.writer->cut_slow();
  EXPECT_EQ(waker->count, before + 1) << "the producer goes on";
  Body more;
  EXPECT_EQ(w.slow.reader->state(), State::failed);
  EXPECT_EQ(w.slow.reader->read(more, 1000), 0u);
  while (w.at < w.whole.size()) w.pour();
  EXPECT_TRUE(w.lead.writer->finish());
  EXPECT_EQ(w.fast_got.to_string() + drain(*w.lead.reader), w.whole);
  EXPECT_EQ(w.slow.reader->state(), State::failed);
  EXPECT_TRUE(w.whole.starts_with(slow_got.to_string()));
  EXPECT_EQ(w.cache.stats().objects, 0u);
  EXPECT_EQ(w.cache.stats().too_large, 1u);
  EXPECT_EQ(w.cache.stats().passing_bytes, 0u);
}

TEST(Fill, NobodyIsCutWhoHoldsUpNobody) {
  Windowed w;
  w.reading = false;
  w.pour();  // both are slow
  EXPECT_FALSE(w.lead.writer->held_up());
  w.lead.writer->cut_slow();
  EXPECT_EQ(w.slow.reader->state(), State::more);
  EXPECT_EQ(w.lead.reader->state(), State::more);
  w.lead.reader->select(0, 10);
  w.lead.reader->read(w.fast_got, 10);
  EXPECT_EQ(w.lead.reader->state(), State::end);
  while (w.slow.reader->state() == State::more) w.slow.reader->read(w.fast_got, 1 << 20);
  w.wait(*w.slow.reader);
  EXPECT_TRUE(w.lead.writer->held_up());
  w.lead.writer->cut_slow();
  EXPECT_TRUE(w.lead.writer->writable());
  EXPECT_EQ(w.lead.reader->state(), State::end) << "it has all it asked for";
  w.lead.reader.reset();
  w.pour();  // one alone
  auto waker = w.wait(*w.slow.reader);
  EXPECT_EQ(waker->count, 1);
  EXPECT_FALSE(w.lead.writer->held_up());
  w.lead.writer->cut_slow();
  EXPECT_EQ(w.slow.reader->state(), State::more);
}

TEST(Fill, OnlyThoseAWholeWindowBehindAreCut) {
  Windowed w;
  Lookup near = w.cache.find(w.request.at(start_ms));
  ASSERT_EQ(near.outcome, Outcome::follow);
  w.pour();
  w.wait(*w.lead.reader);
  auto waker = w.wait(*w.slow.reader);
  EXPECT_EQ(waker->count, 1) << "it has what to read";
  Body got;
  near.reader->read(got, 20'000);
  w.lead.writer->cut_slow();
  EXPECT_EQ(w.slow.reader->state(), State::failed);
  EXPECT_EQ(near.reader->state(), State::more);
  EXPECT_TRUE(w.lead.writer->writable());
}

// Of several that match, the most recent is used (RFC 9111 §4): not the one whose body took longest.
TEST(Fill, WhatEndsLateIsNoMoreRecentForIt) {
  Cache cache(config(), 1);
  Request plain("/a"), keyed("/a", {{"User-Agent", "A"}});
  Lookup slow = cache.find(plain.at(start_ms));
  Lookup quick = cache.find(Request("/a", {{"User-Agent", "A"}, {"Authorization", "x"}}).at(start_ms));
  ASSERT_TRUE(slow.writer && quick.writer);
  ASSERT_EQ(slow.writer->head(Response(Pairs{{"Cache-Control", "max-age=60"}}).head, start_ms, start_ms),
            Writer::Verdict::stored);
  Response later({{"Cache-Control", "public, max-age=60"}, {"Vary", "User-Agent"}});
  ASSERT_EQ(fill(quick, later, "later", start_ms + 2000), Writer::Verdict::stored);
  slow.writer->append(Slice::copy_of("earlier"));
  ASSERT_TRUE(slow.writer->finish());
  Lookup found = cache.find(keyed.at(start_ms + 3000));
  ASSERT_EQ(found.outcome, Outcome::hit);
  EXPECT_EQ(body_of(found.object), "later");
  found = cache.find(plain.at(start_ms + 3000));
  ASSERT_EQ(found.outcome, Outcome::hit);
  EXPECT_EQ(body_of(found.object), "earlier");
}

TEST(Fill, NobodyLeftLetsTheProducerKnow) {
  Cache cache(config(8 << 20, 100'000), 1);
  Request request("/a");
  Lookup lead = cache.find(request.at(start_ms));
  Response response(minute);
  response.length(50 << 20);
  EXPECT_EQ(lead.writer->head(response.head, start_ms, start_ms), Verdict::uncacheable);
  std::string part = pattern(16'000);
  while (lead.writer->writable()) lead.writer->append(Slice::copy_of(part));
  auto waker = std::make_shared<CountingWaker>();
  lead.writer->wait_writable(waker);
  EXPECT_TRUE(lead.writer->wanted());
  lead.reader.reset();
  EXPECT_EQ(waker->count, 1);
  EXPECT_FALSE(lead.writer->wanted());
}

TEST(Memory, SmallObjectsPinNoLargeBlocks) {
  Cache cache(config(), 1);
  uint64_t before = cache.stats().bytes;
  Request request("/a");
  Lookup lead = cache.find(request.at(start_ms));
  Response response(minute);
  lead.writer->head(response.head, start_ms, start_ms);
  Slice piece;
  piece.block = BlockRef::make(Block::standard_capacity);
  piece.data = piece.block->data();
  std::memset(piece.block->data(), 'x', 1024);
  piece.size = 1024;
  lead.writer->append(piece);
  lead.writer->finish();
  EXPECT_TRUE(piece.block.unique());
  EXPECT_LT(cache.stats().bytes - before, 3000u);
  EXPECT_GT(cache.stats().bytes - before, 1024u);
}

TEST(Memory, NothingIsLeftOnTheAccount) {
  Cache cache(config(), 1);
  const uint64_t empty = cache.stats().bytes;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 20; ++i) store(cache, "/" + std::to_string(i), minute, pattern(static_cast<size_t>(i) * 3000));
    for (int i = 0; i < 20; ++i) EXPECT_EQ(cache.purge("http://example.com/" + std::to_string(i)), 1u);
    EXPECT_EQ(cache.stats().bytes, empty);
  }
}

TEST(Memory, StaysInItsBudgetUnderChurn) {
  constexpr uint64_t budget = 1 << 20;
  Cache cache(config(budget, budget / 4), 1);
  Rng rng(7);
  std::vector<ObjectRef> held;  // slow readers keep old objects alive
  std::vector<Lookup> open;
  for (int i = 0; i < 5000; ++i) {
    Request request("/" + std::to_string(rng.below(400)));
    Lookup l = cache.find(request.at(start_ms));
    if (l.outcome == Outcome::hit && rng.below(20) == 0) held.push_back(l.object);
    if (held.size() > 10) held.erase(held.begin());
    if (l.writer) {
      Response response(rng.below(10) == 0 ? Pairs{{"Cache-Control", "no-store"}} : minute);
      std::string body = pattern(rng.below(40'000));
      if (rng.below(2)) response.length(body.size());
      l.writer->head(response.head, start_ms, start_ms);
      for (size_t at = 0; at < body.size(); at += 7000)
        l.writer->append(Slice::copy_of(std::string_view(body).substr(at, 7000)));
      if (rng.below(5) == 0) {
        open.push_back(std::move(l));  // stays unfinished
        if (open.size() > 8) open.erase(open.begin());
      } else {
        ASSERT_TRUE(l.writer->finish());
      }
    }
    ASSERT_LE(cache.stats().bytes, budget);
  }
  EXPECT_GT(cache.stats().evictions, 100u);
  EXPECT_GT(cache.stats().hits, 100u);
  EXPECT_GT(cache.stats().bytes, budget / 2);
}

TEST(Memory, FillsAloneNeverExceedTheBudget) {
  constexpr uint64_t budget = 256 << 10;
  Cache cache(config(budget, budget / 4), 1);
  std::vector<Lookup> open;
  size_t refused = 0;
  for (int i = 0; i < 500; ++i) {
    Request request("/" + std::to_string(i));
    Lookup l = cache.find(request.at(start_ms));
    if (!l.writer) {
      EXPECT_EQ(l.outcome, Outcome::bypass);
      ++refused;
    }
    open.push_back(std::move(l));
    ASSERT_LE(cache.stats().bytes, budget);
  }
  EXPECT_GT(refused, 0u);
  open.clear();
  EXPECT_EQ(cache.stats().bytes, Cache(config(budget, budget / 4), 1).stats().bytes);
  EXPECT_EQ(cache.stats().filling, 0u);
}

TEST(Memory, TheLeastRecentlyUsedGoesFirst) {
  CacheConfig lru = config(200'000, 50'000);
  lru.eviction = "lru";
  Cache cache(lru, 1);
  for (int i = 0; i < 8; ++i) store(cache, "/" + std::to_string(i), minute, pattern(20'000));
  Request first("/0"), second("/1");
  EXPECT_EQ(cache.find(first.at(start_ms)).outcome, Outcome::hit);
  for (int i = 10; i < 14; ++i) store(cache, "/" + std::to_string(i), minute, pattern(20'000));
  EXPECT_EQ(cache.find(first.at(start_ms)).outcome, Outcome::hit);
  EXPECT_EQ(cache.find(second.at(start_ms)).outcome, Outcome::miss);
}

TEST(Memory, AnotherPolicyKeepsWhatIsStored) {
  CacheConfig c = config();
  Cache cache(c, 1);
  for (int i = 0; i < 20; ++i) store(cache, "/" + std::to_string(i), minute, pattern(1000));
  for (const char* eviction : {"lru", "sieve", "s3-fifo"}) {
    c.eviction = eviction;
    c.memory_bytes *= 2;
    cache.reconfigure(c);
    for (int i = 0; i < 20; ++i) {
      Request request("/" + std::to_string(i));
      EXPECT_EQ(cache.find(request.at(start_ms)).outcome, Outcome::hit) << eviction;
    }
  }
  EXPECT_EQ(cache.stats().evictions, 0u);
  c.memory_bytes = 32 << 10;
  cache.reconfigure(c);
  EXPECT_LE(cache.stats().bytes, cache.stats().budget);
  EXPECT_GT(cache.stats().evictions, 0u);
}

// Requests that can't be answered from a cache leave notes; many of them must not push out what can.
TEST(Memory, NotesDontPushOutAnswers) {
  Cache cache(config(1 << 20, 256 << 10), 1);
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 20; ++i) {
      Request request("/" + std::to_string(i));
      Lookup l = cache.find(request.at(start_ms));
      if (l.writer) fill(l, Response(minute), pattern(20'000));
    }
  }
  for (int i = 0; i < 3000; ++i) {
    Request request("/private/" + std::to_string(i));
    Lookup l = cache.find(request.at(start_ms));
    fill(l, Response(Pairs{{"Cache-Control", "no-store"}}), "x");
  }
  for (int i = 0; i < 20; ++i) {
    Request request("/" + std::to_string(i));
    EXPECT_EQ(cache.find(request.at(start_ms)).outcome, Outcome::hit) << i;
  }
}

}  // namespace
}  // namespace portolan::edge::test
