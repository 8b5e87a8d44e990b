// Servers that don't give parts as they are asked for.
#include "edge/inspect.hh"
#include "tests/unit/edge/parts_server.hh"

namespace portolan::edge::test {
namespace {

// RFC 9110 §15.3.7: a server may send less than was asked for. Each part goes on where the last one ended.
TEST(PartsTrouble, ShortOnesAreGoneOnWith) {
  Cache cache(config(64 << 20), 1);
  Server server;
  PartsReader reader(begin(cache, server, "bytes=5000000-5000009"));
  reader.select(mib + 900'000, 10);
  constexpr uint64_t most = 64 << 10;
  uint64_t next = mib;
  Body out;
  while (reader.state() == State::absent) {
    auto writer = reader.fetch();
    http::ByteRange asked = http::parse_range(Server::asked_by(*writer)[0].second, server.size).ranges.at(0);
    EXPECT_EQ(asked.first, next);
    ASSERT_EQ(writer->head(server.part(next, most)->head, start_ms, start_ms), Verdict::stored);
    writer->append(Slice::copy_of(bytes_of(next, most)));
    writer->finish();
    next += most;
  }
  reader.read(out, 10);
  EXPECT_EQ(out.to_string(), bytes_of(mib + 900'000, 10));
  EXPECT_EQ(next, mib + 14 * most);
}

TEST(PartsTrouble, OneThatBreaksAgainAndAgainIsCompletedAllTheSame) {
  Cache cache(config(64 << 20), 1);
  Server server;
  PartsReader reader(begin(cache, server, "bytes=0-9"));
  reader.select(mib, mib);
  Body out;
  int fetches = 0;
  for (; reader.state() != State::end; ++fetches) {
    ASSERT_EQ(reader.state(), State::absent);
    server.answer(*reader.fetch(), 300'000);
    while (reader.state() == State::more) reader.read(out, 100'000);
  }
  EXPECT_EQ(out.to_string(), bytes_of(mib, mib));
  EXPECT_EQ(fetches, 4);
  EXPECT_EQ(cache.stats().fragments, 2u);
}

TEST(PartsTrouble, ShortOnesOfNextToNothingAreNot) {
  Cache cache(config(64 << 20), 1);
  Server server;
  PartsReader reader(begin(cache, server, "bytes=0-9"));
  reader.select(mib, mib);
  int fetches = 0;
  for (; reader.state() != State::failed; ++fetches) {
    ASSERT_LT(fetches, 10);
    if (reader.state() == State::absent) server.answer(*reader.fetch(), 100);
    Body out;
    while (reader.state() == State::more) reader.read(out, 100'000);
  }
  EXPECT_EQ(fetches, 2);
}

// A server that doesn't give parts makes the URL no less servable: who wants the whole asks for the whole.
TEST(PartsTrouble, WhereTheyCantBeHadTheWholeIsAskedFor) {
  for (bool fails : {true, false}) {
    SCOPED_TRACE(fails);
    Cache cache(config(64 << 20), 1);
    Server server;
    ObjectRef object = begin(cache, server, "bytes=0-9");
    Request plain("/big"), known("/big", {{"If-None-Match", "\"v1\""}});
    ASSERT_EQ(cache.find(plain.at(start_ms)).outcome, Outcome::hit);
    PartsReader reader(object);
    reader.select(mib, 5);
    if (fails) {
      for (int tries = 0; tries < 2; ++tries) {
        ASSERT_EQ(reader.state(), State::absent);
        reader.fetch()->head(Response(Pairs{}, 500).head, start_ms, start_ms);
      }
      ASSERT_EQ(reader.state(), State::failed);
    } else {
      ASSERT_EQ(reader.state(), State::absent);
      auto writer = reader.fetch();
      writer->head(server.part(mib, 1000)->head, start_ms, start_ms);
      writer->append(Slice::copy_of(bytes_of(mib, 1000)));
      writer->finish();
    }
    EXPECT_EQ(Ask("bytes=0-9").of(cache).outcome, Outcome::hit) << "what is there is good";
    EXPECT_EQ(cache.find(known.at(start_ms)).outcome, Outcome::hit);
    Lookup whole = cache.find(plain.at(start_ms));
    ASSERT_EQ(whole.outcome, Outcome::miss);
    EXPECT_EQ(whole.forward, Forward::partial);
    EXPECT_EQ(Server::asked_by(*whole.writer), Pairs{});
    EXPECT_EQ(cache.find(plain.at(start_ms)).outcome, Outcome::follow);
    ASSERT_EQ(whole.writer->head(server.whole()->head, start_ms, start_ms), Verdict::stored);
    whole.writer->append(Slice::copy_of(bytes_of(0, server.size)));
    whole.writer->finish();
    EXPECT_EQ(cache.find(plain.at(start_ms)).outcome, Outcome::hit);
    EXPECT_EQ(cache.stats().objects, 1u);
  }
}

TEST(PartsTrouble, OneThatBeginsElsewhereIsForNobody) {
  Cache cache(config(64 << 20), 1);
  Server server;
  Lookup lead = Ask("bytes=10-19").of(cache);
  EXPECT_EQ(lead.writer->head(server.part(1, mib)->head, start_ms, start_ms), Verdict::dropped);
  EXPECT_EQ(lead.reader->state(), Reader::State::released);
  EXPECT_FALSE(lead.reader->retry());
  EXPECT_EQ(Ask("bytes=10-19").of(cache).outcome, Outcome::bypass) << "nor is the next one asked for in parts";
}

TEST(PartsTrouble, AreOneHitARequest) {
  Cache cache(config(64 << 20), 1);
  Server server;
  ObjectRef object = begin(cache, server, "bytes=0-");
  PartsReader first(object);
  EXPECT_EQ(read_all(first, server), bytes_of(0, server.size));
  Lookup hit = Ask("bytes=0-").of(cache);
  ASSERT_EQ(hit.outcome, Outcome::hit);
  PartsReader reader(hit.object);
  EXPECT_TRUE(reader.has(0, server.size));
  EXPECT_EQ(read_all(reader, server), bytes_of(0, server.size));
  ASSERT_EQ(cache.top(1).size(), 1u);
  EXPECT_EQ(cache.top(1)[0].hits, 1u);
  Cache other(config(64 << 20), 1);
  PartsReader partly(begin(other, server, "bytes=0-9"));
  EXPECT_TRUE(partly.has(10, mib - 10));
  EXPECT_FALSE(partly.has(10, mib));
}

}  // namespace
}  // namespace portolan::edge::test
