#include "geodns/rate_limit.hh"

#include <map>

#include "tests/unit/geodns/fixture.hh"

namespace portolan::geodns {
namespace {

using Action = RateLimiter::Action;

RateLimitConfig limit(uint32_t rate) {
  RateLimitConfig config;
  config.answers_per_second = rate;
  return config;
}

std::map<Action, int> ask(RateLimiter& limiter, const char* from, uint64_t what, int count, int64_t now_us) {
  std::map<Action, int> got;
  for (int i = 0; i < count; i++) got[limiter.take(test::ip(from), what, now_us)]++;
  return got;
}

TEST(RateLimit, ASecondsWorthAndThenTheRate) {
  RateLimiter limiter(limit(10), 1, {1, 2});
  auto got = ask(limiter, "192.0.2.1", 1, 30, 5'000'000);
  EXPECT_EQ(got[Action::answer], 10);
  EXPECT_EQ(got[Action::drop], 10);
  EXPECT_EQ(got[Action::truncate], 10) << "every second one";
  EXPECT_EQ(ask(limiter, "192.0.2.1", 1, 30, 5'500'000)[Action::answer], 5);
  EXPECT_EQ(ask(limiter, "192.0.2.1", 1, 30, 50'000'000)[Action::answer], 10);
}

TEST(RateLimit, NetworksAndThingsAreCountedApart) {
  RateLimiter limiter(limit(10), 1, {1, 2});
  EXPECT_EQ(ask(limiter, "192.0.2.1", 1, 20, 5'000'000)[Action::answer], 10);
  EXPECT_EQ(ask(limiter, "192.0.2.200", 1, 20, 5'000'000)[Action::answer], 0) << "the same /24";
  EXPECT_EQ(ask(limiter, "192.0.3.1", 1, 20, 5'000'000)[Action::answer], 10);
  EXPECT_EQ(ask(limiter, "192.0.2.1", 2, 20, 5'000'000)[Action::answer], 10);
  EXPECT_EQ(ask(limiter, "2001:db8:0:100::1", 1, 20, 5'000'000)[Action::answer], 10);
  EXPECT_EQ(ask(limiter, "2001:db8:0:1ff::1", 1, 20, 5'000'000)[Action::answer], 0) << "the same /56";
  EXPECT_EQ(ask(limiter, "2001:db8:0:200::1", 1, 20, 5'000'000)[Action::answer], 10);
  EXPECT_EQ(ask(limiter, "::ffff:192.0.2.9", 1, 20, 5'000'000)[Action::answer], 0) << "an IPv4 address";
}

TEST(RateLimit, WorkersShareTheRate) {
  RateLimiter limiter(limit(100), 4, {1, 2});
  EXPECT_EQ(ask(limiter, "192.0.2.1", 1, 200, 5'000'000)[Action::answer], 25);
  RateLimiter slow(limit(1), 4, {1, 2});
  EXPECT_EQ(ask(slow, "192.0.2.1", 1, 200, 5'000'000)[Action::answer], 1) << "never nothing";
}

TEST(RateLimit, SlipAndExemptions) {
  RateLimitConfig config = limit(10);
  config.slip = 0;
  config.exempt = {*IpNetwork::parse("198.51.100.0/24")};
  RateLimiter limiter(config, 1, {1, 2});
  EXPECT_EQ(ask(limiter, "192.0.2.1", 1, 30, 5'000'000)[Action::drop], 20);
  EXPECT_EQ(ask(limiter, "198.51.100.7", 1, 30, 5'000'000)[Action::answer], 30);
}

// A flood of made-up networks takes the buckets of those that are full again first, never more memory, and whoever is
// forgotten begins with a full bucket.
TEST(RateLimit, TheTableIsBounded) {
  RateLimitConfig config = limit(10);
  config.entries = 1024;
  RateLimiter limiter(config, 1, {1, 2});
  int answered = 0;
  for (uint32_t i = 0; i < 100'000; i++) {
    IpAddress ip = test::ip("10.0.0.0");
    ip.bytes[1] = static_cast<uint8_t>(i >> 8);
    ip.bytes[2] = static_cast<uint8_t>(i);
    answered += limiter.take(ip, i, 5'000'000) == Action::answer;
  }
  EXPECT_EQ(answered, 100'000);
}

}  // namespace
}  // namespace portolan::geodns
