// What one client's request brings about doesn't cost all others what they have.
#include "edge/inspect.hh"
#include "edge/parts_reader.hh"
#include "tests/unit/edge/support.hh"

namespace portolan::edge::test {
namespace {

using Verdict = Writer::Verdict;

constexpr int64_t second = 1000;
const Pairs hour = {{"Cache-Control", "max-age=3600"}, {"ETag", "\"1\""}};

Lookup ask(Cache& cache, int64_t at_ms, const Pairs& fields = {}) {
  Request request("/a", fields);
  return cache.find(request.at(at_ms));
}

// The request gets past the store, and this is its answer.
void answered(Cache& cache, int64_t at_ms, const Pairs& fields, int status, const Pairs& answer) {
  Lookup lookup = ask(cache, at_ms, fields);
  ASSERT_EQ(lookup.outcome, Outcome::stale);
  Response response(answer, status);
  if (lookup.writer->head(response.head, at_ms, at_ms) == Verdict::not_modified) return;
  lookup.writer->append(Slice::copy_of("another"));
  lookup.writer->finish();
}

TEST(Others, WhatIsFreshOutlivesAnAnswerThatIsOnesOwn) {
  const struct {
    Pairs asked;
    int status;
    Pairs answer;
  } rows[] = {
      {{{"Authorization", "x"}}, 200, {{"Cache-Control", "max-age=60"}}},
      {{{"Authorization", "x"}}, 200, {{"Cache-Control", "private"}}},
      {{{"Authorization", "x"}}, 304, {}},
      {{{"Authorization", "x"}}, 304, {{"Cache-Control", "private"}}},
      {{{"Authorization", "x"}}, 304, {{"ETag", "\"2\""}}},
      {{{"Authorization", "x"}}, 404, {{"Cache-Control", "max-age=60"}}},
      {{{"X-Odd", "\\"}}, 400, {}},
      {{}, 401, {}},
      {{{"User-Agent", "sqlmap"}}, 403, {{"Cache-Control", "no-store"}}},
      {{{"Accept", "no/such"}}, 406, {}},
      {{}, 429, {}},
      {{}, 200, {{"Cache-Control", "private"}}},
      {{}, 200, {{"Cache-Control", "max-age=60"}, {"Set-Cookie", "a=b"}}},
  };
  for (const auto& row : rows) {
    Cache cache(config(), 1);
    store(cache, "/a", hour, "good");
    Pairs asked = row.asked;
    asked.emplace_back("Cache-Control", "no-cache");
    answered(cache, start_ms + second, asked, row.status, row.answer);
    Lookup after = ask(cache, start_ms + 2 * second);
    ASSERT_EQ(after.outcome, Outcome::hit) << row.status << (row.asked.empty() ? "" : row.asked[0].first);
    EXPECT_EQ(body_of(after.object), "good");
  }
}

TEST(Others, WhatIsFreshOutlivesAnAnswerThatIsTooLong) {
  for (bool declared : {false, true}) {
    Cache cache(config(), 1);
    store(cache, "/a", hour, "good");
    Lookup lookup = ask(cache, start_ms + second, {{"Cache-Control", "no-cache"}});
    Response response(hour);
    if (declared) response.length(2 << 20);
    lookup.writer->head(response.head, start_ms + second, start_ms + second);
    for (int i = 0; i < 20; ++i) lookup.writer->append(Slice::copy_of(std::string(100'000, 'x')));
    lookup = {};
    ASSERT_EQ(ask(cache, start_ms + second).outcome, Outcome::hit) << declared;
    EXPECT_EQ(body_of(ask(cache, start_ms + second).object), "good");
  }
}

TEST(Others, WhoTheOriginKnowsTakesNothingAwayEither) {
  Cache cache(config(), 1);
  store(cache, "/a", hour, "good");
  Request request("/a", {{"Cache-Control", "no-cache"}});
  RequestView view = request.at(start_ms + second);
  view.identified = true;
  Lookup lookup = cache.find(view);
  fill(lookup, Response(Pairs{{"Cache-Control", "max-age=60"}}), "mine", start_ms + second);
  EXPECT_EQ(body_of(ask(cache, start_ms + second).object), "good");
}

// RFC 9111 §3.5: what a 304 says to one who is authorised is an answer to that one.
TEST(Others, A304ToOneWhoIsAuthorisedChangesWhatOthersGetOnlyWhereItMayBeShared) {
  for (bool shared : {false, true}) {
    Cache cache(config(), 1);
    store(cache, "/a", {{"Cache-Control", "max-age=10"}, {"ETag", "\"1\""}}, "good");
    int64_t now = start_ms + 15 * second;
    Lookup lookup = ask(cache, now, {{"Authorization", "x"}});
    ASSERT_EQ(lookup.outcome, Outcome::stale);
    Response same({{"Cache-Control", shared ? "public, max-age=60" : "max-age=60"}, {"X-User", "alice"}}, 304);
    ASSERT_EQ(lookup.writer->head(same.head, now, now), Verdict::not_modified);
    EXPECT_EQ(drain(*lookup.reader), "good");
    EXPECT_EQ(lookup.reader->object()->fields().find("X-User"), "alice");
    Lookup other = ask(cache, now);
    EXPECT_EQ(other.outcome, shared ? Outcome::hit : Outcome::stale);
    ASSERT_TRUE(other.object);
    EXPECT_EQ(other.object->fields().find("X-User").has_value(), shared);
  }
}

TEST(Others, WhatIsStaleGoesWithAnAnswerThatSpeaksOfWhatIsThere) {
  for (int status : {200, 301, 404, 410, 400, 401, 403, 406, 429}) {
    Cache cache(config(), 1);
    store(cache, "/a", {{"Cache-Control", "max-age=10, stale-if-error=600"}, {"ETag", "\"1\""}}, "good");
    int64_t now = start_ms + 15 * second;
    answered(cache, now, {{"User-Agent", "sqlmap"}}, status, {{"Cache-Control", "no-store"}});
    Lookup later = ask(cache, now + second);
    bool stands = status >= 400 && status != 404 && status != 410;
    ASSERT_EQ(later.outcome, stands ? Outcome::stale : Outcome::miss) << status;
    if (!stands) continue;
    EXPECT_EQ(later.writer->head(Response({}, 503).head, now + second, now + second), Verdict::stale_on_error);
    EXPECT_EQ(drain(*later.reader), "good");
  }
}

// A refusal is mostly the request's own: it says little of how the next one fares.
TEST(Others, ARefusalKeepsThemApartForAMomentOnly) {
  for (int status : {200, 302, 404, 400, 403, 406, 500}) {
    Cache cache(config(), 1);
    {
      Lookup lead = ask(cache, start_ms);
      ASSERT_EQ(fill(lead, Response(Pairs{{"Cache-Control", "no-store"}}, status), "x"), Verdict::uncacheable);
    }
    auto together = [&](int64_t at_ms) {
      Lookup one = ask(cache, at_ms), two = ask(cache, at_ms);
      return two.outcome == Outcome::follow;
    };
    EXPECT_FALSE(together(start_ms + 900)) << status;
    bool of_the_resource = status < 400 || status == 404;
    EXPECT_EQ(together(start_ms + 1100), !of_the_resource) << status;
    EXPECT_TRUE(together(start_ms + 61'000)) << status;
  }
}

// The parts of a large object are its head's: with that they would all go.
TEST(Others, ARefusedPartLeavesThoseThatAreThere) {
  for (int status : {400, 401, 403, 406, 429, 503, 200, 404, 416}) {
    Cache cache(config(), 1);
    Request first("/big", {{"Range", "bytes=0-9"}});
    Lookup lead = cache.find(first.at(start_ms));
    Response part({{"Cache-Control", "max-age=60"}, {"ETag", "\"1\""}, {"Content-Range", "bytes 0-1048575/5000000"}},
                  206);
    ASSERT_EQ(lead.writer->head(part.length(1 << 20).head, start_ms, start_ms), Verdict::stored);
    lead.writer->append(Slice::copy_of(std::string(1 << 20, 'x')));
    ASSERT_TRUE(lead.writer->finish());
    PartsReader reader(lead.reader->object());
    reader.select(2'000'000, 10);
    auto writer = reader.fetch();
    ASSERT_TRUE(writer);
    EXPECT_EQ(writer->head(Response({}, status).head, start_ms, start_ms), Verdict::dropped);
    bool another = status == 200 || status == 404 || status == 416;
    EXPECT_EQ(cache.find(first.at(start_ms)).outcome, another ? Outcome::miss : Outcome::hit) << status;
  }
}

// ── a fetch that fails ──

struct Crowd {
  explicit Crowd(int count, bool let_down = false) {
    Request request("/b");
    RequestView view = request.at(start_ms);
    view.let_down = let_down;
    lead = cache.find(view);
    for (int i = 0; i < count; ++i) {
      followers.push_back(cache.find(view));
      EXPECT_EQ(followers.back().outcome, Outcome::follow);
    }
  }
  Cache cache{config(), 1};
  Lookup lead;
  std::vector<Lookup> followers;
};

TEST(Others, WhatOneRequestBreaksTheOthersTryOnceMore) {
  for (bool let_down : {false, true}) {
    Crowd crowd(3, let_down);
    crowd.lead.writer->abort(start_ms, 504);
    EXPECT_EQ(crowd.lead.reader->state(), Reader::State::failed);
    EXPECT_EQ(crowd.lead.reader->error_status(), 504);
    for (Lookup& f : crowd.followers) {
      EXPECT_EQ(f.reader->state(), let_down ? Reader::State::failed : Reader::State::released);
      EXPECT_EQ(f.reader->retry(), !let_down);
      EXPECT_EQ(f.reader->let_down(), !let_down);
      EXPECT_EQ(f.reader->error_status(), 504);
    }
  }
}

TEST(Others, AServerThatIsNotThereIsNobodysFault) {
  Crowd crowd(3);
  crowd.lead.writer->abort(start_ms, 503, Writer::Failure::unreachable);
  for (Lookup& f : crowd.followers) {
    EXPECT_EQ(f.reader->state(), Reader::State::failed);
    EXPECT_EQ(f.reader->error_status(), 503);
  }
}

TEST(Others, APartForOneWhoIsAuthorisedIsAskedForOnce) {
  Cache cache(config(), 1);
  Request request("/big", {{"Range", "bytes=10-19"}, {"Authorization", "x"}});
  Lookup lookup = cache.find(request.at(start_ms));
  EXPECT_FALSE(lookup.writer);
  EXPECT_EQ(lookup.outcome, Outcome::bypass);
  EXPECT_STREQ(lookup.detail, "range");
  EXPECT_EQ(cache.inspect(request.at(start_ms)).outcome, Outcome::bypass);
  // Of what is in parts already and stale, too.
  Request plain("/big", {{"Range", "bytes=10-19"}});
  Lookup lead = cache.find(plain.at(start_ms));
  Response part({{"Cache-Control", "max-age=10"}, {"ETag", "\"1\""}, {"Content-Range", "bytes 0-1048575/5000000"}},
                206);
  ASSERT_EQ(lead.writer->head(part.length(1 << 20).head, start_ms, start_ms), Verdict::stored);
  lead.writer->append(Slice::copy_of(std::string(1 << 20, 'x')));
  ASSERT_TRUE(lead.writer->finish());
  EXPECT_EQ(cache.find(request.at(start_ms)).outcome, Outcome::hit);
  int64_t later = start_ms + 15 * second;
  EXPECT_EQ(cache.inspect(request.at(later)).outcome, Outcome::bypass);
  EXPECT_EQ(cache.find(request.at(later)).outcome, Outcome::bypass);
  EXPECT_EQ(cache.inspect(plain.at(later)).outcome, Outcome::stale);
  EXPECT_EQ(cache.find(plain.at(later)).outcome, Outcome::stale);
}

}  // namespace
}  // namespace portolan::edge::test
