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
  size_t under_way[64];
};

// A server is chosen, and the request it was chosen for 64 picks ago is over.
Run pick(const char* kind, size_t count) {
  auto all = std::make_shared<Servers>();
  all->pool.state = std::make_shared<health::PoolState>();
  std::vector<size_t> members;
  for (size_t i = 0; i < count; ++i) {
    members.push_back(i);
    all->pool.members.emplace_back().state = std::make_shared<health::ServerState>();
  }
  all->balancer = Registration<BalancerKind>::find(kind)->make(
      std::shared_ptr<const health::Pool>(std::shared_ptr<void>(), &all->pool), members);
  for (size_t& m : all->under_way) m = all->balancer->pick({});
  return [all, i = size_t{0}](size_t times) mutable {
    static const Tried none;
    while (times-- > 0) {
      size_t& m = all->under_way[i++ % 64];
      health::count_out(*all->pool.state, *all->pool.members[m].state);
      m = all->balancer->pick(none);
    }
  };
}

const Row round_robin_10("pick, round-robin/10", [] { return pick("round-robin", 10); });
const Row round_robin_1000("pick, round-robin/1000", [] { return pick("round-robin", 1000); });
const Row round_robin_10000("pick, round-robin/10000", [] { return pick("round-robin", 10'000); });
const Row least_connections_10("pick, least-connections/10", [] { return pick("least-connections", 10); });
const Row least_connections_1000("pick, least-connections/1000", [] { return pick("least-connections", 1000); });
const Row least_connections_10000("pick, least-connections/10000", [] { return pick("least-connections", 10'000); });

}  // namespace
}  // namespace portolan::proxy
