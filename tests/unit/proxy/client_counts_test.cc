#include "proxy/admit/client_counts.hh"

#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <vector>

namespace portolan::proxy {
namespace {

using Entry = ClientCounts::Entry;

IpAddress numbered(uint32_t n) {
  return IpAddress::v4(10, static_cast<uint8_t>(n >> 16), static_cast<uint8_t>(n >> 8), static_cast<uint8_t>(n));
}

TEST(ClientCounts, RefuseOneMoreThanTheLimit) {
  ClientCounts counts(100);
  IpAddress a = numbered(1), b = numbered(2);
  Entry first = counts.acquire("web", a, 2);
  Entry second = counts.acquire("web", a, 2);
  EXPECT_LT(first, ClientCounts::uncounted);
  EXPECT_EQ(counts.acquire("web", a, 2), ClientCounts::refused);
  EXPECT_NE(counts.acquire("web", b, 2), ClientCounts::refused) << "another client";
  EXPECT_NE(counts.acquire("admin", a, 2), ClientCounts::refused) << "another listener";
  counts.release(first);
  Entry third = counts.acquire("web", a, 2);
  EXPECT_NE(third, ClientCounts::refused);
  EXPECT_EQ(counts.acquire("web", a, 2), ClientCounts::refused);
  counts.release(second);
  counts.release(third);
  counts.release(ClientCounts::refused);
  counts.release(ClientCounts::uncounted);
}

TEST(ClientCounts, IPv6ClientsAreTheirNetwork) {
  ClientCounts counts(100);
  EXPECT_NE(counts.acquire("", *IpAddress::parse("2001:db8:0:1::1"), 1), ClientCounts::refused);
  EXPECT_EQ(counts.acquire("", *IpAddress::parse("2001:db8:0:1:2::9"), 1), ClientCounts::refused);
  EXPECT_NE(counts.acquire("", *IpAddress::parse("2001:db8:0:2::1"), 1), ClientCounts::refused);
}

TEST(ClientCounts, AsManyClientsAsThereMayBeAreCounted) {
  constexpr uint32_t clients = 20'000;
  ClientCounts counts(clients);
  std::vector<Entry> entries;
  for (int round = 0; round < 3; ++round) {
    for (uint32_t n = 0; n < clients; ++n) {
      entries.push_back(counts.acquire("web", numbered(n), 1));
      ASSERT_LT(entries.back(), ClientCounts::uncounted) << n;
    }
    for (uint32_t n = 0; n < clients; ++n) ASSERT_EQ(counts.acquire("web", numbered(n), 1), ClientCounts::refused);
    for (Entry e : entries) counts.release(e);
    entries.clear();
  }
}

TEST(ClientCounts, AFullSetLetsClientsPassUncounted) {
  ClientCounts counts(1);  // one set of 32
  for (uint32_t n = 0; n < 32; ++n) EXPECT_LT(counts.acquire("web", numbered(n), 1), ClientCounts::uncounted);
  EXPECT_EQ(counts.acquire("web", numbered(99), 1), ClientCounts::uncounted);
  EXPECT_EQ(counts.acquire("web", numbered(5), 1), ClientCounts::refused) << "who is counted stays so";
}

TEST(ClientCounts, AreExactAcrossThreads) {
  constexpr int threads = 4;
  constexpr uint32_t clients = 50;
  constexpr uint64_t most = 3;
  ClientCounts counts(64);
  std::vector<std::atomic<int>> open(clients);
  std::atomic<int> above{0}, ready{0};
  std::vector<std::thread> all;
  for (int t = 0; t < threads; ++t)
    all.emplace_back([&, t] {
      ++ready;
      while (ready < threads) {
      }
      for (uint32_t i = 0; i < 20'000; ++i) {
        uint32_t n = (i * 7 + static_cast<uint32_t>(t)) % clients;
        Entry entry = counts.acquire("web", numbered(n), most);
        if (entry >= ClientCounts::uncounted) continue;
        if (++open[n] > static_cast<int>(most)) ++above;
        --open[n];
        counts.release(entry);
      }
    });
  for (std::thread& t : all) t.join();
  EXPECT_EQ(above, 0);
  // Nothing is left behind.
  for (uint32_t n = 0; n < clients; ++n)
    for (uint64_t i = 0; i < most; ++i) EXPECT_LT(counts.acquire("web", numbered(n), most), ClientCounts::uncounted);
}

}  // namespace
}  // namespace portolan::proxy
