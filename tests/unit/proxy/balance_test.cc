// What each balancer has besides the contract: exactness, order, what it remembers. And the budget retries are taken from.
#include <algorithm>
#include <map>
#include <thread>

#include "proxy/retry_budget.hh"
#include "tests/unit/proxy/balance_fixture.hh"

namespace portolan::proxy {
namespace {

TEST(RoundRobin, IsExactAndSmooth) {
  auto pool = pool_of({5, 1, 1});
  auto balancer = make("round-robin", pool);
  std::vector<size_t> order;
  for (int i = 0; i < 70; ++i) order.push_back(choose(*balancer, {}));
  for (size_t round = 0; round < 10; ++round) {
    auto begin = order.begin() + static_cast<long>(round * 7);
    EXPECT_EQ(std::count(begin, begin + 7, 0u), 5);
    EXPECT_EQ(std::count(begin, begin + 7, 1u), 1);
    EXPECT_EQ(std::count(begin, begin + 7, 2u), 1);
  }
  // Spread out: the light ones don't stand at one end, and the heavy one doesn't get its five in a row.
  int longest = 0, row = 0;
  for (size_t m : order) longest = std::max(longest, row = m == 0 ? row + 1 : 0);
  EXPECT_LE(longest, 3);
}

TEST(RoundRobin, IsExactAcrossWorkers) {
  auto pool = pool_of({3, 2, 1});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      auto mine = make("round-robin", pool);
      for (int i = 0; i < 1500; ++i) choose(*mine, {});
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(in_flight(*pool, 0), 3000);
  EXPECT_EQ(in_flight(*pool, 1), 2000);
  EXPECT_EQ(in_flight(*pool, 2), 1000);
}

TEST(RoundRobin, CommonFactorsOfWeightsMeanNothing) {
  auto pool = pool_of({1000, 500});
  auto balancer = make("round-robin", pool);
  for (int i = 0; i < 3; ++i) choose(*balancer, {});
  EXPECT_EQ(in_flight(*pool, 0), 2);
  EXPECT_EQ(in_flight(*pool, 1), 1);
}

TEST(RoundRobin, WeightsOfALongScheduleKeepTheirSharesAndSpread) {
  std::vector<int> weights;
  for (int i = 0; i < 300; ++i) weights.push_back(i % 2 ? 1000 : 1);
  auto pool = pool_of(weights);
  auto balancer = make("round-robin", pool);
  constexpr int round = 150 * 1001;
  for (int i = 0; i < round / 10; ++i) choose(*balancer, {});
  for (size_t m = 1; m < 300; m += 2) ASSERT_NEAR(in_flight(*pool, m), 100, 3) << m;
  for (int i = round / 10; i < round; ++i) choose(*balancer, {});
  for (size_t m = 0; m < 300; ++m) ASSERT_EQ(in_flight(*pool, m), weights[m]) << m;
}

TEST(RoundRobin, FindsTheOneWithRoomAmongMany) {
  auto pool = pool_of(std::vector<int>(5000, 1));
  for (auto& m : pool->members) m.max_connections = 1;
  auto balancer = make("round-robin", pool);
  for (int i = 0; i < 5000; ++i) ASSERT_NE(choose(*balancer, {}), Balancer::none);
  EXPECT_EQ(choose(*balancer, {}), Balancer::none);
  health::count_out(*pool->state, *pool->members[3210].state);
  EXPECT_EQ(choose(*balancer, {}), 3210u);
}

TEST(LeastConnections, IsExactUnderThreads) {
  for (int round = 0; round < 20; ++round) {
    auto pool = pool_of({1, 1, 1, 1, 1});
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        auto mine = make("least-connections", pool);
        for (int i = 0; i < 50; ++i) choose(*mine, {});
      });
    for (auto& t : threads) t.join();
    for (size_t m = 0; m < 5; ++m) ASSERT_EQ(in_flight(*pool, m), 40);
  }
}

TEST(LeastConnections, TheLeastLoadedForItsWeightIsNext) {
  auto pool = pool_of({4, 2, 1});
  auto balancer = make("least-connections", pool);
  for (int i = 0; i < 70; ++i) choose(*balancer, {});
  EXPECT_EQ(in_flight(*pool, 0), 40);
  EXPECT_EQ(in_flight(*pool, 1), 20);
  EXPECT_EQ(in_flight(*pool, 2), 10);
  for (int i = 0; i < 10; ++i) health::count_out(*pool->state, *pool->members[2].state);  // its requests ended
  for (int i = 0; i < 9; ++i) EXPECT_EQ(choose(*balancer, {}), 2u);
}

TEST(LeastConnections, TiesGoRound) {
  auto pool = pool_of({1, 1, 1});
  auto balancer = make("least-connections", pool);
  std::map<size_t, int> picked;
  for (int i = 0; i < 30; ++i) {
    size_t m = choose(*balancer, {});
    ++picked[m];
    health::count_out(*pool->state, *pool->members[m].state);
  }
  for (size_t m = 0; m < 3; ++m) EXPECT_EQ(picked[m], 10);
}

// Whatever happens, the one chosen is among those a look at every member would have found.
TEST(LeastConnections, IsAlwaysTheLeastLoadedOfMany) {
  Rng rng(7);
  std::vector<int> weights;
  for (int i = 0; i < 40; ++i) weights.push_back(static_cast<int>(1 + rng.below(4)));
  auto pool = pool_of(weights);
  for (size_t m = 0; m < 40; m += 5) pool->members[m].max_connections = 3;
  auto balancer = make("least-connections", pool);
  std::vector<size_t> under_way;
  for (int step = 0; step < 20'000; ++step) {
    if (!under_way.empty() && rng.below(100) < (step / 2000 % 2 ? 60u : 40u)) {
      size_t i = rng.below(under_way.size());
      health::count_out(*pool->state, *pool->members[under_way[i]].state);
      under_way[i] = under_way.back();
      under_way.pop_back();
      continue;
    }
    Tried tried;
    while (tried.size() < rng.below(4)) tried.push_back(rng.below(40));
    double least = 1e9;
    auto load = [&](size_t m) { return static_cast<double>(in_flight(*pool, m) + 1) / weights[m]; };
    for (size_t m = 0; m < 40; ++m) {
      int most = pool->members[m].max_connections;
      if (!was_tried(tried, m) && (most == 0 || in_flight(*pool, m) < most)) least = std::min(least, load(m));
    }
    std::vector<double> loads;
    for (size_t m = 0; m < 40; ++m) loads.push_back(load(m));
    size_t m = choose(*balancer, tried);
    ASSERT_LT(m, 40u);
    ASSERT_FALSE(was_tried(tried, m));
    ASSERT_DOUBLE_EQ(loads[m], least) << step;
    under_way.push_back(m);
  }
}

// A worker that has the newer state of the pool and one that still has the older: both see each other's requests.
TEST(LeastConnections, OldAndNewStatesOfAPoolCountTogether) {
  auto old_pool = pool_of({1, 1, 1});
  auto old = make("least-connections", old_pool);
  choose(*old, {});
  auto new_pool = std::make_shared<health::Pool>(*old_pool);
  new_pool->generation = 2;
  new_pool->members.erase(new_pool->members.begin());
  auto fresh = make("least-connections", new_pool);
  for (int i = 0; i < 10; ++i) {
    choose(*fresh, {});
    choose(*old, {});
  }
  EXPECT_EQ(in_flight(*old_pool, 0), 7);
  EXPECT_EQ(in_flight(*old_pool, 1), 7);
  EXPECT_EQ(in_flight(*old_pool, 2), 7);
}

// A server that has become a backup stands in another order; the worker that doesn't know yet must not wait for it.
TEST(LeastConnections, AServerThatChangedItsTierFillsUpUnderTheOldState) {
  auto old_pool = pool_of({1, 1});
  for (auto& m : old_pool->members) m.max_connections = 2;
  auto old = make("least-connections", old_pool);
  auto new_pool = std::make_shared<health::Pool>(*old_pool);
  new_pool->generation = 2;
  for (auto& m : new_pool->members) m.backup = true;
  auto fresh = make("least-connections", new_pool);
  for (int i = 0; i < 4; ++i) ASSERT_NE(choose(*fresh, {}), Balancer::none);
  EXPECT_EQ(choose(*old, {}), Balancer::none);
  health::count_out(*new_pool->state, *new_pool->members[1].state);
  EXPECT_EQ(choose(*old, {}), 1u);
}

// Requests that began under another balancer end under this one.
TEST(LeastConnections, SeesRequestsOfTheBalancerBefore) {
  auto pool = pool_of({1, 1});
  auto before = make("round-robin", pool);
  for (int i = 0; i < 10; ++i) choose(*before, {});
  auto now = make("least-connections", pool);
  for (int i = 0; i < 5; ++i) health::count_out(*pool->state, *pool->members[1].state);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(choose(*now, {}), 1u);
  choose(*before, {1});
  EXPECT_EQ(choose(*now, {}), 1u);
}

// ── the retry budget ──────────────────────────────────────────────────────────────────────────

int take_all(health::PoolState& pool, int64_t now_ms, double share) {
  int taken = 0;
  while (taken < 100'000 && take_retry(pool, now_ms, share)) ++taken;
  return taken;
}

TEST(RetryBudget, AHundredAreAlwaysAllowed) {
  health::PoolState pool;
  EXPECT_EQ(take_all(pool, 1'000'000, 0.2), 100);
  EXPECT_FALSE(take_retry(pool, 1'004'999, 0.2));
}

TEST(RetryBudget, AShareOfTheRequestsIsAllowed) {
  health::PoolState pool;
  for (int i = 0; i < 5000; ++i) count_request(pool, 1'000'000);
  EXPECT_EQ(take_all(pool, 1'001'000, 0.2), 1000);
  for (int i = 0; i < 100; ++i) count_request(pool, 1'001'000);
  EXPECT_EQ(take_all(pool, 1'001'000, 0.2), 20);
}

TEST(RetryBudget, WhatIsLongerAgoThanTenSecondsIsForgotten) {
  health::PoolState pool;
  for (int i = 0; i < 5000; ++i) count_request(pool, 1'000'000);
  EXPECT_EQ(take_all(pool, 1'000'000, 0.2), 1000);
  EXPECT_EQ(take_all(pool, 1'005'000, 0.2), 0);    // the window before still counts
  EXPECT_EQ(take_all(pool, 1'011'000, 0.2), 100);  // and now nothing does
  EXPECT_EQ(take_all(pool, 9'000'000, 0.2), 100);
}

TEST(RetryBudget, NoShareStillAllowsTheHundred) {
  health::PoolState pool;
  for (int i = 0; i < 5000; ++i) count_request(pool, 1'000'000);
  EXPECT_EQ(take_all(pool, 1'000'000, 0.0), 100);
}

}  // namespace
}  // namespace portolan::proxy
