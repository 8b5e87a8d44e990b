// The contract all policies share, over every one that is registered, and what is each one's own.
#include "geodns/policy/policy.hh"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/geo/location.hh"

namespace portolan::geodns {
namespace {

using Candidates = std::vector<Candidate>;

const Policy& policy(std::string_view name) {
  return *Registration<PolicyPart>::find(name)->policy;
}

class Contract : public testing::TestWithParam<const PolicyPart*> {
 protected:
  const Policy& subject() { return *GetParam()->policy; }
  Candidates random(size_t count) {
    Candidates list;
    for (size_t i = 0; i < count; i++)
      list.push_back({static_cast<uint16_t>(i), static_cast<State>(rng.below(4)), static_cast<uint32_t>(rng.below(3)),
                      static_cast<uint32_t>(rng.below(3)), rng.below(4) ? &points[rng.below(3)] : nullptr});
    return list;
  }
  Rng rng{99};
  const Point points[3] = {Point::from_degrees(0, 0), Point::from_degrees(50, 8), Point::from_degrees(-33, 151)};
};

TEST_P(Contract, ChoosesAUsableOneWhileThereIsOne) {
  for (int i = 0; i < 20000; i++) {
    const Candidates list = random(1 + rng.below(6));
    const bool any = std::any_of(list.begin(), list.end(), [](const Candidate& c) { return usable(c.state); });
    const Choice choice = subject().choose(list, {}, rng.below(2) ? &points[rng.below(3)] : nullptr, rng);
    if (!any) {
      ASSERT_EQ(choice.candidate, Choice::all);
      ASSERT_FALSE(choice.by_location) << "all of them is the same for everybody";
      continue;
    }
    ASSERT_GE(choice.candidate, 0);
    ASSERT_LT(choice.candidate, static_cast<int>(list.size()));
    ASSERT_TRUE(usable(list[static_cast<size_t>(choice.candidate)].state));
  }
}

TEST_P(Contract, TheAskersPlaceMattersOnlyWhereItSaysSo) {
  for (int i = 0; i < 5000; i++) {
    const Candidates list = random(1 + rng.below(6));
    Rng one(static_cast<uint64_t>(i)), two(static_cast<uint64_t>(i));
    const Choice here = subject().choose(list, {}, &points[rng.below(3)], one);
    const Choice there = subject().choose(list, {}, rng.below(2) ? &points[rng.below(3)] : nullptr, two);
    ASSERT_EQ(here.by_location, there.by_location);
    if (!here.by_location) {
      ASSERT_EQ(here.candidate, there.candidate);
    }
    ASSERT_TRUE(subject().needs_location() || !here.by_location);
  }
}

INSTANTIATE_TEST_SUITE_P(Policies, Contract, testing::ValuesIn(Registration<PolicyPart>::all()),
                         [](const auto& part) { return std::string(part.param->name); });

TEST(Policies, AreAllRegistered) {
  std::set<std::string_view> names;
  for (const PolicyPart* part : Registration<PolicyPart>::all()) names.insert(part->name);
  EXPECT_EQ(names, (std::set<std::string_view>{"failover", "nearest", "weighted"}));
}

TEST(Nearest, IsGreatCircleNotDegrees) {
  // From Tromsø, Murmansk is nearer than Stockholm although it is more degrees away.
  const Point tromso = Point::from_degrees(69.6, 18.9), stockholm = Point::from_degrees(59.3, 18.1),
              murmansk = Point::from_degrees(69.0, 33.1);
  Rng rng(1);
  const Candidates list{{0, State::up, 1, 0, &stockholm}, {1, State::up, 1, 0, &murmansk}};
  EXPECT_EQ(policy("nearest").choose(list, {}, &tromso, rng).candidate, 1);
}

TEST(Nearest, CrossesTheDateLine) {
  const Point fiji = Point::from_degrees(-18, 178), samoa = Point::from_degrees(-14, -172),
              perth = Point::from_degrees(-32, 116);
  Rng rng(1);
  const Candidates list{{0, State::up, 1, 0, &perth}, {1, State::up, 1, 0, &samoa}};
  EXPECT_EQ(policy("nearest").choose(list, {}, &fiji, rng).candidate, 1);
}

TEST(Nearest, AgreesWithHaversine) {
  Rng rng(4);
  const auto degrees = [&](double half) { return (rng.unit() * 2 - 1) * half; };
  for (int i = 0; i < 5000; i++) {
    double at[3][2];
    for (auto& p : at) {
      p[0] = degrees(90);
      p[1] = degrees(180);
    }
    const double one = geo::distance_km(at[0][0], at[0][1], at[1][0], at[1][1]);
    const double two = geo::distance_km(at[0][0], at[0][1], at[2][0], at[2][1]);
    if (std::abs(one - two) < 0.001) continue;
    const Point asker = Point::from_degrees(at[0][0], at[0][1]), a = Point::from_degrees(at[1][0], at[1][1]),
                b = Point::from_degrees(at[2][0], at[2][1]);
    const Candidates list{{0, State::up, 1, 0, &a}, {1, State::up, 1, 0, &b}};
    ASSERT_EQ(policy("nearest").choose(list, {}, &asker, rng).candidate, one < two ? 0 : 1);
  }
}

TEST(Nearest, PrefersAKnownPlaceAndTheFirstOfEquals) {
  const Point here = Point::from_degrees(10, 10), antipode = Point::from_degrees(-10, -170);
  Rng rng(1);
  const Candidates list{
      {0, State::up, 1, 0, nullptr}, {1, State::up, 1, 0, &antipode}, {2, State::up, 1, 0, &antipode}};
  EXPECT_EQ(policy("nearest").choose(list, {}, &here, rng).candidate, 1);
  EXPECT_EQ(policy("nearest").choose(list, {}, nullptr, rng).candidate, 0);
  const Candidates nowhere{{0, State::up, 1, 0, nullptr}, {1, State::up, 1, 0, nullptr}};
  EXPECT_FALSE(policy("nearest").choose(nowhere, {}, &here, rng).by_location);
}

TEST(Weighted, SharesHold) {
  for (auto [a, b] : std::vector<std::pair<uint32_t, uint32_t>>{{1, 99}, {50, 50}, {70, 30}}) {
    Rng rng(a);
    const Candidates list{
        {0, State::up, a, 0, nullptr}, {1, State::down, 1000, 0, nullptr}, {2, State::up, b, 0, nullptr}};
    const int rounds = 100000;
    int first = 0;
    for (int i = 0; i < rounds; i++) first += policy("weighted").choose(list, {}, nullptr, rng).candidate == 0;
    const double share = static_cast<double>(a) / (a + b), sigma = std::sqrt(rounds * share * (1 - share));
    EXPECT_NEAR(first, rounds * share, 4 * sigma) << a << ":" << b;
  }
}

TEST(Weighted, ZeroIsTheLastResort) {
  Rng rng(1);
  Candidates list{{0, State::up, 0, 0, nullptr}, {1, State::up, 5, 0, nullptr}};
  for (int i = 0; i < 1000; i++) ASSERT_EQ(policy("weighted").choose(list, {}, nullptr, rng).candidate, 1);
  list[1].state = State::down;
  EXPECT_EQ(policy("weighted").choose(list, {}, nullptr, rng).candidate, 0);
}

TEST(Failover, FollowsTheOrder) {
  Rng rng(1);
  Candidates list{{0, State::up, 1, 2, nullptr},
                  {1, State::up, 1, 0, nullptr},
                  {2, State::up, 1, 1, nullptr},
                  {3, State::up, 1, 2, nullptr}};
  for (int expected : {1, 2, 0, 3}) {
    EXPECT_EQ(policy("failover").choose(list, {}, nullptr, rng).candidate, expected);
    list[static_cast<size_t>(expected)].state = State::down;
  }
  EXPECT_EQ(policy("failover").choose(list, {}, nullptr, rng).candidate, Choice::all);
}

}  // namespace
}  // namespace portolan::geodns
