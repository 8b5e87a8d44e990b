// Failed requests, operators' wishes, names, and services judged by local pools.
#include <algorithm>

#include "tests/unit/core/health/fixture.hh"

namespace portolan::health {
namespace {

using Failures = MonitorTest;
using Operators = MonitorTest;
using ServerNames = MonitorTest;
using Services = MonitorTest;

TEST_F(Failures, EnoughInARowEjectAServerCheckedOrNot) {
  monitor.apply({{pool("checked", {server(a), server(b)}), pool("not", {server(a), server(b)}, {})}, {}, {}});
  settle();
  for (const char* name : {"checked", "not"}) {
    State before = state(name, a);
    EXPECT_TRUE(serves(before));
    request_fails(name, a, 4);
    EXPECT_EQ(state(name, a), before) << "four are not enough";
    request_fails(name, a);
    EXPECT_EQ(state(name, a), State::ejected);
    EXPECT_FALSE(serves(state(name, a)));
    EXPECT_EQ(health(name, a).reason, "5 failed requests in a row, out for 30000 ms: connection reset by peer");
    EXPECT_EQ(state(name, b), before);
  }
}

TEST_F(Failures, AnAnswerThatCameMeanwhileSpeaksForTheServer) {
  monitor.apply({{pool("app", {server(a), server(b)})}, {}, {}});
  settle();
  auto counts = boards.back()->pools.at("app")->find(at(a))->state;
  counts->failures_in_a_row = 5;
  counts->failures_in_a_row = 0;
  monitor.report_failure("app", at(a), "timed out");
  settle();
  EXPECT_EQ(state("app", a), State::up);
}

TEST_F(Failures, OneIsNeverEnoughHoweverLarge) {
  monitor.apply({{pool("app", {server(a), server(b)}, {})}, {}, {}});
  for (int i = 0; i < 50; ++i) {
    request_fails("app", a);
    request_succeeds("app", a);
    request_succeeds("app", a);
    passes(80);
  }
  EXPECT_EQ(state("app", a), State::unknown) << "one of three fails";
}

TEST_F(Failures, AShareOfAWindowsRequestsEjectsToo) {
  PoolSpec spec = pool("app", {server(a), server(b)}, {});
  spec.eject.ratio = 0.3;
  monitor.apply({{spec}, {}, {}});
  int failed = 0;
  while (serves(state("app", a)) && failed < 100) {
    request_succeeds("app", a, 2);
    request_fails("app", a);
    ++failed;
  }
  EXPECT_EQ(failed, 8) << "twenty requests are the fewest that say something";
  EXPECT_EQ(health("app", a).reason, "36% of 22 requests failed, out for 30000 ms: connection reset by peer");
}

TEST_F(Failures, AWindowForgets) {
  PoolSpec spec = pool("app", {server(a), server(b)}, {});
  spec.eject.ratio = 0.3;
  monitor.apply({{spec}, {}, {}});
  for (int i = 0; i < 40; ++i) {  // as many, but slower than ten a window
    request_succeeds("app", a, 1);
    request_fails("app", a);
    passes(1'200);
  }
  EXPECT_EQ(state("app", a), State::unknown);
}

TEST_F(Failures, RiseGoodChecksEndAFirstEjectionEarly) {
  monitor.apply({{pool("app", {server(a), server(b)})}, {}, {}});
  settle();
  request_fails("app", a, 5);
  ASSERT_EQ(state("app", a), State::ejected);
  size_t checks = servers.checks_of(a);
  until([&] { return servers.checks_of(a) == checks + 1; });
  EXPECT_EQ(state("app", a), State::ejected);
  until([&] { return servers.checks_of(a) == checks + 2; });
  EXPECT_EQ(state("app", a), State::up);
  request_fails("app", a, 4);
  EXPECT_EQ(state("app", a), State::up) << "a clean slate";
  request_fails("app", a);
  ASSERT_EQ(state("app", a), State::ejected);
  passes(55'000);
  EXPECT_EQ(state("app", a), State::ejected) << "the checks don't see what the requests see";
  passes(6'000);
  EXPECT_EQ(state("app", a), State::up);
}

TEST_F(Failures, AnEjectedServerWhoseCheckFailsIsDownUntilTheCheckIsGood) {
  monitor.apply({{pool("app", {server(a), server(b)})}, {}, {}});
  settle();
  servers.refuses(a);
  request_fails("app", a, 5);
  ASSERT_EQ(state("app", a), State::ejected);
  passes(3'100);
  EXPECT_EQ(state("app", a), State::down);
  servers.good(a);
  passes(2'100);
  EXPECT_EQ(state("app", a), State::up);
}

TEST_F(Failures, TheyConcernOnePoolOfAServerInTwo) {
  monitor.apply({{pool("app", {server(a), server(b)}), pool("canary", {server(a), server(b)})}, {}, {}});
  settle();
  request_fails("canary", a, 5);
  EXPECT_EQ(state("canary", a), State::ejected);
  EXPECT_EQ(state("app", a), State::up);
}

TEST_F(Failures, EachEjectionIsLongerUpToALimitAndServingShortensTheNext) {
  PoolSpec spec = pool("app", {server(a), server(b)}, {});
  spec.eject.time_ms = 1'000;
  spec.eject.max_time_ms = 3'000;
  monitor.apply({{spec}, {}, {}});
  auto out_for = [&] {
    request_fails("app", a, 5);
    EXPECT_EQ(state("app", a), State::ejected);
    return (until([&] { return serves(state("app", a)); }) + 100) / 1'000;
  };
  EXPECT_EQ(out_for(), 1);
  EXPECT_EQ(out_for(), 2);
  EXPECT_EQ(out_for(), 3);
  EXPECT_EQ(out_for(), 3);
  passes(2'100);
  EXPECT_EQ(out_for(), 3) << "two off for two seconds, and one more";
  passes(10'000);
  EXPECT_EQ(out_for(), 1);
  EXPECT_EQ(boards.back()->pools.at("app")->find(at(a))->state->ejections, 6u);
}

TEST_F(Failures, OnlyAShareOfAPoolIsOutAtOnceAndNeverTheLast) {
  std::vector<ServerSpec> five;
  for (int i = 1; i <= 5; ++i) five.push_back(server("10.0.0." + std::to_string(i) + ":80"));
  PoolSpec spec = pool("app", five, {});
  auto out = [&] {
    for (const auto& s : five) {
      for (const auto& other : five) request_succeeds("app", other.address.to_string());
      request_fails("app", s.address.to_string(), 6);
    }
    return five.size() - boards.back()->pools.at("app")->serving();
  };
  monitor.apply({{spec}, {}, {}});
  EXPECT_EQ(out(), 2u);
  passes(10'000);
  spec.eject.most = 1;
  monitor.apply({{spec}, {}, {}});
  EXPECT_EQ(out(), 4u) << "the last one is kept whatever is allowed";
  EXPECT_EQ(out(), 4u);
}

TEST_F(Failures, APoolOfOneIsNeverEmptiedAndOfTwoOneMayGo) {
  monitor.apply({{pool("one", {server(a)}, {}), pool("two", {server(a), server(b)}, {})}, {}, {}});
  request_fails("one", a, 20);
  EXPECT_EQ(state("one", a), State::unknown);
  request_fails("two", a, 5);
  request_fails("two", b, 20);
  EXPECT_EQ(state("two", a), State::ejected);
  EXPECT_EQ(state("two", b), State::unknown);
}

TEST_F(Failures, NobodyIsAnOutlierWhereMostFail) {
  std::vector<ServerSpec> four;
  for (int i = 1; i <= 4; ++i) four.push_back(server("10.0.0." + std::to_string(i) + ":80"));
  monitor.apply({{pool("app", four, {})}, {}, {}});
  auto all_fail = [&] {
    for (const auto& s : four) request_fails("app", s.address.to_string());
  };
  for (int i = 0; i < 10; ++i) all_fail();
  EXPECT_EQ(boards.back()->pools.at("app")->serving(), 4u);
  for (size_t i = 0; i < 3; ++i) request_succeeds("app", four[i].address.to_string());
  request_fails("app", "10.0.0.4:80");
  EXPECT_EQ(boards.back()->pools.at("app")->serving(), 4u) << "the others have only just come to themselves";
  passes(10'000);
  request_fails("app", "10.0.0.4:80");
  EXPECT_EQ(state("app", "10.0.0.4:80"), State::ejected);
}

TEST_F(Failures, OneThatDrainsIsNoServerThatIsLeft) {
  monitor.apply({{pool("app", {server(a), server(b)}, {})}, {}, {}});
  ASSERT_TRUE(monitor.drain_server("app", b, true));
  settle();
  request_fails("app", a, 20);
  EXPECT_EQ(state("app", a), State::unknown);
}

TEST_F(Failures, EjectionCanBeTurnedOff) {
  PoolSpec spec = pool("app", {server(a), server(b)}, {});
  spec.eject.most = 0;
  monitor.apply({{spec}, {}, {}});
  request_fails("app", a, 20);
  EXPECT_EQ(state("app", a), State::unknown);
}

TEST_F(Failures, AReloadKeepsEjectionsAndWhatWasCounted) {
  PoolSpec spec = pool("app", {server(a), server(b)}, {});
  monitor.apply({{spec}, {}, {}});
  request_fails("app", a, 5);
  passes(20'000);
  spec.servers.push_back(server("127.0.0.1:8083"));
  spec.servers[0].weight = 3;
  monitor.apply({{spec}, {}, {}});
  EXPECT_EQ(state("app", a), State::ejected);
  passes(9'900);
  EXPECT_EQ(state("app", a), State::ejected);
  passes(200);
  EXPECT_EQ(state("app", a), State::unknown);
  request_fails("app", a, 4);
  monitor.apply({{spec}, {}, {}});
  request_fails("app", a);
  EXPECT_EQ(health("app", a).reason, "5 failed requests in a row, out for 60000 ms: connection reset by peer");
}

TEST_F(Failures, EveryChangeIsLoggedWithItsReason) {
  static std::vector<std::string> lines;
  lines.clear();
  log::set_sink([](std::string_view line) { lines.emplace_back(line); });
  PoolSpec spec = pool("app", {server(a), server(b)}, {});
  spec.eject.time_ms = 1'000;
  monitor.apply({{spec}, {}, {}});
  request_fails("app", a, 5);
  request_fails("app", b, 7);
  passes(1'100);
  auto said = [](const std::string& what) {
    return std::count_if(lines.begin(), lines.end(), [&](const auto& l) { return l.find(what) != std::string::npos; });
  };
  EXPECT_EQ(said("state=ejected was=unknown reason=\"5 failed requests in a row, out for 1000 ms"), 1);
  EXPECT_EQ(said("event=\"server not ejected\" pool=app server=127.0.0.1:8082"), 1);
  EXPECT_EQ(said("state=unknown was=ejected"), 1);
  log::set_sink([](std::string_view) {});
}

TEST_F(Failures, ServersThatLeftAreNoConcern) {
  monitor.apply({{pool("app", {server(a)})}, {}, {}});
  monitor.report_failure("gone", at(a), "x");
  monitor.report_failure("app", at(b), "x");
  settle();
  EXPECT_EQ(state("app", a), State::up);
}

TEST_F(Operators, ADrainedServerKeepsItsClientsForAWhileAndWhileItIsWell) {
  PoolSpec sticky = pool("app", {server(a), server(b)});
  sticky.keep_clients_ms = 60'000;
  auto keeps = [&] { return boards.back()->pools.at("app")->find(at(a))->keeps_clients; };
  monitor.apply({{sticky}, {}, {}});
  settle();
  EXPECT_FALSE(keeps());
  ASSERT_TRUE(monitor.drain_server("app", a, true));
  settle();
  EXPECT_EQ(health("app", a).reason, "drained by an operator, keeps its clients");
  EXPECT_TRUE(keeps());
  passes(50'000);
  EXPECT_TRUE(keeps());
  passes(11'000);
  EXPECT_FALSE(keeps()) << "nobody had to ask for it";
  EXPECT_EQ(health("app", a).reason, "drained by an operator");
  ASSERT_TRUE(monitor.drain_server("app", a, false));
  passes(3000);
  ASSERT_TRUE(monitor.drain_server("app", a, true));
  settle();
  EXPECT_TRUE(keeps());
  servers.refuses(a);
  passes(10'000);
  EXPECT_EQ(state("app", a), State::draining);
  EXPECT_FALSE(keeps()) << "it is down";
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
