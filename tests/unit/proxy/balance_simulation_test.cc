// Every policy under load on a virtual clock: whom it gives how much, what a slow, a failing and a flapping server do to
// it, and whether it comes back by itself from more than it could bear.
#include <map>

#include "tests/unit/proxy/simulation.hh"

namespace portolan::proxy {
namespace {

using health::State;

class EveryPolicy : public ::testing::TestWithParam<std::string> {
 protected:
  Simulation pool(const std::vector<int>& weights) { return Simulation(GetParam(), weights); }
};

// How far a share may be from what weights say. Those who look at who waits give the quicker more, as they should.
double allowed_error(const std::string& kind) {
  static const std::map<std::string, double> errors = {{"round-robin", 0.002}, {"random", 0.01},
                                                       {"hash", 0.02},         {"least-connections", 0.03},
                                                       {"two-choices", 0.03},  {"fastest", 0.03}};
  auto found = errors.find(kind);
  return found == errors.end() ? 0.05 : found->second;
}

TEST_P(EveryPolicy, GivesSharesByWeight) {
  auto s = pool({1, 2, 3, 4});
  for (size_t i = 0; i < 4; ++i) s.hosts[i].lanes = static_cast<int>(4 * (i + 1));
  s.load(3000, 20);  // three quarters of what they can do
  s.settle();
  EXPECT_EQ(s.unanswered(), 0u);
  for (size_t i = 0; i < 4; ++i)
    EXPECT_NEAR(s.share(i), 0.1 * static_cast<double>(i + 1), allowed_error(GetParam())) << i;
}

TEST_P(EveryPolicy, GivesEqualServersEqualSharesAtLittleLoad) {
  auto s = pool({1, 1, 1, 1, 1});
  s.load(100, 300);
  for (size_t i = 0; i < 5; ++i) EXPECT_NEAR(s.share(i), 0.2, GetParam() == "fastest" ? 0.05 : 0.02) << i;
}

TEST_P(EveryPolicy, AnswersAllBesideAServerThatRefuses) {
  auto s = pool({1, 1, 1, 1});
  s.hosts[2].refuses = true;
  s.load(500, 20);
  s.settle();
  EXPECT_EQ(s.unanswered(), 0u);
}

// Nobody who doesn't serve is asked (the simulation looks), none is lost, and the others share evenly what is left.
TEST_P(EveryPolicy, BearsAServerThatFlaps) {
  auto s = pool({1, 1, 1, 1, 1});
  for (int i = 0; i < 60; ++i) {
    s.at(1 + 0.3 * i, [&s, i] { s.set_state(0, i % 2 == 0 ? State::down : State::up); });
  }
  s.load(1000, 20);
  s.settle();
  EXPECT_EQ(s.unanswered(), 0u);
  EXPECT_LT(s.share(0), 0.2);
  EXPECT_GT(s.share(0), 0.05);
  for (size_t i = 2; i < 5; ++i) EXPECT_NEAR(s.share(i), s.share(1), allowed_error(GetParam()) + 0.01) << i;
}

TEST_P(EveryPolicy, ComesBackFromTwiceWhatItCanBear) {
  auto s = pool(std::vector<int>(8, 1));  // 3,200 a second
  s.load(1600, 10);
  s.load(6400, 3);
  s.load(1600, 30);
  s.settle();
  EXPECT_EQ(s.unanswered(), 0u);
  double before = s.percentile_ms(0.99, 1, 10);
  EXPECT_GT(s.percentile_ms(0.99, 11, 15), 10 * before) << "it was too much";
  // What had piled up is worked off at half load within some seconds; from then on all is as it was.
  EXPECT_LT(s.percentile_ms(0.99, 30, 44), 1.5 * before);
}

TEST_P(EveryPolicy, GivesOnlyPartOfAShareToWhoStartsSlowly) {
  auto s = pool({1, 1, 1, 1});
  for (auto& host : s.hosts) host.lanes = 8;
  auto warm_to = [&](uint8_t warmth) {
    s.change([&](health::Pool& pool) { pool.members[3].warmth = warmth; });
    for (auto& host : s.hosts) host.asked = 0;
    s.load(2000, 10);
    return s.share(3);
  };
  double error = GetParam() == "round-robin" ? 0.002 : GetParam() == "hash" ? 0.02 : 0.03;
  EXPECT_NEAR(warm_to(1), 0.05 / 3.05, error);
  EXPECT_NEAR(warm_to(10), 0.5 / 3.5, error);
  EXPECT_NEAR(warm_to(20), 0.25, error);
}

INSTANTIATE_TEST_SUITE_P(All, EveryPolicy, ::testing::ValuesIn(all_kinds()), [](const auto& test) {
  std::string name = test.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

// ── fastest ───────────────────────────────────────────────────────────────────────────────────────────────────────

// What could be had by whoever knows the slow server: the nine others alone.
double p99_of_oracle(double rate, bool varies, const char* kind) {
  Simulation s(kind, std::vector<int>(9, 1));
  for (auto& host : s.hosts) host.varies = varies;
  s.load(rate, 60);
  s.settle();
  return s.percentile_ms(0.99);
}

TEST(FastestSimulated, KeepsItsPaceBesideAServerTenTimesSlower) {
  for (bool varies : {true, false})
    for (double rate : {400.0, 1500.0, 2500.0}) {
      Simulation s("fastest", std::vector<int>(10, 1));
      for (auto& host : s.hosts) host.varies = varies;
      s.hosts[4].service_us *= 10;
      s.load(rate, 60);
      s.settle();
      for (const char* oracle : {"two-choices", "least-connections"}) {
        // Where all take exactly as long, nobody who looks at two only comes near who looks at all.
        if (!varies && rate > 2000 && std::string_view(oracle) == "least-connections") continue;
        EXPECT_LE(s.percentile_ms(0.99), 1.3 * p99_of_oracle(rate, varies, oracle)) << rate << " " << oracle;
      }
      EXPECT_LT(s.share(4), 0.01);
      EXPECT_GT(s.hosts[4].asked, 1u) << "it is asked again now and then";
    }
}

TEST(FastestSimulated, OthersDoNot) {
  for (const char* kind : {"round-robin", "random"}) {
    Simulation s(kind, std::vector<int>(10, 1));
    s.hosts[4].service_us *= 10;
    s.load(400, 30);
    EXPECT_GT(s.percentile_ms(0.99), 2 * p99_of_oracle(400, true, "least-connections")) << kind;
  }
}

TEST(FastestSimulated, GivesAServerThatIsQuickAgainItsShare) {
  Simulation s("fastest", std::vector<int>(10, 1));
  s.hosts[4].service_us *= 10;
  s.load(1500, 20);
  s.hosts[4].service_us /= 10;
  s.load(1500, 40);
  for (auto& host : s.hosts) host.asked = 0;
  s.load(1500, 20);
  EXPECT_NEAR(s.share(4), 0.1, 0.03);
}

TEST(FastestSimulated, ShunsAServerThatFailsQuickly) {
  Simulation s("fastest", std::vector<int>(4, 1));
  s.hosts[1].refuses = true;
  s.load(500, 60);
  s.settle();
  EXPECT_EQ(s.unanswered(), 0u);
  EXPECT_LT(s.share(1), 0.02);
  EXPECT_GT(s.hosts[1].asked, 1u);
  s.hosts[1].refuses = false;
  s.load(500, 60);
  for (auto& host : s.hosts) host.asked = 0;
  s.load(500, 20);
  EXPECT_NEAR(s.share(1), 0.25, 0.05) << "and forgets it";
}

TEST(FastestSimulated, TriesNewServersAtOnce) {
  Simulation s("fastest", std::vector<int>(4, 1));
  s.load(500, 5);
  s.hosts.emplace_back();
  s.change([](health::Pool& pool) { pool.members.push_back(member_of(4)); });
  s.load(500, 1);
  EXPECT_GT(s.hosts[4].asked, 30u);
}

// ── hash ──────────────────────────────────────────────────────────────────────────────────────────────────────────

std::vector<std::string> homes(const std::shared_ptr<health::Pool>& pool, size_t keys) {
  auto balancer = make("hash", pool);
  Rng rng(3), unused(1);
  std::vector<std::string> names;
  for (size_t i = 0; i < keys; ++i) {
    size_t m = balancer->pick({{}, unused, 0, {rng.next()}});
    health::count_out(*pool->state, *pool->members[m].state);
    names.push_back(pool->members[m].name);
  }
  return names;
}

double moved(const std::vector<std::string>& before, const std::vector<std::string>& after) {
  double n = 0;
  for (size_t i = 0; i < before.size(); ++i) n += before[i] != after[i];
  return n / static_cast<double>(before.size());
}

TEST(HashSimulated, MovesNoMoreThanItsShareWhenAServerComesOrGoes) {
  for (size_t n : {2, 3, 10, 50, 200}) {
    auto pool = pool_of(std::vector<int>(n, 1));
    auto before = homes(pool, 20'000);
    auto more = std::make_shared<health::Pool>(*pool);
    more->members.push_back(member_of(n));
    EXPECT_LE(moved(before, homes(more, 20'000)), 1.0 / static_cast<double>(n + 1) + 0.02) << n;
    for (size_t gone : {size_t{0}, n / 2}) {
      auto fewer = std::make_shared<health::Pool>(*pool);
      fewer->members.erase(fewer->members.begin() + static_cast<long>(gone));
      EXPECT_LE(moved(before, homes(fewer, 20'000)), 1.0 / static_cast<double>(n) + 0.02) << n;
    }
  }
}

TEST(HashSimulated, KeepsToTheBoundUnderAHotKey) {
  Simulation s("hash", std::vector<int>(10, 1), 1);
  s.next_key = [&] { return s.rng.below(2) == 0 ? 42 : s.rng.next(); };  // half of all ask for one thing
  double worst = -100;
  s.on_pick = [&](size_t m) {
    int64_t all = 0;
    for (size_t i = 0; i < 10; ++i) all += s.in_flight(i);
    if (all < 40) return;  // four each are always allowed
    worst = std::max(worst, static_cast<double>(s.in_flight(m)) - std::ceil(1.25 * static_cast<double>(all) / 10));
  };
  for (auto& host : s.hosts) host.lanes = 30;
  s.load(12'000, 10);
  // Counts are looked at in turn, a few with each pick: what ended meanwhile may not be known yet.
  EXPECT_LE(worst, 1);
  EXPECT_GE(worst, 0) << "the hot one's server is at its bound";
}

TEST(HashSimulated, BringsAKeyHomeWhileNobodyIsOverrun) {
  Simulation s("hash", std::vector<int>(10, 1));
  std::map<uint64_t, std::map<size_t, int>> seen;
  s.next_key = [&] { return (s.rng.below(1000) + 1) * 0x9e3779b97f4a7c15; };
  s.load(1000, 20);
  for (const auto& r : s.requests) ++seen[r.key][r.member];
  size_t home = 0;
  for (const auto& [key, servers] : seen)
    home += static_cast<size_t>(
        std::max_element(servers.begin(), servers.end(), [](auto& a, auto& b) { return a.second < b.second; })->second);
  EXPECT_GT(static_cast<double>(home) / static_cast<double>(s.requests.size()), 0.97);
}

TEST(HashSimulated, WorkersAndNodesAgree) {
  auto here = pool_of({1, 2, 3, 4});
  auto there = pool_of({1, 2, 3, 4});
  EXPECT_EQ(homes(here, 1000), homes(there, 1000));
}

}  // namespace
}  // namespace portolan::proxy
