// Tiers of a pool by health and distance, and requests that know where they belong.
#include <map>
#include <set>

#include "core/health/latency.hh"
#include "proxy/cluster.hh"
#include "proxy/steering.hh"
#include "tests/unit/proxy/balance_fixture.hh"

namespace portolan::proxy {
namespace {

using health::State;

std::map<size_t, double> shares(Cluster& cluster, int requests = 10'000) {
  std::map<size_t, double> got;
  for (int i = 0; i < requests; ++i) {
    size_t m = choose(cluster, {});
    if (m != Balancer::none) health::count_out(*cluster.pool().state, *cluster.member(m).state);
    got[m] += 1.0 / requests;
  }
  return got;
}

// Two here, two in the next datacentre, one farther, and a backup.
std::shared_ptr<health::Pool> spread_pool() {
  auto pool = pool_of({1, 1, 1, 1, 1, 1});
  pool->members[2].tier = pool->members[3].tier = 1;
  pool->members[4].tier = 2;
  pool->members[5].backup = true;
  return pool;
}

TEST(Cluster, LeavesOutThoseWhoDoNotServeAndKeepsBackupsForTheLast) {
  auto pool = pool_of({1, 1, 1, 1});
  pool->members[0].health.state = State::down;
  pool->members[1].health.state = State::draining;
  pool->members[3].backup = true;
  auto config = std::make_shared<PoolConfig>();
  Cluster cluster(pool, config);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(choose(cluster, {}), 2u);
  EXPECT_EQ(choose(cluster, {2}), 3u);
  EXPECT_EQ(choose(cluster, {2, 3}), Balancer::none);
  pool->members[2].health.state = State::ejected;
  Cluster later(pool, config);
  EXPECT_EQ(choose(later, {}), 3u);
}

TEST(Cluster, UsesTheNearestWhileEnoughOfItServes) {
  auto pool = spread_pool();
  auto config = std::make_shared<PoolConfig>();
  Cluster all(pool, config);
  auto got = shares(all);
  EXPECT_NEAR(got[0], 0.5, 0.001);
  EXPECT_NEAR(got[1], 0.5, 0.001);
  EXPECT_EQ(got.size(), 2u);

  pool->members[0].health.state = State::down;  // half of it: 1.4 × 50 % stay
  Cluster half(pool, config);
  got = shares(half);
  EXPECT_NEAR(got[1], 0.7, 0.02);
  EXPECT_NEAR(got[2] + got[3], 0.3, 0.02);
  EXPECT_EQ(got.count(4) + got.count(5), 0u);

  pool->members[1].health.state = State::down;
  Cluster next(pool, config);
  got = shares(next);
  EXPECT_NEAR(got[2], 0.5, 0.001);
  EXPECT_NEAR(got[3], 0.5, 0.001);

  for (size_t i = 0; i < 4; ++i) pool->members[i].health.state = State::down;
  Cluster far(pool, config);
  EXPECT_NEAR(shares(far)[4], 1, 0.001);
  pool->members[4].health.state = State::down;
  Cluster backup(pool, config);
  EXPECT_NEAR(shares(backup)[5], 1, 0.001);
}

TEST(Cluster, GoesOnToTheNextTierWhereTheNearestIsFullOrTried) {
  auto pool = spread_pool();
  Cluster cluster(pool, std::make_shared<PoolConfig>());
  EXPECT_EQ(choose(cluster, {0, 1, 2}), 3u);
  EXPECT_EQ(choose(cluster, {0, 1, 2, 3}), 4u);
  EXPECT_EQ(choose(cluster, {0, 1, 2, 3, 4}), 5u);
  pool->members[0].max_connections = pool->members[1].max_connections = 1;
  Cluster full(pool, std::make_shared<PoolConfig>());
  std::set<size_t> got;
  for (int i = 0; i < 4; ++i) got.insert(choose(full, {}));
  EXPECT_EQ(got, (std::set<size_t>{0, 1, 2, 3}));
}

TEST(Cluster, EveryPolicyWorksInEveryTier) {
  for (const std::string& kind : all_kinds()) {
    auto pool = spread_pool();
    auto config = std::make_shared<PoolConfig>();
    config->balance = kind;
    pool->members[0].health.state = State::down;
    Cluster cluster(pool, config);
    auto got = shares(cluster, 2000);
    EXPECT_NEAR(got[1], 0.7, 0.05) << kind;
    EXPECT_NEAR(got[2] + got[3], 0.3, 0.05) << kind;
  }
}

TEST(Cluster, InPanicUsesAllButTheDrained) {
  auto pool = pool_of({1, 1, 1, 1, 1});
  for (size_t i = 0; i < 4; ++i) pool->members[i].health.state = State::down;
  pool->members[3].health.state = State::draining;
  pool->members[2].health.state = State::ejected;
  pool->panic = true;
  Cluster cluster(pool, std::make_shared<PoolConfig>());
  auto got = shares(cluster);
  for (size_t i : {0, 1, 2, 4}) EXPECT_NEAR(got[i], 0.25, 0.001) << i;
  EXPECT_EQ(got.count(3), 0u);
}

TEST(Cluster, ANamedServerIsAskedFirstWhereItServesAndHasRoom) {
  auto pool = pool_of({1, 1, 1});
  Cluster cluster(pool, std::make_shared<PoolConfig>());
  Rng rng(1);
  Tried none, tried{1};
  for (int i = 0; i < 5; ++i) EXPECT_EQ(cluster.pick({none, rng, 0, {.named = 1}}), 1u);
  EXPECT_EQ(in_flight(*pool, 1), 5);
  EXPECT_NE(cluster.pick({tried, rng, 0, {.named = 1}}), 1u);
  pool->members[1].max_connections = 5;
  pool->members[2].health.state = State::down;
  Cluster later(pool, std::make_shared<PoolConfig>());
  EXPECT_EQ(later.pick({none, rng, 0, {.named = 1}}), 0u);
  EXPECT_EQ(later.pick({none, rng, 0, {.named = 2}}), 0u);
}

// ── the sticky cookie ─────────────────────────────────────────────────────────────────────────────────────────────

StickyConfig sticky_config() {
  StickyConfig config;
  config.key[0] = 7;
  return config;
}

std::string value_in(const std::string& set_cookie) {
  size_t begin = set_cookie.find('=') + 1;
  return set_cookie.substr(begin, set_cookie.find(';') - begin);
}

TEST(Sticky, NamesEveryServerAndGivesNoAddressAway) {
  auto pool = pool_of({1, 1, 1});
  auto config = sticky_config();
  Sticky sticky(config, *pool);
  std::set<std::string> values;
  for (size_t i = 0; i < 3; ++i) {
    std::string given = sticky.give(i, SIZE_MAX, false, {});
    std::string value = value_in(given);
    EXPECT_EQ(given, "portolan=" + value + "; Path=/; HttpOnly; SameSite=Lax");
    EXPECT_EQ(value.size(), 22u);
    EXPECT_EQ(value.find("10.0.0"), std::string::npos);
    values.insert(value);
    std::string cookies = "a=b; portolan=" + value + "; portolanx=1";
    http::Fields fields;
    fields.add("Cookie", cookies);
    EXPECT_EQ(sticky.named(fields), i);
    EXPECT_EQ(sticky.give(i, i, false, {}), "") << "it has it already";
  }
  EXPECT_EQ(values.size(), 3u);
}

TEST(Sticky, BelievesOnlyItsOwn) {
  auto pool = pool_of({1, 1});
  auto config = sticky_config();
  Sticky sticky(config, *pool);
  auto other_config = config;
  other_config.key[31] = 1;
  Sticky other_key(other_config, *pool);
  auto renamed = std::make_shared<health::Pool>(*pool);
  renamed->name = "other";
  Sticky other_pool(config, *renamed);
  for (const Sticky* maker : {&other_key, &other_pool}) {
    std::string cookie = "portolan=" + value_in(maker->give(0, SIZE_MAX, false, {}));
    http::Fields fields;
    fields.add("Cookie", cookie);
    EXPECT_EQ(sticky.named(fields), SIZE_MAX);
  }
  for (const char* text : {"portolan=", "portolan", "portolan=10.0.0.1:8080", "xportolan=1", "=", ""}) {
    http::Fields fields;
    fields.add("Cookie", text);
    EXPECT_EQ(sticky.named(fields), SIZE_MAX) << text;
  }
}

TEST(Sticky, MeansTheSameHoweverThePoolChanges) {
  auto pool = pool_of({1, 1, 1});
  auto config = sticky_config();
  std::string cookie = "portolan=" + value_in(Sticky(config, *pool).give(2, SIZE_MAX, false, {}));
  pool->members.erase(pool->members.begin());
  http::Fields fields;
  fields.add("Cookie", cookie);
  EXPECT_EQ(Sticky(config, *pool).named(fields), 1u);
  pool->members.pop_back();
  EXPECT_EQ(Sticky(config, *pool).named(fields), SIZE_MAX);
}

TEST(Sticky, IsGivenAnewWhereItsServerIsGoneAndKeptWhereItIsFull) {
  auto pool = pool_of({1, 1});
  auto config = sticky_config();
  Sticky sticky(config, *pool);
  EXPECT_NE(sticky.give(1, 0, false, {}), "");
  pool->members[0].max_connections = 1;
  pool->members[0].state->in_flight = 1;
  EXPECT_EQ(sticky.give(1, 0, false, {}), "");
  pool->members[0].health.state = State::down;
  EXPECT_NE(sticky.give(1, 0, false, {}), "");
}

TEST(Sticky, HasTheAttributesAskedFor) {
  auto pool = pool_of({1});
  auto config = sticky_config();
  config.cookie = "seat";
  config.ttl_s = 60;
  config.path = "/app";
  config.http_only = false;
  config.same_site = "none";
  Sticky sticky(config, *pool);
  std::string plain = sticky.give(0, SIZE_MAX, false, {}), tls = sticky.give(0, SIZE_MAX, true, {});
  EXPECT_TRUE(plain.ends_with("; Path=/app; Max-Age=60; SameSite=None")) << plain;
  EXPECT_TRUE(tls.ends_with("; Path=/app; Max-Age=60; Secure; SameSite=None")) << tls;
  config.secure = "never";
  EXPECT_EQ(sticky.give(0, SIZE_MAX, true, {}), plain);
  config.secure = "always";
  EXPECT_EQ(sticky.give(0, SIZE_MAX, false, {}), tls);
}

TEST(Sticky, IsNotGivenWithWhatAnyCacheMayKeep) {
  auto pool = pool_of({1});
  auto config = sticky_config();
  Sticky sticky(config, *pool);
  for (const char* text : {"public, max-age=60", "s-maxage=60"}) {
    http::Fields fields;
    fields.add("Cache-Control", text);
    EXPECT_EQ(sticky.give(0, SIZE_MAX, false, fields), "") << text;
  }
  http::Fields fields;
  fields.add("Cache-Control", "max-age=60");
  EXPECT_NE(sticky.give(0, SIZE_MAX, false, fields), "");
}

// ── the key of hash ───────────────────────────────────────────────────────────────────────────────────────────────

struct Asked {
  std::string path = "/a", query = {}, header = {}, cookie = {}, address = "192.0.2.1";
};

uint64_t key(HashConfig config, const Asked& asked) {
  http::RequestHead head;
  head.path = asked.path;
  head.query = asked.query;
  if (!asked.header.empty()) head.fields.add("X-User", asked.header);
  if (!asked.cookie.empty()) head.fields.add("Cookie", asked.cookie);
  return key_of(config, head, *IpAddress::parse(asked.address));
}

TEST(HashKey, FollowsWhatItIsTakenFromAndNothingElse) {
  using By = KeyConfig::By;
  struct Case {
    HashConfig config;
    Asked one, same, other;
  };
  const Case cases[] = {
      {{{By::client_address, ""}, ""},
       {},
       {.path = "/b", .header = "h", .address = "192.0.2.1"},
       {.address = "192.0.2.2"}},
      {{{By::header, "x-user"}, ""}, {.header = "ann"}, {.header = "ann", .address = "192.0.2.2"}, {.header = "bob"}},
      {{{By::cookie, "id"}, ""}, {.cookie = "id=1"}, {.cookie = "x=2; id=1"}, {.cookie = "id=2"}},
      {{{By::path, ""}, ""}, {}, {.query = "x", .address = "192.0.2.2"}, {.path = "/b"}},
      {{{By::query, "u"}, ""}, {.query = "u=1"}, {.query = "a=&u=1&u=3"}, {.query = "u=2"}},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(key(c.config, c.one), key(c.config, c.same));
    EXPECT_NE(key(c.config, c.one), key(c.config, c.other));
    HashConfig seeded = c.config;
    seeded.seed = "words";
    EXPECT_NE(key(seeded, c.one), key(c.config, c.one));
  }
}

TEST(HashKey, IsTheClientsAddressWhereThereIsNoOther) {
  using By = KeyConfig::By;
  uint64_t by_address = key({{By::client_address, ""}, ""}, {});
  EXPECT_EQ(key({{By::header, "x-user"}, ""}, {}), by_address);
  EXPECT_EQ(key({{By::cookie, "id"}, ""}, {.cookie = "ids=1; id="}), by_address);
  EXPECT_EQ(key({{By::query, "u"}, ""}, {.query = "uu=1&u&u="}), by_address);
}

// The same on every node and in every version: caches behind two of them would hold everything twice otherwise.
TEST(HashKey, StaysWhatItIs) {
  EXPECT_EQ(key({{KeyConfig::By::header, "x-user"}, ""}, {.header = "ann"}), 5200682613324210888u);
}

// ── latency ───────────────────────────────────────────────────────────────────────────────────────────────────────

TEST(Latency, JumpsUpFallsSlowlyAndFades) {
  health::ServerState server;
  EXPECT_EQ(health::expected_latency_us(server, 0), 0);
  health::note_latency(server, 1000, 1'000'000);
  EXPECT_DOUBLE_EQ(health::expected_latency_us(server, 1'000'000), 1000);
  health::note_latency(server, 50'000, 1'100'000);
  EXPECT_DOUBLE_EQ(health::expected_latency_us(server, 1'100'000), 50'000);
  health::note_latency(server, 1000, 1'200'000);
  double after = health::expected_latency_us(server, 1'200'000);
  EXPECT_GT(after, 45'000);
  EXPECT_LT(after, 50'000);
  EXPECT_LT(health::expected_latency_us(server, 12'000'000), after / 5);
}

TEST(Latency, FailuresCountAsSlowHoweverQuick) {
  health::ServerState server;
  health::note_failure(server, 10, 1'000'000);
  EXPECT_GE(health::expected_latency_us(server, 1'000'000), 50'000);
  for (int i = 0; i < 10; ++i) health::note_failure(server, 10, 1'000'000);
  EXPECT_LE(health::expected_latency_us(server, 1'000'000), 5'000'000) << "so that it is tried again within a minute";
  health::note_failure(server, 30'000'000, 1'000'000);
  EXPECT_GE(health::expected_latency_us(server, 1'000'000), 30'000'000);
}

}  // namespace
}  // namespace portolan::proxy
