// Finding a route and choosing a server, as they grow in number.
#include <memory>
#include <string>
#include <vector>

#include "bench/operations/operation.hh"
#include "core/base/clock.hh"
#include "proxy/balance/balancer.hh"
#include "proxy/router.hh"

namespace portolan::proxy {
namespace {

using bench::Row;
using bench::Run;

struct Routes {
  std::vector<RouteConfig> routes;
  std::vector<std::string> hosts, paths;
  std::unique_ptr<Router> router;
  std::vector<RouteQuery> queries;
};

// Four paths a host; requests go to all of them at random, two segments deeper than the route.
Run match(size_t count) {
  auto all = std::make_shared<Routes>();
  all->routes.resize(count);
  for (size_t i = 0; i < count; ++i) {
    all->hosts.push_back("shop" + std::to_string(i / 4) + ".example.com");
    all->paths.push_back("/part" + std::to_string(i % 4) + "/pictures/1234.jpeg");
    all->routes[i].hosts = {all->hosts.back()};
    all->routes[i].path = "/part" + std::to_string(i % 4) + "/";
  }
  all->router = std::make_unique<Router>(all->routes);
  Rng rng(1);
  for (int i = 0; i < 4096; ++i) {
    size_t route = rng.below(count);
    all->queries.push_back({"http", all->hosts[route], all->paths[route], "GET"});
  }
  return [all, i = size_t{0}](size_t times) mutable {
    while (times-- > 0) bench::keep(all->router->match(all->queries[i++ % 4096]));
  };
}

const Row match_10("route match/10", [] { return match(10); });
const Row match_1000("route match/1000", [] { return match(1000); });
const Row match_10000("route match/10000", [] { return match(10'000); });

struct Servers {
  health::Pool pool;
  std::unique_ptr<Balancer> balancer;
  Rng rng{1};
  uint64_t key = 0;
  size_t under_way[64];
  size_t pick() {
    static const Tried none;
    return balancer->pick({none, rng, 1'000'000, {key += 0x9e3779b97f4a7c15}});
  }
};

// A server is chosen, and the request it was chosen for 64 picks ago is over.
Run pick(const char* kind, size_t count) {
  auto all = std::make_shared<Servers>();
  all->pool.state = std::make_shared<health::PoolState>();
  std::vector<size_t> members;
  for (size_t i = 0; i < count; ++i) {
    members.push_back(i);
    health::Member& m = all->pool.members.emplace_back();
    m.name = "10.0.0.1:" + std::to_string(i);
    m.state = std::make_shared<health::ServerState>();
    m.state->latency_us = static_cast<int64_t>(10'000 + i % 7);
  }
  all->balancer = Registration<BalancerKind>::find(kind)->make(
      std::shared_ptr<const health::Pool>(std::shared_ptr<void>(), &all->pool), members);
  for (size_t& m : all->under_way) m = all->pick();
  return [all, i = size_t{0}](size_t times) mutable {
    while (times-- > 0) {
      size_t& m = all->under_way[i++ % 64];
      health::count_out(*all->pool.state, *all->pool.members[m].state);
      m = all->pick();
    }
  };
}

const Row round_robin_10("pick, round-robin/10", [] { return pick("round-robin", 10); });
const Row round_robin_1000("pick, round-robin/1000", [] { return pick("round-robin", 1000); });
const Row round_robin_10000("pick, round-robin/10000", [] { return pick("round-robin", 10'000); });
const Row least_connections_10("pick, least-connections/10", [] { return pick("least-connections", 10); });
const Row least_connections_1000("pick, least-connections/1000", [] { return pick("least-connections", 1000); });
const Row least_connections_10000("pick, least-connections/10000", [] { return pick("least-connections", 10'000); });
const Row two_choices_10("pick, two-choices/10", [] { return pick("two-choices", 10); });
const Row two_choices_1000("pick, two-choices/1000", [] { return pick("two-choices", 1000); });
const Row two_choices_10000("pick, two-choices/10000", [] { return pick("two-choices", 10'000); });
const Row fastest_10("pick, fastest/10", [] { return pick("fastest", 10); });
const Row fastest_1000("pick, fastest/1000", [] { return pick("fastest", 1000); });
const Row fastest_10000("pick, fastest/10000", [] { return pick("fastest", 10'000); });
const Row random_10("pick, random/10", [] { return pick("random", 10); });
const Row random_1000("pick, random/1000", [] { return pick("random", 1000); });
const Row random_10000("pick, random/10000", [] { return pick("random", 10'000); });
const Row hash_10("pick, hash/10", [] { return pick("hash", 10); });
const Row hash_1000("pick, hash/1000", [] { return pick("hash", 1000); });
const Row hash_10000("pick, hash/10000", [] { return pick("hash", 10'000); });

}  // namespace
}  // namespace portolan::proxy
