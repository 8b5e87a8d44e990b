// Failed requests, operators' wishes, names, and services judged by local pools.
#include "tests/unit/core/health/fixture.hh"

namespace portolan::health {
namespace {

using Failures = MonitorTest;
using Operators = MonitorTest;
using ServerNames = MonitorTest;
using Services = MonitorTest;

TEST_F(Failures, FallFailedRequestsInARowTakeACheckedServerDownAtOnce) {
  monitor.apply({{pool("app", {server(a), server(b)})}, {}, {}});
  settle();
  request_fails("app", a);
  request_fails("app", a);
  EXPECT_EQ(state("app", a), State::up);
  request_fails("app", a);
  EXPECT_EQ(state("app", a), State::down);
  EXPECT_EQ(health("app", a).reason, "failed requests: connection reset by peer");
  EXPECT_EQ(state("app", b), State::up);
}

TEST_F(Failures, AnAnswerThatCameMeanwhileSpeaksForTheServer) {
  monitor.apply({{pool("app", {server(a)})}, {}, {}});
  settle();
  auto counts = boards.back()->pools.at("app")->find(at(a))->state;
  counts->failures_in_a_row = 3;
  counts->failures_in_a_row = 0;
  monitor.report_failure("app", at(a), "timed out");
  settle();
  EXPECT_EQ(state("app", a), State::up);
}

TEST_F(Failures, RiseGoodChecksBringSuchAServerBackWithACleanSlate) {
  monitor.apply({{pool("app", {server(a)})}, {}, {}});
  settle();
  for (int i = 0; i < 3; ++i) request_fails("app", a);
  ASSERT_EQ(state("app", a), State::down);
  size_t checks = servers.checks_of(a);
  until([&] { return servers.checks_of(a) == checks + 1; });
  EXPECT_EQ(state("app", a), State::down);
  until([&] { return servers.checks_of(a) == checks + 2; });
  EXPECT_EQ(state("app", a), State::up);
  request_fails("app", a);
  EXPECT_EQ(state("app", a), State::up);
}

TEST_F(Failures, TheyConcernOnePoolOfAServerInTwo) {
  monitor.apply({{pool("app", {server(a)}), pool("canary", {server(a)})}, {}, {}});
  settle();
  for (int i = 0; i < 3; ++i) request_fails("canary", a);
  EXPECT_EQ(state("canary", a), State::down);
  EXPECT_EQ(state("app", a), State::up);
}

TEST_F(Failures, ThreeInARowEjectAnUncheckedServerForTenSeconds) {
  monitor.apply({{pool("app", {server(a), server(b)}, {})}, {}, {}});
  request_fails("app", a);
  request_fails("app", a);
  EXPECT_EQ(state("app", a), State::unknown);
  request_fails("app", a);
  EXPECT_EQ(state("app", a), State::ejected);
  EXPECT_FALSE(serves(state("app", a)));
  passes(9'900);
  EXPECT_EQ(state("app", a), State::ejected);
  passes(200);
  EXPECT_EQ(state("app", a), State::unknown);
  request_fails("app", a);
  EXPECT_EQ(state("app", a), State::unknown);
}

TEST_F(Failures, TheLastServerLeftIsNeverEjected) {
  monitor.apply({{pool("app", {server(a), server(b)}, {})}, {}, {}});
  for (int i = 0; i < 3; ++i) request_fails("app", a);
  for (int i = 0; i < 5; ++i) request_fails("app", b);
  EXPECT_EQ(state("app", a), State::ejected);
  EXPECT_EQ(state("app", b), State::unknown);
}

TEST_F(Failures, ServersThatLeftAreNoConcern) {
  monitor.apply({{pool("app", {server(a)})}, {}, {}});
  monitor.report_failure("gone", at(a), "x");
  monitor.report_failure("app", at(b), "x");
  settle();
  EXPECT_EQ(state("app", a), State::up);
}

TEST_F(Operators, ADrainedServerStaysDrainedOverChecksAndReloads) {
  monitor.apply({{pool("app", {server(a), server(b)})}, {}, {}});
  settle();
  ASSERT_TRUE(monitor.drain_server("app", a, true));
  settle();
  EXPECT_EQ(state("app", a), State::draining);
  EXPECT_EQ(health("app", a).reason, "drained by an operator");
  EXPECT_EQ(state("app", b), State::up);
  passes(5000);
  monitor.apply({{pool("app", {server(a)})}, {}, {}});
  EXPECT_EQ(state("app", a), State::draining);
  ASSERT_TRUE(monitor.drain_server("app", a, false));
  settle();
  EXPECT_EQ(state("app", a), State::up);
}

TEST_F(Operators, ADrainEndsWithItsServer) {
  monitor.apply({{pool("app", {server(a), server(b)})}, {}, {}});
  ASSERT_TRUE(monitor.drain_server("app", a, true));
  monitor.apply({{pool("app", {server(b)})}, {}, {}});
  monitor.apply({{pool("app", {server(a), server(b)})}, {}, {}});
  settle();
  EXPECT_EQ(state("app", a), State::up);
}

TEST_F(Operators, MistakesNameWhatThereIs) {
  monitor.apply({{pool("app", {server(a)}), pool("canary", {server(b)})}, {}, {"us-east", "us-west"}});
  EXPECT_EQ(monitor.drain_server("ap", a, true).error().text, "no pool ap; there are: app, canary");
  EXPECT_EQ(monitor.drain_server("app", b, true).error().text,
            "pool app has no server 127.0.0.1:8082; it has: 127.0.0.1:8081");
  EXPECT_EQ(monitor.drain_datacenter("mars", true).error().text, "no datacenter mars; there are: us-east, us-west");
}

SiteSpec by_pool(const std::string& datacenter, MinUp min_up = {}) {
  SiteSpec site;
  site.datacenter = datacenter;
  site.kind = SiteSpec::Kind::pool;
  site.pool = "app";
  site.min_up = min_up;
  return site;
}

TEST_F(Operators, ADrainedDatacenterDrainsItsSites) {
  monitor.apply(
      {{pool("app", {server(a)})}, {{"web", {by_pool("us-east"), by_pool("us-west")}}}, {"us-east", "us-west"}});
  settle();
  ASSERT_TRUE(monitor.drain_datacenter("us-east", true));
  settle();
  EXPECT_EQ(site("web", "us-east").state, State::draining);
  EXPECT_EQ(site("web", "us-west").state, State::up);
  EXPECT_TRUE(boards.back()->datacenters.contains("us-east"));
  EXPECT_TRUE(report_of(*boards.back(), "edge-1", "us-east").draining);
  EXPECT_FALSE(report_of(*boards.back(), "edge-1", "us-west").draining);
  ASSERT_TRUE(monitor.drain_datacenter("us-east", false));
  settle();
  EXPECT_EQ(site("web", "us-east").state, State::up);
  EXPECT_TRUE(boards.back()->datacenters.empty());
}

TEST_F(ServerNames, ANameStandsForAllItsAddressesAndIsAskedAgainByItsTtl) {
  monitor.apply({{pool("app", {server("app.internal:8080"), server(a)})}, {}, {}});
  ASSERT_EQ(asked["app.internal"].size(), 1u);
  EXPECT_EQ(boards.back()->pools.at("app")->members.size(), 1u);
  asked["app.internal"][0](loop::Resolution{{IpAddress::v4(10, 0, 0, 1), IpAddress::v4(10, 0, 0, 2)}, 5000});
  settle();
  const auto& members = boards.back()->pools.at("app")->members;
  ASSERT_EQ(members.size(), 3u);
  EXPECT_EQ(members[0].address.to_string(), "10.0.0.1:8080");
  EXPECT_EQ(members[0].configured, "app.internal:8080");
  EXPECT_EQ(members[0].health.state, State::up);
  EXPECT_EQ(members[2].address.to_string(), a);
  passes(4900);
  EXPECT_EQ(asked["app.internal"].size(), 1u);
  passes(200);
  ASSERT_EQ(asked["app.internal"].size(), 2u);
  asked["app.internal"][1](loop::Resolution{{IpAddress::v4(10, 0, 0, 2)}, 1});
  settle();
  EXPECT_EQ(boards.back()->pools.at("app")->members.size(), 2u);
  passes(900);
  EXPECT_EQ(asked["app.internal"].size(), 2u);  // not more often than once a second
  passes(200);
  EXPECT_EQ(asked["app.internal"].size(), 3u);
}

TEST_F(ServerNames, AFailureKeepsTheLastGoodAnswer) {
  monitor.apply({{pool("app", {server("app.internal:8080")})}, {}, {}});
  asked["app.internal"][0](loop::Resolution{{IpAddress::v4(10, 0, 0, 1)}, 1000});
  settle();
  passes(1100);
  ASSERT_EQ(asked["app.internal"].size(), 2u);
  asked["app.internal"][1](Error{"server failure"});
  settle();
  EXPECT_EQ(boards.back()->pools.at("app")->members.size(), 1u);
  passes(2100);
  EXPECT_EQ(asked["app.internal"].size(), 3u);
}

TEST_F(ServerNames, DrainingByTheConfiguredNameDrainsAllItsAddresses) {
  monitor.apply({{pool("app", {server("app.internal:8080"), server(a)})}, {}, {}});
  asked["app.internal"][0](loop::Resolution{{IpAddress::v4(10, 0, 0, 1), IpAddress::v4(10, 0, 0, 2)}, 60'000});
  settle();
  ASSERT_TRUE(monitor.drain_server("app", "app.internal:8080", true));
  settle();
  EXPECT_EQ(state("app", "10.0.0.1:8080"), State::draining);
  EXPECT_EQ(state("app", "10.0.0.2:8080"), State::draining);
  EXPECT_EQ(state("app", a), State::up);
}

TEST_F(Services, ASiteIsUpWhileEnoughOfItsPoolServes) {
  monitor.apply(
      {{pool("app", {server(a), server(b), server("127.0.0.1:8083")})},
       {{"web", {by_pool("one"), by_pool("half", {50, 0}), by_pool("two", {0, 2}), by_pool("all", {100, 0})}}},
       {}});
  settle();
  for (const char* dc : {"one", "half", "two", "all"}) EXPECT_EQ(site("web", dc).state, State::up) << dc;
  servers.refuses(a);
  passes(3100);
  EXPECT_EQ(site("web", "all").state, State::down);
  EXPECT_EQ(site("web", "two").state, State::up);
  EXPECT_EQ(site("web", "half").state, State::up);
  servers.refuses(b);
  passes(3100);
  EXPECT_EQ(site("web", "two").state, State::down);
  EXPECT_EQ(site("web", "half").state, State::down);
  EXPECT_EQ(site("web", "one").state, State::up);
  EXPECT_EQ(site("web", "one").reason, "1 of 3 servers of pool app serve");
  servers.refuses("127.0.0.1:8083");
  passes(3100);
  EXPECT_EQ(site("web", "one").state, State::down);
}

TEST_F(Services, SharesCountWeightsAndNoBackups) {
  monitor.apply({{pool("app", {server(a, 3), server(b, 1), server("127.0.0.1:8083", 9, true)})},
                 {{"web", {by_pool("us-east", {50, 0})}}},
                 {}});
  settle();
  servers.refuses(b);
  passes(3100);
  EXPECT_DOUBLE_EQ(boards.back()->pools.at("app")->up_share(), 0.75);
  EXPECT_EQ(site("web", "us-east").state, State::up);
  servers.good(b);
  servers.refuses(a);
  passes(3100);
  EXPECT_DOUBLE_EQ(boards.back()->pools.at("app")->up_share(), 0.25);
  EXPECT_EQ(site("web", "us-east").state, State::down);
}

TEST_F(Services, ASiteMayHaveItsOwnCheckAndSharesIt) {
  SiteSpec tcp;
  tcp.datacenter = "us-east";
  tcp.kind = SiteSpec::Kind::tcp;
  tcp.tcp = a;
  tcp.check.interval_ms = 1000;
  SiteSpec http = tcp;
  http.datacenter = "us-west";
  http.kind = SiteSpec::Kind::http;
  http.http = "http://127.0.0.1:8082/healthz";
  MonitorSpec spec{{}, {{"db", {tcp, http}}, {"db2", {tcp}}}, {}};
  monitor.apply(spec);
  settle();
  EXPECT_EQ(site("db", "us-east").state, State::up);
  EXPECT_EQ(site("db", "us-west").state, State::up);
  EXPECT_EQ(servers.checks_of(a), 1u);
  servers.refuses(a);
  passes(1500);
  monitor.apply(spec);  // a reload in between starts nothing anew
  passes(1600);
  EXPECT_EQ(site("db", "us-east").state, State::down);
  EXPECT_EQ(site("db2", "us-east").state, State::down);
  EXPECT_EQ(site("db", "us-east").reason, "connection refused");
}

}  // namespace
}  // namespace portolan::health
