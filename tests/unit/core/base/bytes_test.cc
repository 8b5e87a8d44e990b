// Blocks, bodies, descriptors, generators, the event log and metrics.
#include "core/base/bytes.hh"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <set>
#include <thread>
#include <vector>

#include "core/base/body.hh"
#include "core/base/clock.hh"
#include "core/base/fd.hh"
#include "core/base/log.hh"
#include "core/base/metrics.hh"
#include "core/base/registry.hh"
#include "core/base/result.hh"

namespace portolan {
namespace {

FileRef file_of(const std::string& text) {
  char path[] = "/tmp/portolan-test-XXXXXX";
  int fd = ::mkstemp(path);
  ::unlink(path);
  EXPECT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  return std::make_shared<FileHandle>(fd);
}

TEST(Block, HasTheRoomItWasAskedFor) {
  for (size_t size : {size_t{0}, size_t{1}, Block::small_capacity, Block::small_capacity + 1, Block::standard_capacity,
                      Block::standard_capacity + 1, size_t{1} << 20}) {
    BlockRef block = BlockRef::make(size);
    ASSERT_GE(block->capacity(), size);
    std::memset(block->data(), 'x', block->capacity());
  }
}

TEST(Block, LivesAsLongAsItsLastSlice) {
  Slice slice = Slice::copy_of("hello");
  EXPECT_TRUE(slice.block.unique());
  Slice part{slice.block, slice.data + 1, 3};
  EXPECT_FALSE(slice.block.unique());
  slice = Slice{};
  EXPECT_TRUE(part.block.unique());
  EXPECT_EQ(part.view(), "ell");
}

TEST(Block, CountsAreRightAcrossThreads) {
  for (int round = 0; round < 20; ++round) {
    Slice slice = Slice::copy_of("shared");
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([copy = slice] {
        for (int i = 0; i < 1000; ++i) {
          Slice mine = copy;
          ASSERT_EQ(mine.view(), "shared");
        }
      });
    for (auto& t : threads) t.join();
    threads.clear();
    EXPECT_TRUE(slice.block.unique());
  }
}

TEST(Body, TakesAndGivesInAnyPortions) {
  Rng rng(7);
  for (int round = 0; round < 200; ++round) {
    Body body, moved;
    std::string model, out;
    for (int i = 0; i < 50; ++i) {
      std::string text(rng.below(20), static_cast<char>('a' + rng.below(26)));
      if (rng.below(4) == 0) {
        body.append(file_of("##" + text), 2, text.size());
      } else {
        body.append(Slice::copy_of(text));
      }
      model += text;
      uint64_t n = rng.below(15);
      if (rng.below(2)) {
        n = std::min<uint64_t>(n, body.size());
        body.consume(n);
        model.erase(0, n);
      } else if (rng.below(2)) {
        body.move_front(moved, n);
        out += model.substr(0, n);
        model.erase(0, std::min<size_t>(n, model.size()));
      }
      ASSERT_EQ(body.size(), model.size());
    }
    ASSERT_EQ(body.to_string(), model);
    ASSERT_EQ(moved.to_string(), out);
    moved.append(std::move(body));
    ASSERT_EQ(moved.to_string(), out + model);
    ASSERT_TRUE(body.empty());
  }
}

TEST(Body, CopiesShareBytesAndNotPlace) {
  Body a;
  a.append(Slice::literal("one"));
  a.append(Slice{});
  EXPECT_EQ(a.segment_count(), 1u);
  Body b = a;
  a.consume(2);
  EXPECT_EQ(a.to_string() + b.to_string(), "eone");
  b.clear();
  EXPECT_TRUE(b.empty());
  EXPECT_EQ(a.to_string(), "e");
}

TEST(UniqueFd, HasOneOwner) {
  int raw = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  {
    UniqueFd a(raw);
    UniqueFd b(std::move(a));
    EXPECT_FALSE(a);
    EXPECT_EQ(b.get(), raw);
    b = std::move(b);
    EXPECT_TRUE(b);
  }
  EXPECT_EQ(::fcntl(raw, F_GETFD), -1);
}

TEST(Result, HoldsAValueOrWhatWentWrong) {
  Result<int> good = 5;
  EXPECT_TRUE(good);
  EXPECT_EQ(*good, 5);
  Result<int> bad = system_error("cannot open /etc/x", ENOENT);
  EXPECT_FALSE(bad);
  EXPECT_EQ(bad.error().text, "cannot open /etc/x: No such file or directory");
  EXPECT_EQ(bad.error().code, ENOENT);
  EXPECT_TRUE(Status());
}

TEST(Rng, IsTheSameForASeedAndUniform) {
  Rng a(1), b(1), c(2);
  EXPECT_EQ(a.next(), b.next());
  EXPECT_NE(a.next(), c.next());
  int counts[7] = {};
  for (int i = 0; i < 70'000; ++i) ++counts[a.below(7)];
  for (int n : counts) EXPECT_NEAR(n, 10'000, 500);
  for (int i = 0; i < 1000; ++i) {
    double u = a.unit();
    ASSERT_TRUE(u >= 0 && u < 1);
  }
  EXPECT_NE(Rng::from_system().next(), Rng::from_system().next());
}

TEST(Clock, TheFakeOneMovesWhenToldTo) {
  FakeClock clock(1000);
  int64_t start = clock.now_ms(), wall = clock.wall_ms();
  clock.advance_ms(1500);
  EXPECT_EQ(clock.now_ms() - start, 1500);
  EXPECT_EQ(clock.wall_ms() - wall, 1500);
  SystemClock real;
  int64_t before_us = real.now_us();
  EXPECT_LE(before_us, real.now_us());
  EXPECT_GT(real.wall_ms(), 1'700'000'000'000);
}

std::string last_line;

TEST(Log, OneLineACallWhateverIsInIt) {
  log::set_sink([](std::string_view line) { last_line = line; });
  log::warning("something", {{"reason", "two words"}, {"count", 3}, {"bad", "a\n\"b\"\x1b"}});
  log::set_sink(nullptr);
  EXPECT_NE(last_line.find("something"), std::string::npos);
  EXPECT_NE(last_line.find("count=3"), std::string::npos) << last_line;
  EXPECT_LE(last_line.find('\n'), last_line.size());
  size_t end = last_line.find('\n');
  EXPECT_TRUE(end == std::string::npos || end == last_line.size() - 1) << last_line;
  EXPECT_EQ(last_line.find('\x1b'), std::string::npos);
}

TEST(Log, LevelsAndLimits) {
  log::set_sink([](std::string_view line) { last_line = line; });
  last_line.clear();
  log::set_level(log::Level::error);
  log::warning("unheard");
  EXPECT_EQ(last_line, "");
  log::error("heard");
  EXPECT_NE(last_line.find("heard"), std::string::npos);
  log::set_level(log::Level::info);
  log::set_sink(nullptr);
  log::Level level;
  EXPECT_TRUE(log::parse_level("debug", level));
  EXPECT_FALSE(log::parse_level("loud", level));
  log::Limit limit(1000);
  EXPECT_TRUE(limit.pass(5000));
  EXPECT_FALSE(limit.pass(5999));
  EXPECT_TRUE(limit.pass(6000));
}

const metrics::Family things{"test_things_total", "Things.", metrics::Type::counter, {"kind", "name"}};
const metrics::Family open_things{"test_open", "Open.", metrics::Type::gauge, {}};
const metrics::Family seconds{"test_seconds", "How long.", metrics::Type::histogram, {}};

TEST(Metrics, ShardsAreSummedAndLabelsEscaped) {
  metrics::Registry registry;
  metrics::Shard &a = registry.add_shard(), &b = registry.add_shard();
  a.counter(things, {"x", "1"}).add(3);
  b.counter(things, {"x", "1"}).add(4);
  b.counter(things, {"y", "a\"b\\c\nd"}).add();
  a.counter(open_things).add(2);
  b.counter(open_things).sub();
  a.histogram(seconds).observe_us(1'000);
  a.histogram(seconds).observe_us(500'000'000);
  EXPECT_EQ(&a.counter(things, {"x", "1"}), &a.counter(things, {"x", "1"}));
  EXPECT_EQ(registry.total(things), 8u);
  EXPECT_EQ(registry.total(things, "kind=\"x\""), 7u);
  std::string text = registry.expose();
  for (const char* line : {"# HELP test_things_total Things.\n", "# TYPE test_things_total counter\n",
                           "test_things_total{kind=\"x\",name=\"1\"} 7\n", "# TYPE test_open gauge\n", "test_open 1\n",
                           "name=\"a\\\"b\\\\c\\nd\"} 1\n", "test_seconds_count 2\n", "le=\"+Inf\"} 2\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
  EXPECT_EQ(text.find("# TYPE test_things_total"), text.rfind("# TYPE test_things_total"));
}

struct Part {
  std::string_view name;
  int value;
};
const Registration<Part> second{{"b", 2}};
const Registration<Part> first{{"a", 1}};

TEST(Registration, PartsAreFoundAndSorted) {
  ASSERT_EQ(Registration<Part>::all().size(), 2u);
  EXPECT_EQ(Registration<Part>::all()[0]->name, "a");
  EXPECT_EQ(Registration<Part>::find("b")->value, 2);
  EXPECT_EQ(Registration<Part>::find("c"), nullptr);
}

}  // namespace
}  // namespace portolan
