// Stored answers in other content codings.
#include "edge/encodings.hh"

#include <deque>
#include <random>

#include "edge/content.hh"
#include "tests/unit/edge/support.hh"

namespace portolan::edge::test {
namespace {

// Does what it is given when told to.
struct Later final : Executor {
  bool submit(std::function<void()> work) override {
    if (refuse) return false;
    queue.push_back(std::move(work));
    ++submitted;
    return true;
  }
  void run() {
    while (!queue.empty()) {
      auto work = std::move(queue.front());
      queue.pop_front();
      work();
    }
  }
  std::deque<std::function<void()>> queue;
  int submitted = 0;
  bool refuse = false;
};

const Pairs text = {{"Cache-Control", "max-age=60"}, {"Content-Type", "text/plain"}, {"ETag", "\"1\""}};

std::string words(size_t size) {
  std::string out;
  for (unsigned i = 0; out.size() < size; ++i) out += "word" + std::to_string(i * 7919 % 1000) + " ";
  out.resize(size);
  return out;
}

CacheConfig compressing(uint64_t memory = 8 << 20) {
  CacheConfig c = config(memory, memory / 4);
  c.compress.codings = {http::Coding::br, http::Coding::zstd, http::Coding::gzip};
  return c;
}

struct EncodingsTest : ::testing::Test {
  EncodingsTest() { cache.compress_on(&later); }
  ObjectRef hit(const Pairs& asked, const std::string& path = "/a", int64_t now_ms = start_ms) {
    Request request(path, asked);
    Lookup l = cache.find(request.at(now_ms));
    EXPECT_EQ(l.outcome, Outcome::hit) << path;
    return l.object;
  }
  static std::string coding(const ObjectRef& object) {
    return std::string(object->fields().find("Content-Encoding").value_or(""));
  }
  Cache cache{compressing(), 1};
  Later later;
  const std::string plain = words(200'000);
  const Pairs gzip = {{"Accept-Encoding", "gzip"}}, br = {{"Accept-Encoding", "gzip, br"}};
};

TEST_F(EncodingsTest, EachIsMadeOnceWhenAskedForFirst) {
  store(cache, "/a", text, plain);
  EXPECT_EQ(later.submitted, 0);
  EXPECT_EQ(coding(hit({})), "");
  EXPECT_EQ(later.submitted, 0) << "nobody asked for it";
  ObjectRef first = hit(br);
  EXPECT_EQ(coding(first), "br");
  EXPECT_FALSE(first->complete());
  EXPECT_FALSE(first->content_length());
  Reader reading(first);
  EXPECT_EQ(reading.state(), Reader::State::wait) << "and read along";
  auto waker = std::make_shared<CountingWaker>();
  reading.wait(waker);
  EXPECT_EQ(hit(br), first);
  later.run();
  EXPECT_EQ(waker->count, 1);
  std::string made = drain(reading);
  EXPECT_EQ(reading.state(), Reader::State::end);
  EXPECT_LT(made.size(), plain.size() / 2);
  EXPECT_EQ(body_of(hit(br)), made);
  EXPECT_EQ(hit(br)->content_length(), made.size());
  EXPECT_EQ(coding(hit(gzip)), "gzip");
  EXPECT_EQ(coding(hit({{"Accept-Encoding", "zstd"}})), "zstd");
  later.run();
  for (int i = 0; i < 3; ++i) hit(gzip);
  EXPECT_EQ(later.submitted, 3);
  EXPECT_EQ(body_of(hit({})), plain);
}

TEST_F(EncodingsTest, WhatComesOutNoSmallerIsNotUsedAgain) {
  std::mt19937 random(1);
  std::string noise(5000, ' ');
  for (char& c : noise) c = static_cast<char>(random());
  store(cache, "/noise", text, noise);
  EXPECT_EQ(coding(hit(gzip, "/noise")), "gzip") << "who asks first reads along";
  later.run();
  for (int i = 0; i < 3; ++i) {
    ObjectRef object = hit(gzip, "/noise");
    EXPECT_EQ(coding(object), "");
    EXPECT_EQ(body_of(object), noise);
  }
  EXPECT_EQ(later.submitted, 1);
}

TEST_F(EncodingsTest, HeadsSaySo) {
  store(
      cache, "/a",
      {{"Cache-Control", "max-age=60"}, {"Content-Type", "text/plain"}, {"ETag", "\"1\""}, {"Accept-Ranges", "bytes"}},
      plain);
  ObjectRef coded = hit(gzip), whole = hit({});
  EXPECT_EQ(*coded->fields().find("Vary"), "Accept-Encoding");
  EXPECT_EQ(*whole->fields().find("Vary"), "Accept-Encoding");
  EXPECT_NE(whole->wire().find("Vary: Accept-Encoding\r\n"), std::string_view::npos);
  EXPECT_NE(coded->wire().find("Content-Encoding: gzip\r\n"), std::string_view::npos);
  EXPECT_EQ(coded->etag(), "W/\"1\"");
  EXPECT_EQ(whole->etag(), "\"1\"");
  EXPECT_FALSE(coded->fields().find("Accept-Ranges"));
  EXPECT_EQ(coded->age_s(start_ms + 5000), whole->age_s(start_ms + 5000));
}

TEST_F(EncodingsTest, ConditionalsHoldForTheTagThatWasSent) {
  store(cache, "/a", text, plain);
  auto holds = [&](const char* tag) {
    Request request("/a", {{"Accept-Encoding", "gzip"}, {"If-None-Match", tag}});
    return not_modified(request.head, *cache.find(request.at(start_ms)).object);
  };
  EXPECT_TRUE(holds("W/\"1\"")) << "before any body is made, too";
  EXPECT_TRUE(holds("\"1\""));
  EXPECT_FALSE(holds("\"2\""));
}

TEST_F(EncodingsTest, RangesAreOfThePlainBytes) {
  store(cache, "/a", text, plain);
  EXPECT_EQ(coding(hit({{"Accept-Encoding", "gzip"}, {"Range", "bytes=0-9"}})), "");
  EXPECT_EQ(later.submitted, 0);
}

// A date names plain and coded bytes alike: who resumes by it gets no part of what may be other bytes than it has.
TEST_F(EncodingsTest, NoRangeByADateForWhoMayHaveACodedOne) {
  const std::string old = date(start_ms - 864'000'000);
  Pairs fields = {{"Cache-Control", "max-age=60"}, {"Content-Type", "text/plain"}, {"Last-Modified", old}};
  store(cache, "/a", fields, plain);
  store(cache, "/small", fields, "few");
  fields[1].second = "image/png";
  store(cache, "/image", fields, plain);
  auto is_void = [&](const char* path, const char* encoding, const std::string& condition) {
    Pairs asked = {{"Range", "bytes=1-2"}};
    if (*encoding) asked.emplace_back("Accept-Encoding", encoding);
    if (!condition.empty()) asked.emplace_back("If-Range", condition);
    Request request(path, asked);
    return range_is_void(request.head, *cache.find(request.at(start_ms)).object);
  };
  EXPECT_TRUE(is_void("/a", "gzip", old));
  EXPECT_TRUE(is_void("/a", "deflate, br;q=0.1", old));
  EXPECT_FALSE(is_void("/a", "gzip", "\"1\"")) << "a tag is of one alone";
  EXPECT_FALSE(is_void("/a", "gzip", ""));
  EXPECT_FALSE(is_void("/a", "", old));
  EXPECT_FALSE(is_void("/a", "identity", old));
  EXPECT_FALSE(is_void("/small", "gzip", old));
  EXPECT_FALSE(is_void("/image", "gzip", old));
}

TEST_F(EncodingsTest, WhoWantsNothingTransformedGetsThePlainBytes) {  // RFC 9111 §5.2.1.6
  store(cache, "/a", text, plain);
  EXPECT_EQ(coding(hit({{"Accept-Encoding", "gzip"}, {"Cache-Control", "no-transform"}})), "");
  EXPECT_EQ(later.submitted, 0);
  EXPECT_EQ(coding(hit(gzip)), "gzip");
}

TEST_F(EncodingsTest, WhatWouldNotGainOrMustNotChangeIsLeftAlone) {
  const struct {
    const char* why;
    Pairs more;
    size_t size = 5000;
    int status = 200;
  } rows[] = {
      {"already", {{"Content-Type", "text/plain"}, {"Content-Encoding", "gzip"}}},
      {"type", {{"Content-Type", "image/png"}}},
      {"no type", {}},
      {"RFC 9111 §5.2.2.6", {{"Content-Type", "text/plain"}, {"Cache-Control", "no-transform"}}},
      {"RFC 9530", {{"Content-Type", "text/plain"}, {"Content-Digest", "sha-256=:x:"}}},
      {"small", {{"Content-Type", "text/plain"}}, 1023},
  };
  int n = 0;
  for (const auto& row : rows) {
    Pairs fields = row.more;
    fields.emplace_back("Cache-Control", "max-age=60");
    std::string path = "/" + std::to_string(n++);
    store(cache, path, fields, words(row.size));
    ObjectRef object = hit({{"Accept-Encoding", "br, gzip, zstd"}}, path);
    EXPECT_EQ(object->content()->size(), row.size) << row.why;
  }
  EXPECT_EQ(later.submitted, 0);
  store(cache, "/json", {{"Cache-Control", "max-age=60"}, {"Content-Type", "APPLICATION/JSON; charset=utf-8"}},
        words(1024));
  EXPECT_EQ(coding(hit(gzip, "/json")), "gzip");
}

TEST_F(EncodingsTest, AVaryOfTheServersKeepsItsMeaning) {
  Pairs fields = text;
  fields.emplace_back("Vary", "Accept-Language, accept-encoding");
  store(cache, "/a", fields, plain);
  EXPECT_EQ(hit({})->fields().count(http::FieldId::vary), 1u);
}

TEST_F(EncodingsTest, AValidatedAnswerKeepsWhatWasMade) {
  store(cache, "/a", text, plain);
  hit(br);
  later.run();
  std::string made = body_of(hit(br));
  Request request("/a", br);
  for (int round = 1; round <= 3; ++round) {
    int64_t now = start_ms + round * 61'000;
    Lookup l = cache.find(request.at(now));
    ASSERT_EQ(l.outcome, Outcome::stale);
    Response confirms({{"Cache-Control", "max-age=60"}, {"ETag", "\"1\""}, {"X-Round", std::to_string(round)}}, 304);
    ASSERT_EQ(l.writer->head(confirms.head, now, now), Writer::Verdict::not_modified);
    ObjectRef coded = hit(br, "/a", now);
    EXPECT_EQ(body_of(coded), made);
    EXPECT_EQ(*coded->fields().find("X-Round"), std::to_string(round));
    EXPECT_EQ(coded->fields().count(http::FieldId::vary), 1u) << "our Vary isn't the server's";
    EXPECT_EQ(hit({}, "/a", now)->fields().count(http::FieldId::vary), 1u);
  }
  EXPECT_EQ(later.submitted, 1);
  EXPECT_EQ(cache.stats().objects, 1u);
}

TEST_F(EncodingsTest, WhatForbidsItInA304Counts) {
  store(cache, "/a", text, plain);
  Request request("/a", br);
  Lookup l = cache.find(request.at(start_ms + 61'000));
  Response confirms({{"Cache-Control", "max-age=60, no-transform"}}, 304);
  l.writer->head(confirms.head, start_ms + 61'000, start_ms + 61'000);
  EXPECT_EQ(coding(hit(br, "/a", start_ms + 61'000)), "");
}

TEST_F(EncodingsTest, WithoutRoomOrHandsThePlainBytesGo) {
  later.refuse = true;
  store(cache, "/a", text, plain);
  EXPECT_EQ(coding(hit(br)), "");
  later.refuse = false;
  EXPECT_EQ(coding(hit(br)), "") << "not asked for again at once";
  EXPECT_EQ(coding(hit(br, "/a", start_ms + 10'000)), "br");
  later.run();
  Cache without(compressing(), 1);
  store(without, "/a", text, plain);
  Request request("/a", br);
  EXPECT_EQ(coding(without.find(request.at(start_ms)).object), "");
}

TEST_F(EncodingsTest, LiveAndDieWithThePlainAnswer) {
  uint64_t empty = cache.stats().bytes;  // what the eviction policy remembers
  store(cache, "/a", text, plain);
  uint64_t before = cache.stats().bytes;
  hit(br);
  later.run();
  uint64_t with = cache.stats().bytes;
  EXPECT_GT(with, before + 1000) << "they are on the account";
  EXPECT_LT(with, before + plain.size() / 2) << "and what was reserved too much is given back";
  EXPECT_EQ(cache.purge("http://example.com/a"), 1u);
  EXPECT_EQ(cache.stats().bytes, empty);
}

TEST_F(EncodingsTest, StayInTheBudget) {
  Cache small(compressing(1 << 20), 1);
  small.compress_on(&later);
  for (int round = 0; round < 40; ++round) {
    std::string path = "/" + std::to_string(round);
    store(small, path, text, words(200'000));
    for (const char* accepted : {"br", "gzip", "zstd"}) {
      Request request(path, {{"Accept-Encoding", accepted}});
      small.find(request.at(start_ms));
      if (round % 2) later.run();
      EXPECT_LE(small.stats().bytes, small.stats().budget);
    }
  }
  later.run();
  EXPECT_LE(small.stats().bytes, small.stats().budget);
}

TEST_F(EncodingsTest, SmallBodiesOutOfMemoryAndLargeOnesOutOfPagesAlike) {
  for (size_t size : {1024u, 20'000u, 100'000u, 1'900'000u}) {
    std::string path = "/" + std::to_string(size);
    store(cache, path, text, words(size));
    ObjectRef coded = hit(gzip, path);
    later.run();
    EXPECT_TRUE(coded->complete()) << size;
    std::string made = body_of(coded);
    // gzip ends with the length of what it holds (RFC 1952 §2.3.1).
    uint32_t length = 0;
    std::memcpy(&length, made.data() + made.size() - 4, 4);
    EXPECT_EQ(length, size);
  }
}

}  // namespace
}  // namespace portolan::edge::test
