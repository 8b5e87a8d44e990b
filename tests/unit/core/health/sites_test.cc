// A service's health from several checks at once, from a file, and how long it holds.
#include <fcntl.h>
#include <sys/stat.h>

#include <fstream>

#include "core/health/utilization.hh"
#include "tests/unit/core/health/fixture.hh"

namespace portolan::health {
namespace {

class Sites : public MonitorTest {
 protected:
  static SiteSpec tcp(const std::string& address) {
    SiteSpec s;
    s.kind = SiteSpec::Kind::tcp;
    s.tcp = address;
    s.check.interval_ms = 1000;
    return s;
  }
  static SiteSpec here(SiteSpec s) {
    s.datacenter = "us";
    return s;
  }
  void watch(SiteSpec s) { monitor.apply({{}, {{"web", {here(std::move(s))}}}, {"us"}}); }
  Health now() { return site("web", "us"); }
};

TEST_F(Sites, AllOfThemMustBeGood) {
  SiteSpec both;
  both.kind = SiteSpec::Kind::all;
  both.all = {tcp(a), tcp(b)};
  watch(both);
  EXPECT_EQ(now().state, State::unknown);
  settle();
  EXPECT_EQ(now().state, State::up);
  servers.refuses(b);
  passes(3500);
  EXPECT_EQ(now().state, State::down);
  EXPECT_EQ(now().reason, "connection refused");
  servers.good(b);
  passes(3000);
  EXPECT_EQ(now().state, State::up);
}

TEST_F(Sites, TellHowLongTheyHoldWhateverTheNextChecksSay) {
  watch(tcp(a));
  settle();
  // fall is 3: three bad ones from now on, the first of which may come at once; an interval may be a tenth shorter.
  EXPECT_EQ(now().horizon_ms, 2 * 900);
  servers.refuses(a);
  passes(1000);
  EXPECT_EQ(now().state, State::up);
  EXPECT_EQ(now().horizon_ms, 900);
  passes(1000);
  EXPECT_EQ(now().horizon_ms, 0);
  passes(1000);
  EXPECT_EQ(now().state, State::down);
  EXPECT_EQ(now().horizon_ms, 900) << "rise is 2";
  servers.good(a);
  passes(1000);
  EXPECT_EQ(now().state, State::down);
  EXPECT_EQ(now().horizon_ms, 0);
  passes(1000);
  EXPECT_EQ(now().state, State::up);
  EXPECT_EQ(now().horizon_ms, 1800);
}

TEST_F(Sites, AHorizonIsNeverTooLong) {
  watch(tcp(a));
  settle();
  Rng rng(5);
  for (int round = 0; round < 60; round++) {
    rng.below(2) ? servers.refuses(a) : servers.good(a);
    const Health before = now();
    const int64_t began = clock.now_ms();
    for (int i = 0; i < 30 && serves(now().state) == serves(before.state); i++) passes(100);
    if (serves(now().state) != serves(before.state)) {
      ASSERT_GE(clock.now_ms() - began, before.horizon_ms);
    }
  }
}

TEST_F(Sites, SeveralHoldAsLongAsTheFirstOfThem) {
  SiteSpec slow = tcp(b);
  slow.check.interval_ms = 10'000;
  SiteSpec both;
  both.kind = SiteSpec::Kind::all;
  both.all = {slow, tcp(a)};
  watch(both);
  settle();
  EXPECT_EQ(now().horizon_ms, 1800);
}

TEST_F(Sites, AFileSaysWhatSomebodyElseKnows) {
  const std::string path = testing::TempDir() + "/portolan-site-" + std::to_string(::getpid());
  const auto write = [&](const char* what, int64_t age_ms = 0) {
    std::ofstream(path) << what;
    const int64_t at = clock.wall_ms() - age_ms;
    const timespec times[2] = {{at / 1000, 0}, {at / 1000, 0}};
    ::utimensat(AT_FDCWD, path.c_str(), times, 0);
  };
  ::unlink(path.c_str());
  SiteSpec file;
  file.kind = SiteSpec::Kind::file;
  file.file = path;
  file.max_age_ms = 60'000;
  file.check.interval_ms = 1000;
  watch(file);
  settle();
  EXPECT_EQ(now().state, State::unknown) << "not there: unknown is not down";
  EXPECT_EQ(now().reason, path + ": No such file or directory");
  for (const auto& [what, state] : {std::pair("down\n", State::down),
                                    {"up", State::up},
                                    {" draining # soon", State::draining},
                                    {"perhaps", State::unknown},
                                    {"", State::unknown}}) {
    write(what);
    passes(1100);
    EXPECT_EQ(now().state, state) << what;
  }
  write("down");
  passes(30'000);
  EXPECT_EQ(now().state, State::down);
  EXPECT_EQ(now().horizon_ms, 0) << "it may be written at any moment";
  passes(31'000);
  EXPECT_EQ(now().state, State::unknown) << "who wrote it writes no more";
  EXPECT_NE(now().reason.find("was not written for more than 60 s"), std::string::npos);
  ::unlink(path.c_str());
}

TEST_F(Sites, ReportsSayThemToTheOtherNodes) {
  watch(tcp(a));
  settle();
  const Report report = report_of(*boards.back(), "ns1", "us");
  const auto heard = parse_report(to_json(report));
  ASSERT_TRUE(heard);
  EXPECT_EQ(heard->services.at("web").at("us"), "up");
  EXPECT_TRUE(heard->says_as(report));
  Report other = report;
  other.services["web"]["us"] = "down";
  EXPECT_FALSE(other.says_as(report)) << "that is news";
}

TEST(Reports, UtilizationIsToldAndIsNoNews) {
  Report report;
  report.pools["app"].of = 2;
  report.pools["app"].utilization = 0.4167;
  const auto heard = parse_report(to_json(report));
  ASSERT_TRUE(heard);
  EXPECT_NEAR(heard->pools.at("app").utilization, 0.4167, 1e-9);
  Report later = report;
  later.pools["app"].utilization = 0.9;
  EXPECT_TRUE(later.says_as(report));
  report.pools["app"].utilization = -1;
  EXPECT_EQ(to_json(report).find("utilization"), std::string::npos);
}

}  // namespace
}  // namespace portolan::health
