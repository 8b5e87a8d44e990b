// Objects kept in fragments.
#include "edge/parts.hh"

#include <atomic>
#include <thread>

#include "core/base/clock.hh"
#include "tests/unit/edge/parts_server.hh"

namespace portolan::edge::test {
namespace {

TEST(Parts, ARangeOfWhatIsNotThereFetchesWholeFragmentsAndKeepsThem) {
  Cache cache(config(64 << 20), 1);
  Server server;
  Ask ask("bytes=1500000-1600000");
  Lookup lead = ask.of(cache);
  ASSERT_EQ(lead.outcome, Outcome::miss);
  EXPECT_EQ(Server::asked_by(*lead.writer), (Pairs{{"Range", "bytes=1048576-2097151"}}));
  EXPECT_EQ(ask.of(cache).outcome, Outcome::follow);
  ASSERT_EQ(lead.writer->head(server.part(mib, mib)->head, start_ms, start_ms), Verdict::stored);
  lead.writer->append(Slice::copy_of(bytes_of(mib, mib)));
  EXPECT_TRUE(lead.writer->writable() && lead.writer->wanted());  // its end is to be seen, whoever reads
  EXPECT_TRUE(lead.writer->finish());
  ObjectRef object = lead.reader->object();
  ASSERT_TRUE(object && object->parts());
  EXPECT_EQ(object->status(), 200);
  EXPECT_EQ(object->content_length(), server.size);
  EXPECT_FALSE(object->fields().has(http::FieldId::content_range));
  PartsReader reader(object);
  reader.select(1'500'000, 100'001);
  EXPECT_EQ(read_all(reader, server), bytes_of(1'500'000, 100'001));
  EXPECT_EQ(cache.stats().fragments, 1u);

  Lookup hit = Ask("bytes=0-").of(cache);
  ASSERT_EQ(hit.outcome, Outcome::hit);
  PartsReader whole(hit.object);
  EXPECT_EQ(whole.state(), State::absent);
  auto writer = whole.fetch();  // as far as what is there
  EXPECT_EQ(Server::asked_by(*writer), (Pairs{{"Range", "bytes=0-1048575"}, {"If-Range", "\"v1\""}}));
  server.answer(*writer);
  int fetches = 0;
  EXPECT_EQ(read_all(whole, server, &fetches), bytes_of(0, server.size));
  EXPECT_EQ(fetches, 1);  // all that was missing behind it
  EXPECT_EQ(cache.stats().fragments, 10u);
  PartsReader again(hit.object);
  fetches = 0;
  EXPECT_EQ(read_all(again, server, &fetches), bytes_of(0, server.size));
  EXPECT_EQ(fetches, 0);
}

TEST(Parts, TheLastBytesOfWhatIsNotThere) {
  Cache cache(config(64 << 20), 1);
  Server server;
  server.size = 10 * mib + 12'345;
  Ask ask("bytes=-20000");
  Lookup lead = ask.of(cache);
  EXPECT_EQ(Server::asked_by(*lead.writer), (Pairs{{"Range", "bytes=-1068576"}}));
  server.answer(*lead.writer);
  PartsReader reader(lead.reader->object());
  reader.select(server.size - 20'000, 20'000);
  EXPECT_EQ(read_all(reader, server), bytes_of(server.size - 20'000, 20'000));
  EXPECT_EQ(cache.stats().fragments, 1u + 1u);  // the last, and the short one behind it
}

TEST(Parts, APartThatIsTheWholeIsStoredAsOne) {
  Cache cache(config(64 << 20), 1);
  Server server;
  server.size = 1000;
  server.etag.clear();  // nothing needs to be combined
  Lookup lead = Ask("bytes=10-19").of(cache);
  lead.writer->head(server.part(0, 1000)->head, start_ms, start_ms);
  lead.writer->append(Slice::copy_of(bytes_of(0, 1000)));
  EXPECT_TRUE(lead.writer->finish());
  Request request("/big");
  Lookup hit = cache.find(request.at(start_ms));
  ASSERT_EQ(hit.outcome, Outcome::hit);
  EXPECT_FALSE(hit.object->parts());
  EXPECT_EQ(body_of(hit.object), bytes_of(0, 1000));
}

TEST(Parts, OneThatContradictsItselfIsForNobody) {
  struct Case {
    const char* content_range;
    uint64_t length;
    const char* etag;
  };
  for (const Case& c : {Case{"bytes 0-1048574/10485760", mib, "\"v1\""}, Case{"bytes 0-1048575/*", mib, "\"v1\""},
                        Case{"bytes 0-1048575/1000", mib, "\"v1\""}, Case{"", mib, "\"v1\""},
                        Case{"bytes */10485760", mib, "\"v1\""}, Case{"bytes 0-1048575/10485760", mib, "W/\"v1\""},
                        Case{"bytes 0-1048575/10485760", mib, ""}, Case{"chunks 0-1048575/10485760", mib, "\"v1\""}}) {
    SCOPED_TRACE(std::string(c.content_range) + c.etag);
    Cache cache(config(64 << 20), 1);
    Lookup lead = Ask("bytes=0-9").of(cache);
    Lookup follower = Ask("bytes=20-29").of(cache);
    Request plain("/big");
    Lookup whole = cache.find(plain.at(start_ms));
    ASSERT_EQ(follower.outcome, Outcome::follow);
    ASSERT_EQ(whole.outcome, Outcome::follow);
    Pairs fields{{"Cache-Control", "max-age=60"}};
    if (*c.etag) fields.emplace_back("ETag", c.etag);
    if (*c.content_range) fields.emplace_back("Content-Range", c.content_range);
    Response response(fields, 206);
    response.length(c.length);
    EXPECT_EQ(lead.writer->head(response.head, start_ms, start_ms), Verdict::dropped);
    EXPECT_FALSE(lead.writer->wanted());
    for (Reader* reader : {lead.reader.get(), follower.reader.get()}) {
      EXPECT_EQ(reader->state(), Reader::State::released);
      EXPECT_FALSE(reader->retry());
    }
    EXPECT_TRUE(whole.reader->retry());
    // Remembered for those who want a part; the whole may be stored.
    EXPECT_EQ(Ask("bytes=0-9").of(cache).outcome, Outcome::bypass);
    EXPECT_EQ(cache.find(plain.at(start_ms)).outcome, Outcome::miss);
    EXPECT_EQ(cache.stats().fragments, 0u);
  }
}

TEST(Parts, OfTwoVersionsAreNeverCombined) {
  for (int how = 0; how < 5; ++how) {
    SCOPED_TRACE(how);
    Cache cache(config(64 << 20), 1);
    Server server, changed;
    ObjectRef object = begin(cache, server, "bytes=0-9");
    PartsReader reader(object);
    reader.select(mib, 5);
    ASSERT_EQ(reader.state(), State::absent);
    auto writer = reader.fetch();
    ASSERT_TRUE(writer);
    changed.etag = "\"v2\"";
    Verdict verdict = Verdict::stored;
    if (how == 0) verdict = writer->head(changed.part(mib, mib)->head, start_ms, start_ms);
    if (how == 1) verdict = writer->head(changed.whole()->head, start_ms, start_ms);
    if (how == 2) verdict = writer->head(server.part(0, mib)->head, start_ms, start_ms);  // not what was asked for
    changed.etag = "\"v1\"";
    changed.size += 1;
    if (how == 3) verdict = writer->head(changed.part(mib, mib)->head, start_ms, start_ms);
    if (how == 4) verdict = writer->head(Response(Pairs{}, 404).head, start_ms, start_ms);
    EXPECT_EQ(verdict, Verdict::dropped);
    EXPECT_EQ(reader.state(), State::failed);
    EXPECT_TRUE(reader.outdated());
    EXPECT_EQ(Ask("bytes=0-9").of(cache).outcome, Outcome::miss);
    PartsReader stored(object);  // who reads what is there reads on
    stored.select(0, mib);
    EXPECT_EQ(read_all(stored, server), bytes_of(0, mib));
  }
}

TEST(Parts, AServerInTroubleSaysNothingOfTheVersion) {
  Cache cache(config(64 << 20), 1);
  Server server;
  PartsReader reader(begin(cache, server, "bytes=0-9"));
  reader.select(mib, 5);
  for (int tries = 0; tries < 2; ++tries) {
    ASSERT_EQ(reader.state(), State::absent);
    EXPECT_EQ(reader.fetch()->head(Response(Pairs{}, 503).head, start_ms, start_ms), Verdict::dropped);
  }
  EXPECT_EQ(reader.state(), State::failed);
  EXPECT_FALSE(reader.outdated());
  EXPECT_EQ(Ask("bytes=0-9").of(cache).outcome, Outcome::hit);
}

TEST(Parts, OneThatBreaksIsNeverStoredAndFetchedAgainOnce) {
  Cache cache(config(64 << 20), 1);
  Server server;
  PartsReader reader(begin(cache, server, "bytes=0-9"));
  reader.select(mib, 2 * mib);
  ASSERT_EQ(reader.state(), State::absent);
  server.answer(*reader.fetch(), mib + 1000);
  EXPECT_EQ(cache.stats().fragments, 2u);  // what came whole is whole
  Body out;
  while (reader.state() == State::more) reader.read(out, 100'000);
  EXPECT_EQ(out.to_string(), bytes_of(mib, mib));
  ASSERT_EQ(reader.state(), State::absent);
  EXPECT_EQ(read_all(reader, server), bytes_of(2 * mib, mib));

  PartsReader unlucky(begin(cache, server, "bytes=0-9"));
  unlucky.select(5 * mib, 10);
  for (int tries = 0; tries < 2; ++tries) {
    ASSERT_EQ(unlucky.state(), State::absent);
    server.answer(*unlucky.fetch(), 0);
  }
  EXPECT_EQ(unlucky.state(), State::failed);
  EXPECT_EQ(cache.stats().fragments, 3u);
}

TEST(Parts, MoreThanWasSaidIsNotBelieved) {
  Cache cache(config(64 << 20), 1);
  Server server;
  Lookup lead = Ask("bytes=0-9").of(cache);
  auto response = server.part(0, mib);
  response->head.framing = http::Framing::chunked;
  ASSERT_EQ(lead.writer->head(response->head, start_ms, start_ms), Verdict::stored);
  lead.writer->append(Slice::copy_of(bytes_of(0, mib)));
  lead.writer->append(Slice::copy_of("x"));
  EXPECT_FALSE(lead.writer->finish());
  EXPECT_EQ(Ask("bytes=0-9").of(cache).outcome, Outcome::miss);
}

TEST(Parts, OneFetchForAllWhoNeedAFragment) {
  Cache cache(config(64 << 20), 1);
  Server server;
  ObjectRef object = begin(cache, server, "bytes=0-9");
  PartsReader one(object), two(object), three(object);
  for (PartsReader* r : {&one, &two, &three}) r->select(mib, mib);
  auto waker = std::make_shared<CountingWaker>();
  ASSERT_EQ(one.state(), State::absent);
  ASSERT_EQ(two.state(), State::absent);
  auto writer = one.fetch();
  EXPECT_FALSE(two.fetch());
  EXPECT_EQ(two.state(), State::wait);
  EXPECT_EQ(three.state(), State::wait);
  two.wait(waker);
  server.answer(*writer, 5000);
  EXPECT_GT(waker->count, 0);
  EXPECT_EQ(two.state(), State::more);  // what came before it broke, then whoever comes first asks again
  EXPECT_EQ(read_all(three, server), bytes_of(mib, mib));
  int fetches = 0;
  EXPECT_EQ(read_all(two, server, &fetches), bytes_of(mib, mib));
  EXPECT_EQ(read_all(one, server, &fetches), bytes_of(mib, mib));
  EXPECT_EQ(fetches, 0);
}

TEST(Parts, ALargeAnswerIsKeptInPartsAsItComes) {
  Cache cache(config(64 << 20), 1);
  Server server;
  Request request("/big");
  Lookup lead = cache.find(request.at(start_ms));
  ASSERT_EQ(lead.writer->head(server.whole()->head, start_ms, start_ms), Verdict::stored);
  PartsReader reader(lead.reader->object());
  Body out;
  uint64_t at = 0;
  auto waker = std::make_shared<CountingWaker>();
  ASSERT_EQ(reader.state(), State::wait);
  while (lead.writer->writable() && at < server.size) {
    lead.writer->append(Slice::copy_of(bytes_of(at, mib / 2)));
    at += mib / 2;
  }
  EXPECT_EQ(at, 4 * mib);  // so far ahead of its fastest reader
  lead.writer->wait_writable(waker);
  EXPECT_EQ(waker->count, 0);
  PartsReader fast(lead.reader->object()), ranged(lead.reader->object());
  ranged.select(mib, 10);
  Body fast_out;
  while (fast.state() == State::more) fast.read(fast_out, 100'000);
  EXPECT_EQ(fast_out.size(), at);
  EXPECT_EQ(waker->count, 1);  // for more, now that one is at the end of what there is
  while (at < server.size) {
    if (!lead.writer->writable()) {
      while (fast.state() == State::more) fast.read(fast_out, 100'000);
    }
    lead.writer->append(Slice::copy_of(bytes_of(at, mib / 2)));
    at += mib / 2;
  }
  EXPECT_TRUE(lead.writer->finish());
  int fetches = 0;
  EXPECT_EQ(fast_out.to_string() + read_all(fast, server, &fetches), bytes_of(0, server.size));
  EXPECT_EQ(read_all(reader, server, &fetches), bytes_of(0, server.size));
  EXPECT_EQ(read_all(ranged, server, &fetches), bytes_of(mib, 10));
  EXPECT_EQ(fetches, 0);
}

TEST(Parts, ARunEndsWhenNobodyReadsItAnyMore) {
  Cache cache(config(64 << 20), 1);
  Server server;
  Request request("/big");
  Lookup lead = cache.find(request.at(start_ms));
  lead.writer->head(server.whole()->head, start_ms, start_ms);
  {
    PartsReader reader(lead.reader->object());
    reader.state();
  }
  auto waker = std::make_shared<CountingWaker>();
  uint64_t at = 0;
  for (; lead.writer->wanted(); at += mib / 2) lead.writer->append(Slice::copy_of(bytes_of(at, mib / 2)));
  EXPECT_EQ(at, 4 * mib);
  lead.writer->wait_writable(waker);
  EXPECT_EQ(waker->count, 1);  // not to sleep, but to see that it is over
  lead.writer.reset();
  EXPECT_EQ(cache.stats().fragments, 4u);
}

TEST(Parts, WithoutRangesOrAStrongValidatorALargeAnswerPassesThrough) {
  for (int how = 0; how < 3; ++how) {
    CacheConfig settings = config(64 << 20);
    settings.fragments = how != 2;
    Cache cache(settings, 1);
    Server server;
    if (how == 0) server.fields.pop_back();
    if (how == 1) server.etag = "W/\"v1\"";
    Request request("/big");
    Lookup lead = cache.find(request.at(start_ms));
    EXPECT_EQ(lead.writer->head(server.whole()->head, start_ms, start_ms), Verdict::uncacheable);
    EXPECT_EQ(cache.stats().too_large, 1u);
    if (how == 2) EXPECT_EQ(Ask("bytes=0-9", "/other").of(cache).outcome, Outcome::bypass);
  }
}

TEST(Parts, AnAnswerThatIgnoresTheRangeIsStoredWhereItFits) {
  Cache cache(config(64 << 20), 1);
  Server server;
  server.size = 100'000;
  Lookup lead = Ask("bytes=10-19").of(cache);
  ASSERT_EQ(lead.writer->head(server.whole()->head, start_ms, start_ms), Verdict::stored);
  lead.reader->select(10, 10);
  lead.writer->append(Slice::copy_of(bytes_of(0, server.size)));
  EXPECT_TRUE(lead.writer->finish());
  EXPECT_EQ(drain(*lead.reader), bytes_of(10, 10));
  Server large;
  Lookup other = Ask("bytes=10-19", "/large").of(cache);
  EXPECT_EQ(other.writer->head(large.whole()->head, start_ms, start_ms), Verdict::uncacheable);
}

TEST(Parts, AreEvictedOneByOneAndFetchedAgain) {
  Cache cache(config(8 << 20), 1);
  Server server;
  server.size = 40 * mib;
  server.paced = true;
  PartsReader reader(begin(cache, server, "bytes=0-9"));
  int fetches = 0;
  EXPECT_EQ(read_all(reader, server, &fetches), bytes_of(0, server.size));
  Stats stats = cache.stats();
  EXPECT_LE(stats.bytes, stats.budget);
  EXPECT_GT(stats.fragments, 2u);
  EXPECT_LT(stats.fragments, 9u);
  EXPECT_GT(stats.evictions, 25u);
  EXPECT_EQ(Ask("bytes=0-9").of(cache).outcome, Outcome::hit);  // the head is of use with every fragment
  PartsReader again(begin(cache, server, "bytes=0-9"));
  EXPECT_EQ(read_all(again, server, &fetches), bytes_of(0, server.size));
  EXPECT_LE(cache.stats().bytes, cache.stats().budget);
}

TEST(Parts, AStaleOneIsValidatedTogetherWithTheRange) {
  Cache cache(config(64 << 20), 1);
  Server server;
  ObjectRef object = begin(cache, server, "bytes=0-9");
  Ask ask("bytes=5-7");
  Lookup stale = cache.find(ask.request.at(start_ms + 61'000));
  ASSERT_EQ(stale.outcome, Outcome::stale);
  EXPECT_EQ(Server::asked_by(*stale.writer), (Pairs{{"Range", "bytes=0-1048575"}, {"If-None-Match", "\"v1\""}}));
  Response same(Pairs{{"Cache-Control", "max-age=60"}, {"ETag", "\"v1\""}}, 304);
  EXPECT_EQ(stale.writer->head(same.head, start_ms + 61'000, start_ms + 61'000), Verdict::not_modified);
  ASSERT_EQ(stale.reader->object()->parts(), object->parts());
  PartsReader reader(stale.reader->object());
  reader.select(5, 3);
  EXPECT_EQ(reader.state(), State::more);

  Lookup changed = cache.find(ask.request.at(start_ms + 130'000));
  server.etag = "\"v2\"";
  changed.writer->head(server.part(0, mib)->head, start_ms + 130'000, start_ms + 130'000);
  EXPECT_NE(changed.reader->object()->parts(), object->parts());
  EXPECT_EQ(changed.reader->object()->etag(), "\"v2\"");
}

TEST(Parts, PurgeTakesThemOutOfSight) {
  Cache cache(config(64 << 20), 1);
  Server server;
  begin(cache, server, "bytes=0-9");
  EXPECT_EQ(cache.purge("http://example.com/big"), 1u);
  EXPECT_EQ(Ask("bytes=0-9").of(cache).outcome, Outcome::miss);
}

TEST(Parts, RangesThatCannotBeAlignedAreAskedForAsTheyAre) {
  auto asked = [](const std::string& value) {
    http::Fields fields;
    fields.add("Range", value);
    return aligned_range(fields);
  };
  EXPECT_EQ(asked("bytes=0-"), "bytes=0-");
  EXPECT_EQ(asked("bytes=1048577-"), "bytes=1048576-");
  EXPECT_EQ(asked("bytes=0-18446744073709551615"), "bytes=0-");
  EXPECT_EQ(asked("bytes=5-6,2000000-3000000"), "bytes=0-1048575");
  EXPECT_EQ(asked("bytes=1048575-1048576"), "bytes=0-2097151");
  EXPECT_EQ(asked("lines=1-2"), "");
  EXPECT_EQ(asked("bytes=x"), "");
}

// What one reads while others fetch, evict, purge and leave is always right.
void read_at_random(Cache& cache, const Server& server, uint64_t seed, std::atomic<uint64_t>& right) {
  Rng rng(seed);
  for (int round = 0; round < 60; ++round) {
    if (rng.below(30) == 0) cache.purge("http://example.com/big");
    uint64_t first = rng.below(server.size), count = 1 + rng.below(std::min<uint64_t>(server.size - first, 3 * mib));
    Ask ask("bytes=" + std::to_string(first) + "-" + std::to_string(first + count - 1));
    Lookup lookup = ask.of(cache);
    if (lookup.writer) server.answer(*lookup.writer, rng.below(10) ? UINT64_MAX : rng.below(mib));
    lookup.writer.reset();
    while (lookup.reader && lookup.reader->state() == Reader::State::pending) {
      auto signal = std::make_shared<Signal>();
      lookup.reader->wait(signal);
      signal->wait();
    }
    ObjectRef object = lookup.reader ? lookup.reader->object() : lookup.object;
    if (!object || !object->parts()) continue;
    PartsReader reader(object);
    reader.select(first, count);
    Body out;
    for (bool over = false; !over;) {
      switch (reader.state()) {
        case State::more:
          reader.read(out, 200'000);
          over = rng.below(100) == 0;
          break;
        case State::wait: {
          auto signal = std::make_shared<Signal>();
          reader.wait(signal);
          signal->wait();
          break;
        }
        case State::absent:
          if (auto writer = reader.fetch()) server.answer(*writer, rng.below(10) ? UINT64_MAX : rng.below(mib));
          break;
        default:
          over = true;
      }
    }
    ASSERT_EQ(out.to_string(), bytes_of(first, out.size()));
    right += out.size() == count;
  }
}

TEST(Parts, ManyThreadsReadFetchEvictAndPurge) {
  Cache cache(config(12 << 20), 1);
  Server server;
  server.size = 16 * mib + 5;
  server.paced = true;
  std::atomic<uint64_t> right{0};
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < 4; ++i) threads.emplace_back([&, i] { read_at_random(cache, server, i + 1, right); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(right.load(), 50u);
  Stats stats = cache.stats();
  EXPECT_LE(stats.bytes, stats.budget);
  EXPECT_EQ(stats.filling, 0u);
  EXPECT_EQ(stats.passing_bytes, 0u);
}

}  // namespace
}  // namespace portolan::edge::test
