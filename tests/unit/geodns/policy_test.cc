// The contract all policies share, over every one that is registered, and what is each one's own.
#include "geodns/policy/policy.hh"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "core/geo/location.hh"

namespace portolan::geodns {
namespace {

const Policy& policy(std::string_view name) {
  return *Registration<PolicyPart>::find(name)->policy;
}

// An order of groups, its conditions, and who is picked.
struct Case {
  std::vector<Ranked> order;
  std::vector<Condition> conditions;
  uint32_t answers = 1;
  uint64_t network = 0;
  bool by_network = false;

  void add(uint16_t group_end, uint32_t weight = 1, Condition condition = State::up) {
    const auto i = static_cast<uint8_t>(order.size());
    order.push_back({i, i, group_end, weight});
    conditions.push_back(condition);
  }
  std::vector<int> pick(const Policy& policy, Rng& rng) const {
    Picks picks;
    policy.pick({order, conditions, answers, network, by_network, {}}, rng, picks);
    horizon_s = picks.horizon_s;
    return {picks.list, picks.list + picks.count};
  }
  mutable uint32_t horizon_s = 0;
};

// Candidates of one group.
Case group(std::vector<uint32_t> weights) {
  Case c;
  for (uint32_t weight : weights) c.add(static_cast<uint16_t>(weights.size()), weight);
  return c;
}
// Candidates one after the other.
Case line(uint16_t count) {
  Case c;
  for (uint16_t i = 0; i < count; i++) c.add(i + 1);
  return c;
}

class Contract : public testing::TestWithParam<const PolicyPart*> {
 protected:
  const Policy& subject() { return *GetParam()->policy; }
  Case random() {
    Case c;
    const auto count = static_cast<uint16_t>(1 + rng.below(7));
    for (uint16_t begin = 0; begin < count;) {
      const auto end = static_cast<uint16_t>(begin + 1 + rng.below(count - begin));
      for (; begin < end; begin++) {
        c.add(end, static_cast<uint32_t>(rng.below(3)), static_cast<State>(rng.below(4)));
        if (rng.below(2)) c.conditions.back().room = static_cast<uint16_t>(rng.below(65536));
        if (rng.below(2)) c.conditions.back().horizon_s = static_cast<uint32_t>(rng.below(100));
      }
    }
    c.answers = rng.below(3) ? 1 : static_cast<uint32_t>(1 + rng.below(4));
    if (rng.below(8) == 0 && GetParam()->name == "all") c.answers = Slate::every;
    c.network = rng.next();
    c.by_network = rng.below(2);
    return c;
  }
  Rng rng{99};
};

TEST_P(Contract, PicksUsableOnesWhileThereIsOne) {
  for (int i = 0; i < 30000; i++) {
    const Case c = random();
    const auto picked = c.pick(subject(), rng);
    const auto usable_count =
        std::count_if(c.conditions.begin(), c.conditions.end(), [](const Condition& x) { return usable(x.state); });
    ASSERT_EQ(picked.empty(), usable_count == 0);
    ASSERT_LE(picked.size(), c.answers);
    ASSERT_EQ(std::set<int>(picked.begin(), picked.end()).size(), picked.size()) << "each once";
    for (int p : picked) ASSERT_TRUE(usable(c.conditions[static_cast<size_t>(p)].state));
  }
}

TEST_P(Contract, AsManyAsAreWantedRoomOrNot) {
  for (int i = 0; i < 20000; i++) {
    Case c = random();
    if (c.answers == Slate::every) continue;
    size_t usable_count = 0;
    for (const Condition& x : c.conditions) usable_count += usable(x.state);
    ASSERT_EQ(c.pick(subject(), rng).size(), std::min<size_t>(c.answers, usable_count));
  }
}

TEST_P(Contract, TheHorizonIsThatOfAllThatCouldChangeIt) {
  for (int i = 0; i < 20000; i++) {
    const Case c = random();
    const auto picked = c.pick(subject(), rng);
    for (int p : picked) ASSERT_LE(c.horizon_s, c.conditions[static_cast<size_t>(p)].horizon_s) << "of those picked";
    if (picked.empty()) continue;
    const int last = *std::max_element(picked.begin(), picked.end());
    const unsigned group_end = c.order[static_cast<size_t>(last)].group_end;
    for (unsigned j = 0; j < group_end; j++)
      ASSERT_LE(c.horizon_s, c.conditions[j].horizon_s) << "of those that come before them, or could have come instead";
  }
}

TEST_P(Contract, ByNetworkTheSameNetworkGetsTheSame) {
  for (int i = 0; i < 20000; i++) {
    Case c = random();
    c.by_network = true;
    for (size_t r = 0; r < c.order.size(); r++)
      c.order[r].group_end = static_cast<uint16_t>(r + 1);  // no chance but spills
    ASSERT_EQ(c.pick(subject(), rng), c.pick(subject(), rng));
  }
}

TEST_P(Contract, GroupsComeInTheirOrder) {
  for (int i = 0; i < 20000; i++) {
    Case c = random();
    c.answers = 1;
    for (Condition& x : c.conditions) x.room = Condition::full_room;
    const auto picked = c.pick(subject(), rng);
    if (picked.empty()) continue;
    for (unsigned j = 0; c.order[j].group_end < c.order[static_cast<size_t>(picked[0])].group_end; j++)
      ASSERT_FALSE(usable(c.conditions[j].state));
  }
}

INSTANTIATE_TEST_SUITE_P(Policies, Contract, testing::ValuesIn(Registration<PolicyPart>::all()),
                         [](const auto& part) { return std::string(part.param->name); });

TEST(Policies, AreAllRegistered) {
  std::set<std::string_view> names;
  for (const PolicyPart* part : Registration<PolicyPart>::all()) names.insert(part->name);
  EXPECT_EQ(names, (std::set<std::string_view>{"all", "failover", "nearest", "sticky", "weighted"}));
}

Candidate at(double latitude, double longitude) {
  Candidate c;
  c.has_location = true;
  c.location = Point::from_degrees(latitude, longitude);
  return c;
}

TEST(Nearest, IsGreatCircleNotDegrees) {
  // From Tromsø, Murmansk is nearer than Stockholm although it is more degrees away.
  const Point tromso = Point::from_degrees(69.6, 18.9);
  EXPECT_LT(policy("nearest").cost(at(69.0, 33.1), &tromso), policy("nearest").cost(at(59.3, 18.1), &tromso));
}

TEST(Nearest, CrossesTheDateLine) {
  const Point fiji = Point::from_degrees(-18, 178);
  EXPECT_LT(policy("nearest").cost(at(-14, -172), &fiji), policy("nearest").cost(at(-32, 116), &fiji));
}

TEST(Nearest, CostsAreKilometres) {
  Rng rng(4);
  for (int i = 0; i < 5000; i++) {
    const double from[2] = {rng.unit() * 180 - 90, rng.unit() * 360 - 180};
    const double to[2] = {rng.unit() * 180 - 90, rng.unit() * 360 - 180};
    const Point asker = Point::from_degrees(from[0], from[1]);
    ASSERT_NEAR(policy("nearest").cost(at(to[0], to[1]), &asker), geo::distance_km(from[0], from[1], to[0], to[1]),
                0.01);
  }
}

TEST(Nearest, PrefersAKnownPlace) {
  const Point here = Point::from_degrees(10, 10);
  EXPECT_LT(policy("nearest").cost(at(-10, -170), &here), policy("nearest").cost(Candidate(), &here));
}

// χ² of counts that should be as the weights are; the bound is that of p = 0.001.
void expect_shares(const std::map<int, int>& counts, const std::vector<uint32_t>& weights, int rounds) {
  const double bounds[] = {0, 10.83, 13.82, 16.27};
  uint64_t total = 0;
  for (uint32_t w : weights) total += w;
  double chi_squared = 0;
  for (size_t i = 0; i < weights.size(); i++) {
    const double expected = static_cast<double>(rounds) * weights[i] / static_cast<double>(total);
    const auto found = counts.find(static_cast<int>(i));
    const double difference = (found == counts.end() ? 0 : found->second) - expected;
    chi_squared += difference * difference / expected;
  }
  EXPECT_LT(chi_squared, bounds[weights.size() - 1]);
}

const std::vector<std::vector<uint32_t>> splits = {{1, 99}, {50, 50}, {70, 20, 10}};

TEST(Weighted, SharesHoldOverAMillionPicks) {
  for (const auto& weights : splits) {
    Rng rng(weights[0]);
    const Case c = group(weights);
    std::map<int, int> counts;
    for (int i = 0; i < 1'000'000; i++) counts[c.pick(policy("weighted"), rng)[0]]++;
    expect_shares(counts, weights, 1'000'000);
  }
}

TEST(Weighted, ZeroCountsWhereAllHaveIt) {
  Rng rng(1);
  Case c = group({0, 0});
  std::map<int, int> counts;
  for (int i = 0; i < 1000; i++) counts[c.pick(policy("weighted"), rng)[0]]++;
  EXPECT_GT(counts[0], 400);
  EXPECT_GT(counts[1], 400);
  Candidate some, none;
  none.weight = 0;
  EXPECT_GE(policy("weighted").cost(none, nullptr), policy("weighted").cost(some, nullptr) + 1) << "a group later";
}

TEST(Sticky, SharesHoldOverAMillionNetworks) {
  for (const auto& weights : splits) {
    Rng rng(weights[0] + 7), none(0);
    Case c = group(weights);
    std::map<int, int> counts;
    for (int i = 0; i < 1'000'000; i++) {
      c.network = rng.next();
      counts[c.pick(policy("sticky"), none)[0]]++;
    }
    expect_shares(counts, weights, 1'000'000);
  }
}

TEST(Sticky, ALostOneMovesOnlyItsOwnAndGetsThemBack) {
  Rng rng(3);
  Case c = group({30, 30, 20, 20});
  int moved = 0, was_there = 0;
  std::map<int, int> heirs;
  for (int i = 0; i < 100'000; i++) {
    c.network = rng.next();
    c.conditions[1].state = State::up;
    const int before = c.pick(policy("sticky"), rng)[0];
    c.conditions[1].state = State::down;
    const int without = c.pick(policy("sticky"), rng)[0];
    c.conditions[1].state = State::up;
    ASSERT_EQ(c.pick(policy("sticky"), rng)[0], before);
    was_there += before == 1;
    moved += before != without;
    if (before == 1) heirs[without]++;
    if (before != 1) {
      ASSERT_EQ(before, without);
    }
  }
  EXPECT_EQ(moved, was_there);
  EXPECT_NEAR(moved, 30'000, 600);
  EXPECT_NEAR(heirs[0], moved * 30 / 70, 500) << "by their weights";
  EXPECT_NEAR(heirs[2], moved * 20 / 70, 500);
}

TEST(Failover, FollowsTheOrder) {
  Rng rng(1);
  Case c = line(4);
  for (int expected : {0, 1, 2, 3}) {
    EXPECT_EQ(c.pick(policy("failover"), rng), std::vector<int>{expected});
    c.conditions[static_cast<size_t>(expected)].state = expected % 2 ? State::draining : State::down;
  }
  EXPECT_TRUE(c.pick(policy("failover"), rng).empty());
}

TEST(All, IsEveryUsableOneOfTheFirstGroup) {
  Rng rng(1);
  Case c = group({5, 1, 3});
  c.answers = Slate::every;
  c.conditions[1].state = State::down;
  std::set<std::vector<int>> seen;
  for (int i = 0; i < 50; i++) seen.insert(c.pick(policy("all"), rng));
  EXPECT_EQ(seen, (std::set<std::vector<int>>{{0, 2}, {2, 0}})) << "each comes first, as clients take that";
  c.answers = 1;
  EXPECT_EQ(c.pick(policy("all"), rng).size(), 1u);
}

TEST(Spilling, TheRestGoesOnToTheNext) {
  for (const bool by_network : {false, true}) {
    Rng rng(5);
    Case c = line(3);
    c.by_network = by_network;
    c.conditions[0].room = 65535 / 4;
    c.conditions[1].room = 65535 / 2;
    std::map<int, int> counts;
    for (int i = 0; i < 200'000; i++) {
      c.network = rng.next();
      counts[c.pick(policy("nearest"), rng)[0]]++;
    }
    EXPECT_NEAR(counts[0], 50'000, 1000);
    EXPECT_NEAR(counts[1], 75'000, 1000);
    EXPECT_NEAR(counts[2], 75'000, 1000);
  }
}

TEST(Spilling, NobodyIsLeftWhereNobodyHasRoom) {
  Rng rng(5);
  Case c = line(3);
  c.conditions[0].room = 100;
  c.conditions[1].room = 300;
  c.conditions[2].room = 200;
  std::map<int, int> counts;
  for (int i = 0; i < 10'000; i++) counts[c.pick(policy("nearest"), rng)[0]]++;
  EXPECT_NEAR(counts[1], 5'000, 300) << "by their room";
  EXPECT_NEAR(counts[2], 3'333, 300);
}

TEST(Spilling, InAGroupTheOthersOfTheGroupComeFirst) {
  Rng rng(5);
  Case c = group({1, 1});
  c.order[0].group_end = c.order[1].group_end = 2;
  c.add(3);
  c.conditions[0].room = 0;
  for (int i = 0; i < 1000; i++) ASSERT_EQ(c.pick(policy("weighted"), rng), std::vector<int>{1});
  c.conditions[1].room = 0;
  ASSERT_EQ(c.pick(policy("weighted"), rng), std::vector<int>{2});
}

}  // namespace
}  // namespace portolan::geodns
