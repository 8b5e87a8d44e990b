// What every balancer keeps to, those of tomorrow included: they join by being registered.
#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "tests/unit/allocations.hh"
#include "tests/unit/proxy/balance_fixture.hh"

namespace portolan::proxy {
namespace {

class BalancerContract : public ::testing::TestWithParam<std::string> {};

TEST_P(BalancerContract, EveryMemberIsReachedByItsWeight) {
  std::vector<int> weights = {5, 1, 3, 1};
  auto pool = pool_of(weights);
  auto balancer = make(GetParam(), pool);
  std::vector<int> picked(4);
  for (int i = 0; i < 10'000; ++i) {  // held: what counts those in flight must see them
    size_t m = choose(*balancer, {});
    ASSERT_LT(m, 4u);
    ++picked[m];
  }
  for (size_t m = 0; m < 4; ++m) EXPECT_NEAR(picked[m], weights[m] * 1000, 150) << m;
}

TEST_P(BalancerContract, APickIsCountedInAndNothingElseIs) {
  auto pool = pool_of({1, 1, 1});
  auto balancer = make(GetParam(), pool);
  std::map<size_t, int64_t> mine;
  for (int i = 0; i < 100; ++i) ++mine[choose(*balancer, {})];
  for (size_t m = 0; m < 3; ++m) EXPECT_EQ(in_flight(*pool, m), mine[m]);
  EXPECT_EQ(choose(*balancer, {0, 1, 2}), Balancer::none);
  EXPECT_EQ(in_flight(*pool, 0) + in_flight(*pool, 1) + in_flight(*pool, 2), 100);
}

TEST_P(BalancerContract, TheTriedAreNotChosenAgain) {
  auto pool = pool_of({10, 1, 1});
  auto balancer = make(GetParam(), pool);
  for (int i = 0; i < 50; ++i) {
    EXPECT_NE(choose(*balancer, {0}), 0u);
    EXPECT_EQ(choose(*balancer, {2, 0}), 1u);
  }
}

TEST_P(BalancerContract, TheFullArePassedOver) {
  auto pool = pool_of({1, 1, 1});
  pool->members[0].max_connections = 2;
  pool->members[1].max_connections = 3;
  auto balancer = make(GetParam(), pool);
  for (int i = 0; i < 50; ++i) ASSERT_NE(choose(*balancer, {}), Balancer::none);
  EXPECT_EQ(in_flight(*pool, 0), 2);
  EXPECT_EQ(in_flight(*pool, 1), 3);
  EXPECT_EQ(choose(*balancer, {2}), Balancer::none);
  health::count_out(*pool->state, *pool->members[1].state);
  EXPECT_EQ(choose(*balancer, {2}), 1u);
}

TEST_P(BalancerContract, OnlyTheMembersItWasGivenAreChosen) {
  auto pool = pool_of({1, 1, 1, 1});
  auto balancer = Registration<BalancerKind>::find(GetParam())->make(pool, {1, 3});
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(choose(*balancer, {}) % 2 == 1);
  EXPECT_EQ(choose(*Registration<BalancerKind>::find(GetParam())->make(pool, {}), {}), Balancer::none);
}

TEST_P(BalancerContract, TellsHowEachStandsAndCountsNothing) {
  auto pool = pool_of({1, 2, 1});
  auto balancer = make(GetParam(), pool);
  EXPECT_FALSE(Registration<BalancerKind>::find(GetParam())->chosen.empty());
  for (int i = 0; i < 5; ++i) choose(*balancer, {});
  Rng rng(1), same(1);
  const Tried none;
  for (size_t m = 0; m < 3; ++m) {
    std::string told = balancer->standing(m, {none, rng, 1'000'000, {7}});
    EXPECT_FALSE(told.empty());
    EXPECT_EQ(balancer->standing(m, {none, rng, 1'000'000, {7}}), told) << "nothing moved";
  }
  EXPECT_EQ(in_flight(*pool, 0) + in_flight(*pool, 1) + in_flight(*pool, 2), 5);
  EXPECT_EQ(rng.next(), same.next());
}

TEST_P(BalancerContract, APickTakesNothingFromTheHeap) {
  auto pool = pool_of({1, 2, 3, 4, 5});
  auto balancer = make(GetParam(), pool);
  const Tried none, tried{1, 3};
  std::vector<size_t> under_way(100, Balancer::none);
  auto run = [&] {
    for (size_t i = 0; i < 1000; ++i) {
      size_t& m = under_way[i % 100];
      if (m != Balancer::none) health::count_out(*pool->state, *pool->members[m].state);
      m = choose(*balancer, i % 5 ? none : tried);
    }
  };
  run();  // tables have their size now
  ASSERT_GT(test::allocations, 0);
  long before = test::allocations;
  run();
  EXPECT_EQ(test::allocations, before);
}

TEST_P(BalancerContract, AFullPoolIsNeverOverfilledByThreads) {
  auto pool = pool_of({1, 2, 1});
  for (auto& m : pool->members) m.max_connections = 50;
  std::atomic<int> got{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      auto mine = make(GetParam(), pool);  // a worker each
      for (int i = 0; i < 100; ++i) got += choose(*mine, {}) != Balancer::none;
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(got, 150);
  for (size_t m = 0; m < 3; ++m) EXPECT_EQ(in_flight(*pool, m), 50);
}

INSTANTIATE_TEST_SUITE_P(All, BalancerContract, ::testing::ValuesIn(all_kinds()), [](const auto& test) {
  std::string name = test.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace portolan::proxy
