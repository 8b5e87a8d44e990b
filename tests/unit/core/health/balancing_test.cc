// What the board says for balancing: slow starts, panic, datacentres.
#include "tests/unit/core/health/fixture.hh"

namespace portolan::health {
namespace {

class Pools : public MonitorTest {
 protected:
  const Pool& app() { return *boards.back()->pools.at("app"); }
  int warmth(const std::string& address) { return app().find(at(address))->warmth; }
  PoolSpec slow(std::vector<ServerSpec> servers) {
    PoolSpec spec = pool("app", std::move(servers));
    spec.slow_start_ms = 20'000;
    return spec;
  }
  std::string nth(int i) { return "127.0.0.1:" + std::to_string(8081 + i); }
  void apply_many(int servers, double panic, bool backup = false) {
    std::vector<ServerSpec> specs;
    for (int i = 0; i < servers; ++i) specs.push_back(server(nth(i)));
    if (backup) specs.push_back(server("127.0.0.1:9000", 1, true));
    PoolSpec spec = pool("app", std::move(specs));
    spec.panic = panic;
    monitor.apply({{spec}, {}, {}});
    settle();
  }
  void kill(int first, int last) {
    for (int i = first; i <= last; ++i) servers.refuses(nth(i));
    until([&] {
      for (int i = first; i <= last; ++i)
        if (state("app", nth(i)) != State::down) return false;
      return true;
    });
  }
};

TEST_F(Pools, StartWarm) {
  monitor.apply({{slow({server(a), server(b)})}, {}, {}});
  settle();
  EXPECT_EQ(warmth(a), Member::full_warmth);
  EXPECT_EQ(state("app", a), State::up);
  passes(5000);
  EXPECT_EQ(warmth(b), Member::full_warmth);
}

TEST_F(Pools, StartWarmHoweverLateTheirNamesAreKnown) {
  monitor.apply({{slow({server(a), server("app.internal:8080")})}, {}, {}});
  settle();
  passes(500);
  asked["app.internal"][0](loop::Resolution{{IpAddress::v4(10, 0, 0, 1)}, 1000});
  settle();
  EXPECT_EQ(warmth("10.0.0.1:8080"), Member::full_warmth);
  passes(1100);
  asked["app.internal"][1](loop::Resolution{{IpAddress::v4(10, 0, 0, 1), IpAddress::v4(10, 0, 0, 2)}, 1000});
  settle();
  EXPECT_EQ(warmth("10.0.0.1:8080"), Member::full_warmth);
  EXPECT_EQ(warmth("10.0.0.2:8080"), 1) << "that one is new";
}

TEST_F(Pools, AServerThatComesBackGrowsIntoItsShare) {
  monitor.apply({{slow({server(a), server(b)})}, {}, {}});
  settle();
  servers.refuses(a);
  until([&] { return state("app", a) == State::down; });
  servers.good(a);
  until([&] { return state("app", a) == State::up; });
  EXPECT_EQ(warmth(a), 1);
  EXPECT_EQ(app().find(at(a))->share(), 1);
  EXPECT_EQ(app().find(at(b))->share(), 20);
  passes(10'000);
  EXPECT_NEAR(warmth(a), 11, 1);
  int before = warmth(a);
  passes(1100);
  EXPECT_GT(warmth(a), before);
  EXPECT_LE(warmth(a), before + 2);
  EXPECT_EQ(warmth(b), Member::full_warmth);
  passes(10'000);
  EXPECT_EQ(warmth(a), Member::full_warmth);
  size_t published = boards.size();
  passes(5000);
  EXPECT_EQ(boards.size(), published) << "and then there is no more news";
}

TEST_F(Pools, SoDoesOneThatIsNewAndOneThatWasDrained) {
  monitor.apply({{slow({server(a)})}, {}, {}});
  settle();
  monitor.apply({{slow({server(a), server(b)})}, {}, {}});
  EXPECT_EQ(warmth(b), 1);
  EXPECT_EQ(warmth(a), Member::full_warmth);
  passes(21'000);
  ASSERT_TRUE(monitor.drain_server("app", a, true));
  settle();
  ASSERT_TRUE(monitor.drain_server("app", a, false));
  settle();
  EXPECT_EQ(warmth(a), 1);
  monitor.apply({{slow({server(a), server(b)})}, {}, {}});
  passes(5000);
  EXPECT_NEAR(warmth(a), 6, 1) << "a reload doesn't begin it anew";
}

TEST_F(Pools, WithoutASlowStartTheyAreWarmAtOnce) {
  monitor.apply({{pool("app", {server(a), server(b)})}, {}, {}});
  settle();
  servers.refuses(a);
  until([&] { return state("app", a) == State::down; });
  servers.good(a);
  until([&] { return state("app", a) == State::up; });
  EXPECT_EQ(warmth(a), Member::full_warmth);
}

TEST_F(Pools, PanicWhereFewerServeThanTheShare) {
  apply_many(6, 0.5);
  kill(0, 2);
  EXPECT_FALSE(app().panic) << "half of them is enough";
  kill(3, 3);
  EXPECT_TRUE(app().panic);
  EXPECT_TRUE(app().takes(app().members[0]));
  servers.good(nth(0));
  until([&] { return state("app", nth(0)) == State::up; });
  EXPECT_FALSE(app().panic);
  EXPECT_FALSE(app().takes(app().members[1]));
}

TEST_F(Pools, PanicInASmallPoolOnlyWhereNobodyServes) {
  apply_many(3, 0.5);
  kill(0, 1);
  EXPECT_FALSE(app().panic);
  kill(2, 2);
  EXPECT_TRUE(app().panic);
}

TEST_F(Pools, PanicNotBeforeTheBackupsAreGone) {
  apply_many(2, 0.5, true);
  kill(0, 1);
  EXPECT_FALSE(app().panic);
  servers.refuses("127.0.0.1:9000");
  until([&] { return state("app", "127.0.0.1:9000") == State::down; });
  EXPECT_TRUE(app().panic);
}

TEST_F(Pools, PanicNeverWhereItIsOff) {
  apply_many(2, 0);
  kill(0, 1);
  EXPECT_FALSE(app().panic);
}

TEST_F(Pools, DrainedServersNeitherPanicNorServe) {
  apply_many(2, 0.5);
  ASSERT_TRUE(monitor.drain_server("app", nth(0), true));
  ASSERT_TRUE(monitor.drain_server("app", nth(1), true));
  settle();
  EXPECT_FALSE(app().panic);
  ASSERT_TRUE(monitor.drain_server("app", nth(1), false));
  settle();
  kill(1, 1);
  EXPECT_TRUE(app().panic);
  EXPECT_FALSE(app().takes(app().members[0]));
}

TEST_F(Pools, MembersSayWhereTheyStand) {
  ServerSpec far = server(b);
  far.datacenter = "us-west";
  far.tier = 2;
  monitor.apply({{pool("app", {server(a), far})}, {}, {}});
  EXPECT_EQ(app().members[1].datacenter, "us-west");
  EXPECT_EQ(app().members[1].tier, 2);
  EXPECT_EQ(app().members[0].tier, 0);
}

}  // namespace
}  // namespace portolan::health
