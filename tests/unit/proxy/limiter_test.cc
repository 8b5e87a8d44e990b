// Token buckets: what they let through on a clock of our own, and from many threads at once.
#include "proxy/admit/limiter.hh"

#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "core/base/clock.hh"

namespace portolan::proxy {
namespace {

constexpr int64_t second = 1'000'000;

LimitConfig limit(int64_t requests, int64_t period_us, std::optional<int64_t> burst = {}, size_t entries = 1024) {
  LimitConfig c;
  c.rate = {requests, period_us};
  c.burst = burst;
  c.entries = entries;
  return c;
}

struct Client {
  IpAddress address;
  http::RequestHead head;
  uint64_t key(const Limiter& limiter) const { return limiter.key_of(head, address); }
};

Client client(const char* address) {
  return {*IpAddress::parse(address), {}};
}

Client numbered(uint32_t n) {
  return {IpAddress::v4(10, static_cast<uint8_t>(n >> 16), static_cast<uint8_t>(n >> 8), static_cast<uint8_t>(n)), {}};
}

TEST(Limiter, LetsABurstThroughAndThenItsRate) {
  Limiter limiter(limit(10, second, 3));
  uint64_t key = client("192.0.2.1").key(limiter);
  int64_t now = 5 * second;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limiter.take(key, now), 0) << i;
  EXPECT_EQ(limiter.take(key, now), second / 10) << "the time until the next token";
  EXPECT_EQ(limiter.take(key, now + second / 20), second / 20);
  EXPECT_EQ(limiter.take(key, now + second / 10), 0);
  EXPECT_GT(limiter.take(key, now + second / 10), 0) << "one token came, and one was taken";
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limiter.take(key, now + 10 * second), 0) << "full again, and not fuller";
  EXPECT_GT(limiter.take(key, now + 10 * second), 0);
}

TEST(Limiter, ABurstLeftOutIsASecondsWorth) {
  auto at_once = [](const LimitConfig& c) {
    Limiter limiter(c);
    uint64_t key = client("192.0.2.1").key(limiter);
    int passed = 0;
    while (limiter.take(key, second) == 0) ++passed;
    return passed;
  };
  EXPECT_EQ(at_once(limit(100, second)), 100);
  EXPECT_EQ(at_once(limit(10, 60 * second)), 1);
  EXPECT_EQ(at_once(limit(1, 3600 * second)), 1);
  EXPECT_EQ(at_once(limit(90, 60 * second, 7)), 7);
}

// Whatever the rate and however requests are spread, no more pass than burst + rate × time, and hardly fewer.
TEST(Limiter, NeverPassesMoreThanItsRateAllows) {
  Rng rng(7);
  for (const LimitConfig& c :
       {limit(1, second, 5), limit(7, 60 * second, 2), limit(300, second, 40), limit(33'333, second, 1000),
        limit(1'000'000, second, 1'000), limit(5, 3600 * second, 3)}) {
    Limiter limiter(c);
    uint64_t key = client("192.0.2.1").key(limiter);
    const double per_us = static_cast<double>(c.rate.requests) / static_cast<double>(c.rate.period_us);
    int64_t start = static_cast<int64_t>(rng.below(1u << 30)), now = start, passed = 0;
    for (int i = 0; i < 20'000; ++i) {
      now += static_cast<int64_t>(rng.below(static_cast<uint64_t>(1.4 / per_us) + 2));
      passed += limiter.take(key, now) == 0;
      double allowed = static_cast<double>(*c.burst) + per_us * static_cast<double>(now - start);
      ASSERT_LE(static_cast<double>(passed), allowed * 1.001 + 1) << c.rate.to_string();
    }
    double offered = std::min(20'000.0, per_us * static_cast<double>(now - start));
    EXPECT_GT(static_cast<double>(passed), offered * 0.95) << c.rate.to_string();
  }
}

TEST(Limiter, ClientsDontDisturbOneAnother) {
  Limiter limiter(limit(1, second, 2, 4096));
  for (uint32_t n = 0; n < 1000; ++n) {
    uint64_t key = numbered(n).key(limiter);
    EXPECT_EQ(limiter.take(key, second), 0);
    EXPECT_EQ(limiter.take(key, second), 0);
    EXPECT_GT(limiter.take(key, second), 0);
  }
  for (uint32_t n = 0; n < 1000; ++n) EXPECT_GT(limiter.take(numbered(n).key(limiter), second), 0) << n;
}

TEST(Limiter, IPv6ClientsAreTheirNetwork) {
  Limiter usual(limit(1, second));
  EXPECT_EQ(client("2001:db8:1:2:3::4").key(usual), client("2001:db8:1:2:ffff::1").key(usual));
  EXPECT_NE(client("2001:db8:1:2::1").key(usual), client("2001:db8:1:3::1").key(usual));
  EXPECT_NE(client("192.0.2.1").key(usual), client("192.0.2.2").key(usual));
  LimitConfig wide = limit(1, second);
  wide.ipv6_prefix = 48;
  Limiter site(wide);
  EXPECT_EQ(client("2001:db8:1:2::1").key(site), client("2001:db8:1:3::1").key(site));
  wide.ipv6_prefix = 128;
  Limiter host(wide);
  EXPECT_NE(client("2001:db8::1").key(host), client("2001:db8::2").key(host));
}

TEST(Limiter, CountsByHeaderOrCookieAndWithoutThemByAddress) {
  LimitConfig c = limit(1, second);
  c.by = {LimitKey::Kind::header, "x-api-key"};
  Limiter by_header(c);
  Client a = client("192.0.2.1"), b = client("192.0.2.2");
  uint64_t nameless = a.key(by_header);
  EXPECT_NE(nameless, b.key(by_header));
  a.head.fields.add("X-API-Key", "k1");
  b.head.fields.add("x-api-key", "k1");
  EXPECT_EQ(a.key(by_header), b.key(by_header));
  EXPECT_NE(a.key(by_header), nameless);

  c.by = {LimitKey::Kind::cookie, "session"};
  Limiter by_cookie(c);
  nameless = a.key(by_cookie);
  a.head.fields.add("Cookie", "x=1; sessions=no; session=abc; y=2");
  b.head.fields.add("Cookie", "first=1");
  EXPECT_EQ(b.key(by_cookie), client("192.0.2.2").key(by_cookie)) << "no cookie of that name";
  b.head.fields.add("Cookie", "session=abc");
  EXPECT_EQ(a.key(by_cookie), b.key(by_cookie));
  EXPECT_NE(a.key(by_cookie), nameless);
}

TEST(Limiter, ATokenGivenBackMayBeTakenAgain) {
  Limiter limiter(limit(1, second, 2));
  uint64_t key = client("192.0.2.1").key(limiter);
  EXPECT_EQ(limiter.take(key, second), 0);
  EXPECT_EQ(limiter.take(key, second), 0);
  limiter.give_back(key, second);
  EXPECT_EQ(limiter.take(key, second), 0);
  EXPECT_GT(limiter.take(key, second), 0);
  limiter.give_back(numbered(1).key(limiter), second);  // of nobody: nothing happens
}

// A flood of new clients takes the place of who is full again, before it takes that of who is not.
TEST(Limiter, WhenFullItForgetsFullBucketsFirst) {
  Limiter limiter(limit(1, 60 * second, 10, 64));
  ASSERT_EQ(limiter.capacity(), 128u);
  int64_t now = 3600 * second;
  uint64_t exhausted = client("192.0.2.1").key(limiter);
  while (limiter.take(exhausted, now) == 0) {
  }
  // Each stays 60 s; 5,000 of them in that time are more than there is room for.
  for (uint32_t n = 0; n < 5000; ++n) EXPECT_EQ(limiter.take(numbered(n).key(limiter), now + n), 0);
  EXPECT_GT(limiter.take(exhausted, now + 5000), 0) << "it owes most, and stays";
}

TEST(Limiter, TimeMayGoOnForYears) {
  for (const LimitConfig& c : {limit(1, second, 3), limit(1'000'000, second, 3)}) {
    Limiter limiter(c);
    Rng rng(3);
    uint64_t key = client("192.0.2.1").key(limiter);
    int64_t now = second;
    // Pauses of every length, up to a hundred days: whoever was away that long is full again.
    for (int i = 0; i < 2000; ++i) {
      now += 12 * second + static_cast<int64_t>(rng.below(uint64_t{1} << (10 + rng.below(34))));
      for (int n = 0; n < 3; ++n) ASSERT_EQ(limiter.take(key, now), 0) << i;
      ASSERT_GT(limiter.take(key, now), 0) << i;
      limiter.take(numbered(static_cast<uint32_t>(i)).key(limiter), now + 1);
    }
  }
}

TEST(Limiter, IsExactAcrossThreads) {
  constexpr int threads = 4;
  constexpr uint32_t clients = 200;
  for (int round = 0; round < 20; ++round) {
    constexpr int64_t burst = 50;
    Limiter limiter(limit(1, 3600 * second, burst, 4096));
    std::atomic<int> ready{0};
    std::vector<std::vector<int>> passed(threads, std::vector<int>(clients));
    std::vector<std::thread> all;
    for (int t = 0; t < threads; ++t)
      all.emplace_back([&, t] {
        ++ready;
        while (ready < threads) {
        }
        for (int i = 0; i < 20; ++i)
          for (uint32_t n = 0; n < clients; ++n)
            for (int k = 0; k < 2; ++k)
              passed[static_cast<size_t>(t)][n] += limiter.take(numbered(n).key(limiter), second) == 0;
      });
    for (std::thread& t : all) t.join();
    // Each of 200 clients has asked 160 times.
    for (uint32_t n = 0; n < clients; ++n) {
      int sum = 0;
      for (const auto& p : passed) sum += p[n];
      ASSERT_EQ(sum, burst) << "client " << n << ", round " << round;
    }
  }
}

}  // namespace
}  // namespace portolan::proxy
