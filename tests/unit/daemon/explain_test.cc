// What `portolan explain` says.
#include "daemon/explain.hh"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "daemon/assembly.hh"
#include "daemon/config.hh"

namespace portolan::daemon {
namespace {

const std::string golden = std::string(PORTOLAN_SOURCE_DIR) + "/tests/golden/explain/";

health::Member member(const proxy::ServerConfig& server, health::State state, std::string reason, int in_flight) {
  health::Member m;
  m.address = server.address.literal;
  m.name = m.configured = m.address.to_string();
  m.weight = server.weight;
  m.backup = server.backup;
  m.max_connections = server.max_connections;
  m.health.state = state;
  m.health.reason = std::move(reason);
  m.state = std::make_shared<health::ServerState>();
  m.state->in_flight = in_flight;
  return m;
}

struct World {
  World() : loaded(load(golden + "portolan.toml")) {
    EXPECT_TRUE(loaded.errors.empty()) << loaded.errors.front();
    for (const proxy::PoolConfig& config : loaded.config.pools) {
      auto pool = std::make_shared<health::Pool>();
      pool->name = config.name;
      pool->state = std::make_shared<health::PoolState>();
      for (const proxy::ServerConfig& s : config.servers)
        pool->members.push_back(member(s, health::State::up, "", static_cast<int>(5 - pool->members.size())));
      board.pools[config.name] = pool;
      pools.push_back(pool);
    }
    pools[0]->members[2].health = {health::State::down, "connection refused", 0};
    pools[2]->members[0].health = {health::State::draining, "drained by an operator", 0};
    fast().members[0].state->latency_us = 48'000;
    fast().members[1].state->latency_us = 12'000;
    caches = loaded.config.caches;
    snapshot = assemble_snapshot(loaded.config);
  }
  std::string told(const ExplainRequest& request) const {
    auto lines = explain(request, {*snapshot, board, caches});
    std::string out = lines ? *lines : "error: " + lines.error().text + "\n";
    for (size_t at; (at = out.find(golden)) != std::string::npos;) out.erase(at, golden.size());
    return out;
  }
  health::Pool& fast() { return const_cast<health::Pool&>(*board.pools["fast"]); }
  LoadResult loaded;
  health::Board board;
  std::vector<std::shared_ptr<health::Pool>> pools;
  std::vector<edge::CacheConfig> caches;
  std::shared_ptr<proxy::Snapshot> snapshot;
};

const ExplainRequest requests[] = {
    {"GET", "http://www.example.com/?a=1", {"Accept-Language: de"}, "192.0.2.7", ""},
    {"POST", "http://www.example.com/", {}, "192.0.2.7", ""},
    {"GET", "http://www.example.com/api/x", {}, "192.0.2.7", ""},
    {"GET", "http://www.example.com/api/x", {}, "192.0.2.8", ""},
    {"GET", "http://www.example.com/api/x", {"X-Beta: 1"}, "10.0.0.9", ""},
    {"GET", "http://www.example.com/", {"X-Forwarded-For: 203.0.113.5"}, "10.0.0.9", ""},
    {"GET", "http://www.example.com/v1/x", {}, "2001:db8::1", ""},
    {"GET", "http://shop.example.com:8080/x?y", {}, "192.0.2.7", ""},
    {"GET", "http://balance.example/turns", {}, "192.0.2.7", ""},
    {"GET", "http://balance.example/two", {}, "192.0.2.7", ""},
    {"GET", "http://balance.example/lots", {}, "192.0.2.7", ""},
    {"GET", "http://balance.example/fast/x", {}, "192.0.2.7", ""},
    {"GET", "http://balance.example/ring", {"X-User: anna"}, "192.0.2.7", ""},
    {"GET", "http://other.test/", {}, "192.0.2.7", ""},
    {"GET", "http://other.test/a?b", {}, "192.0.2.7", "inside"},
    {"GET", "http://other.test/", {}, "192.0.2.7", "outside"},
    {"GET", "https://other.test/", {}, "192.0.2.7", ""},
    {"GET", "http://other.test/a/../b", {}, "192.0.2.7", ""},
    {"G T", "http://other.test/", {}, "192.0.2.7", ""},
    {"GET", "other.test", {}, "192.0.2.7", ""},
    {"GET", "http://other.test/", {}, "nobody", ""},
};

// PORTOLAN_BLESS=1 writes what is told now; look at the difference before you keep it.
TEST(Explain, TellsWhatBecomesOfARequest) {
  World world;
  std::string got;
  for (const ExplainRequest& r : requests) {
    got += "$ portolan explain " + r.method + " " + r.url + " --from " + r.from;
    for (const std::string& header : r.headers) got += " --header '" + header + "'";
    if (!r.listener.empty()) got += " --listener " + r.listener;
    got += "\n" + world.told(r) + "\n";
  }
  if (std::getenv("PORTOLAN_BLESS")) std::ofstream(golden + "told.txt") << got;
  std::stringstream expected;
  expected << std::ifstream(golden + "told.txt").rdbuf();
  EXPECT_EQ(got, expected.str());
}

TEST(Explain, CountsNothing) {
  World world;
  std::string first = world.told(requests[0]);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(world.told(requests[0]), first) << "nobody's turn is taken";
  EXPECT_EQ(world.pools[0]->members[0].state->in_flight, 5);
  EXPECT_EQ(world.pools[0]->members[0].state->requests, 0u);
}

TEST(Explain, WithoutADaemonServersHaveNoState) {
  World world;
  world.board.pools.clear();
  std::string told = world.told(requests[0]);
  EXPECT_NE(told.find("192.0.2.11:80\n"), std::string::npos) << told;
  EXPECT_EQ(told.find("in flight"), std::string::npos) << told;
}

TEST(Explain, RequestsAreJson) {
  ExplainRequest r{"PUT", "http://a/\"", {"A: b", "C: d"}, "::1", "web"};
  auto again = parse_explain_request(to_json(r));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->method, "PUT");
  EXPECT_EQ(again->url, r.url);
  EXPECT_EQ(again->headers, r.headers);
  EXPECT_EQ(again->from, "::1");
  EXPECT_EQ(again->listener, "web");
  for (const char* bad :
       {"", "[]", "{}", R"({"url":5})", R"({"url":"http://a/","headers":"x"})", R"({"url":"http://a/","headers":[1]})"})
    EXPECT_FALSE(parse_explain_request(bad)) << bad;
}

}  // namespace
}  // namespace portolan::daemon
