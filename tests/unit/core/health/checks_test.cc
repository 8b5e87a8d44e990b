// Active checks: when they run, and what they make of a server.
#include <algorithm>

#include "core/base/log.hh"

#include "tests/unit/core/health/fixture.hh"

namespace portolan::health {
namespace {

using Checks = MonitorTest;

TEST_F(Checks, AServerIsUnknownUntilItsFirstCheckWhichRunsAtOnce) {
  monitor.apply({{pool("app", {server(a)})}, {}, {}});
  ASSERT_EQ(boards.size(), 1u);
  EXPECT_EQ(state("app", a), State::unknown);
  EXPECT_TRUE(serves(state("app", a)));
  EXPECT_EQ(servers.checks_of(a), 1u);
  settle();
  EXPECT_EQ(state("app", a), State::up);
  EXPECT_EQ(health("app", a).reason, "HTTP 200");
  EXPECT_EQ(health("app", a).since_ms, clock.wall_ms());
}

TEST_F(Checks, FallFailuresInARowMakeItDown) {
  monitor.apply({{pool("app", {server(a)})}, {}, {}});
  settle();
  servers.refuses(a);
  passes(1990);
  EXPECT_EQ(state("app", a), State::up);
  EXPECT_GE(servers.checks_of(a), 2u);
  passes(1020);
  EXPECT_EQ(state("app", a), State::down);
  EXPECT_EQ(health("app", a).reason, "connection refused");
}

TEST_F(Checks, AGoodCheckBetweenStartsTheCountAnew) {
  monitor.apply({{pool("app", {server(a)})}, {}, {}});
  settle();
  for (int i = 0; i < 5; ++i) {
    size_t before = servers.checks_of(a);
    servers.refuses(a);
    until([&] { return servers.checks_of(a) == before + 2; });
    servers.good(a);
    until([&] { return servers.checks_of(a) == before + 3; });
    EXPECT_EQ(state("app", a), State::up);
  }
}

TEST_F(Checks, RiseGoodChecksBringItBack) {
  servers.refuses(a);
  monitor.apply({{pool("app", {server(a)})}, {}, {}});
  until([&] { return state("app", a) == State::down; });
  EXPECT_EQ(servers.checks_of(a), 1u) << "the first result decides alone";
  servers.good(a);
  until([&] { return servers.checks_of(a) == 2; });
  EXPECT_EQ(state("app", a), State::down);
  until([&] { return servers.checks_of(a) == 3; });
  EXPECT_EQ(state("app", a), State::up);
}

TEST_F(Checks, TheReasonOfADownServerFollowsWhatIsSeen) {
  servers.refuses(a);
  monitor.apply({{pool("app", {server(a)})}, {}, {}});
  until([&] { return state("app", a) == State::down; });
  int64_t since = health("app", a).since_ms;
  servers.says(a, {false, "HTTP 503"});
  passes(1020);
  EXPECT_EQ(health("app", a).reason, "HTTP 503");
  EXPECT_EQ(health("app", a).since_ms, since);
}

TEST_F(Checks, JitterShortensAnIntervalByUpToATenthAndNeverLengthensIt) {
  monitor.apply({{pool("app", {server(a)})}, {}, {}});
  passes(100'000);
  std::vector<int64_t> gaps;
  for (size_t i = 1; i < servers.started.size(); ++i)
    gaps.push_back(servers.started[i].at_ms - servers.started[i - 1].at_ms);
  ASSERT_GT(gaps.size(), 99u);
  auto [least, most] = std::minmax_element(gaps.begin(), gaps.end());
  EXPECT_GE(*least, 900 - 8);  // one tick of the wheel
  EXPECT_LE(*most, 1000 + 8);
  EXPECT_LT(*least, 930);
  EXPECT_GT(*most, 970);
}

TEST_F(Checks, ATimedOutCheckSaysSo) {
  servers.freezes(a);
  monitor.apply({{pool("app", {server(a)})}, {}, {}});
  until([&] { return state("app", a) == State::down; });
  EXPECT_EQ(health("app", a).reason, "timed out after 500 ms");
}

// The bounds an operator counts on, for timeouts shorter and longer than the interval, from any
// moment on.
struct Times {
  int64_t interval_ms, timeout_ms;
  int fall;
};
class Bounds : public MonitorTest, public ::testing::WithParamInterface<Times> {
 protected:
  PoolSpec spec() {
    CheckConfig check = http_check();
    check.interval_ms = GetParam().interval_ms;
    check.timeout_ms = GetParam().timeout_ms;
    check.fall = GetParam().fall;
    return pool("app", {server(a)}, check);
  }
  void is_well_until(int64_t offset_ms) {
    monitor.apply({{spec()}, {}, {}});
    settle();
    passes(5 * GetParam().interval_ms + offset_ms);
    ASSERT_EQ(state("app", a), State::up);
  }
  bool down() { return state("app", a) == State::down; }
};

TEST_P(Bounds, ADeathIsSeenWithinIntervalTimesFall) {
  for (int64_t offset = 0; offset < GetParam().interval_ms; offset += 100) {
    is_well_until(offset);
    servers.refuses(a);
    EXPECT_LE(until([&] { return down(); }), GetParam().interval_ms * GetParam().fall + 50);
    servers.good(a);
    until([&] { return !down(); });
  }
}

TEST_P(Bounds, AFreezeIsSeenWithinIntervalTimesFallPlusTimeout) {
  for (int64_t offset = 0; offset < GetParam().interval_ms; offset += 100) {
    is_well_until(offset);
    servers.freezes(a);
    int64_t bound = GetParam().interval_ms * GetParam().fall + GetParam().timeout_ms;
    EXPECT_LE(until([&] { return down(); }), bound + 50);
    EXPECT_LE(servers.under_way, GetParam().fall);
    servers.good(a);
    until([&] { return !down(); });
  }
}

INSTANTIATE_TEST_SUITE_P(Times, Bounds,
                         ::testing::Values(Times{2000, 1000, 3}, Times{1000, 1000, 2}, Times{500, 2000, 3},
                                           Times{300, 5000, 1}, Times{1000, 2500, 5}));

TEST_F(Checks, PoolsThatAskTheSameShareOneCheck) {
  CheckConfig slower = http_check();
  slower.interval_ms = 5000;
  monitor.apply({{pool("app", {server(a)}), pool("canary", {server(a)}), pool("slow", {server(a)}, slower)}, {}, {}});
  EXPECT_EQ(servers.checks_of(a), 2u);
  servers.refuses(a);
  passes(3100);
  EXPECT_EQ(state("app", a), State::down);
  EXPECT_EQ(state("canary", a), State::down);
  EXPECT_NE(state("slow", a), State::down);
}

TEST_F(Checks, AReloadKeepsStateAndTimingOfWhatStays) {
  monitor.apply({{pool("app", {server(a), server(b)})}, {}, {}});
  settle();
  servers.refuses(a);
  until([&] { return state("app", a) == State::down; });
  int64_t since = health("app", a).since_ms;
  auto counts = boards.back()->pools.at("app")->find(at(a))->state;
  size_t checks_a = servers.checks_of(a), checks_b = servers.checks_of(b);
  passes(400);
  monitor.apply({{pool("app", {server(a, 5), server("127.0.0.1:8083")})}, {}, {}});
  settle();
  EXPECT_EQ(state("app", a), State::down);
  EXPECT_EQ(health("app", a).since_ms, since);
  const Member* kept = boards.back()->pools.at("app")->find(at(a));
  EXPECT_EQ(kept->weight, 5);
  EXPECT_EQ(kept->state, counts);
  EXPECT_EQ(state("app", "127.0.0.1:8083"), State::up);
  EXPECT_EQ(servers.checks_of(a), checks_a);  // no check out of turn
  passes(620);
  EXPECT_EQ(servers.checks_of(a), checks_a + 1);  // the old timing went on
  passes(5000);
  EXPECT_EQ(servers.checks_of(b), checks_b);  // a removed server is left alone
}

TEST_F(Checks, UnchangedPoolsAreSharedByBoardsAndNothingNewPublishesNothing) {
  monitor.apply({{pool("app", {server(a)}), pool("other", {server(b)})}, {}, {}});
  settle();
  size_t published = boards.size();
  passes(10'000);
  EXPECT_EQ(boards.size(), published);
  auto before = boards.back();
  servers.refuses(a);
  passes(3100);
  ASSERT_EQ(boards.size(), published + 1);
  EXPECT_NE(boards.back()->pools.at("app"), before->pools.at("app"));
  EXPECT_EQ(boards.back()->pools.at("other"), before->pools.at("other"));
  EXPECT_EQ(boards.back()->version, before->version + 1);
}

TEST_F(Checks, ChangesInOneTurnMakeOneBoard) {
  std::vector<ServerSpec> many;
  for (int i = 0; i < 50; ++i) many.push_back(server("127.0.0.1:" + std::to_string(9000 + i)));
  monitor.apply({{pool("app", many)}, {}, {}});
  settle();
  EXPECT_EQ(boards.size(), 2u);
  EXPECT_EQ(boards.back()->pools.at("app")->serving(), 50u);
}

std::vector<std::string>* lines = nullptr;

TEST_F(Checks, EveryChangeIsOneLineInTheLog) {
  std::vector<std::string> seen;
  lines = &seen;
  log::set_sink([](std::string_view line) { lines->emplace_back(line); });
  servers.refuses(a);
  monitor.apply({{pool("app", {server(a)})}, {}, {}});
  passes(5100);
  log::set_sink(nullptr);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_NE(seen[0].find("event=\"server changed\" pool=app server=127.0.0.1:8081 state=down was=unknown "
                         "reason=\"connection refused\" after=1"),
            std::string::npos)
      << seen[0];
}

TEST_F(MonitorTest, ChecksMayGoToAPortOfTheirOwn) {
  CheckConfig check = http_check();
  check.port = 9000;
  monitor.apply({{pool("app", {server(a), server(b)}, check)}, {}, {}});
  settle();
  EXPECT_EQ(servers.checks_of("127.0.0.1:9000"), 1u) << "two servers of one host share it";
  EXPECT_EQ(servers.checks_of(a), 0u);
  servers.refuses("127.0.0.1:9000");
  passes(3'100);
  EXPECT_EQ(state("app", a), State::down);
  EXPECT_EQ(state("app", b), State::down);
}

}  // namespace
}  // namespace portolan::health
