// Which route a request takes.
#include "proxy/router.hh"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/base/clock.hh"

namespace portolan::proxy {
namespace {

RouteConfig route(std::string name, std::vector<std::string> hosts = {}, std::string path = "", std::string exact = "",
                  std::vector<std::string> methods = {}, std::string listener = "") {
  RouteConfig r;
  r.name = std::move(name);
  r.hosts = std::move(hosts);
  r.path = std::move(path);
  r.path_exact = std::move(exact);
  r.methods = std::move(methods);
  r.listener = std::move(listener);
  return r;
}

std::vector<RouteConfig> house() {
  return {
      route("any"),
      route("api", {}, "/api"),
      route("api-v1", {}, "/api/v1/"),
      route("api-exact", {}, "", "/api"),
      route("api-post", {}, "/api", "", {"POST", "PUT"}),
      route("host", {"a.example"}),
      route("host-img", {"a.example"}, "/img"),
      route("host-delete", {"a.example"}, "/", "", {"DELETE"}),
      route("two", {"b.example", "c.example"}, "/two"),
      route("wild", {"*.example"}),
      route("wild-deep", {"*.deep.example"}, "/x"),
      route("admin", {}, "", "", {}, "inside"),
      route("admin-host", {"a.example"}, "/secret", "", {}, "inside"),
  };
}

struct Case {
  const char *listener, *host, *path, *method, *expected;
};

constexpr Case cases[] = {
    {"web", "other.test", "/", "GET", "any"},
    {"web", "other.test", "*", "OPTIONS", "any"},
    {"web", "", "/", "GET", "any"},
    {"web", "other.test", "/api", "GET", "api-exact"},
    {"web", "other.test", "/api", "POST", "api-exact"},
    {"web", "other.test", "/api/", "GET", "api"},
    {"web", "other.test", "/api/x", "GET", "api"},
    {"web", "other.test", "/api/x", "PUT", "api-post"},
    {"web", "other.test", "/apix", "GET", "any"},
    {"web", "other.test", "/API", "GET", "any"},
    {"web", "other.test", "/api/v1", "GET", "api-v1"},
    {"web", "other.test", "/api/v1/", "GET", "api-v1"},
    {"web", "other.test", "/api/v1/users/7", "POST", "api-v1"},
    {"web", "other.test", "/api/v11", "GET", "api"},
    {"web", "other.test", "//api", "GET", "any"},
    {"web", "a.example", "/", "GET", "host"},
    {"web", "a.example", "/", "DELETE", "host-delete"},
    {"web", "a.example", "/api", "GET", "host"},  // the host comes before the path
    {"web", "a.example", "/img/1.png", "GET", "host-img"},
    {"web", "a.example", "/img/1.png", "DELETE", "host-img"},
    {"web", "a.example", "/images", "GET", "host"},
    {"web", "b.example", "/two", "GET", "two"},
    {"web", "c.example", "/two/2", "GET", "two"},
    {"web", "c.example", "/three", "GET", "wild"},  // no path of c.example's own holds
    {"web", "x.deep.example", "/x/y", "GET", "wild-deep"},
    {"web", "x.deep.example", "/y", "GET", "wild"},
    {"web", "x.y.deep.example", "/x", "GET", "wild-deep"},
    {"web", "deep.example", "/x", "GET", "wild"},  // a wildcard needs a label of its own
    {"web", "example", "/", "GET", "any"},
    {"web", "notexample", "/", "GET", "any"},
    {"inside", "other.test", "/api", "GET", "admin"},  // a named listener comes before none
    {"inside", "a.example", "/secret/1", "GET", "admin-host"},
    {"inside", "a.example", "/", "GET", "admin"},
    {"web", "a.example", "/secret", "GET", "host"},
};

TEST(Router, TheMostSpecificRouteWinsWhateverTheOrder) {
  std::vector<RouteConfig> routes = house();
  Rng rng(42);
  for (int round = 0; round < 50; ++round) {
    Router router(routes);
    for (const Case& c : cases) {
      size_t found = router.match({c.listener, c.host, c.path, c.method});
      ASSERT_NE(found, Router::none) << c.host << c.path;
      ASSERT_EQ(routes[found].name, c.expected) << c.listener << " " << c.method << " " << c.host << c.path;
    }
    for (size_t i = routes.size(); i > 1; --i) std::swap(routes[i - 1], routes[rng.below(i)]);
  }
}

TEST(Router, WithoutARouteThereIsNone) {
  std::vector<RouteConfig> routes = {route("a", {"a.example"}, "/x", "", {"GET"})};
  Router router(routes);
  EXPECT_EQ(router.match({"web", "a.example", "/x", "GET"}), 0u);
  EXPECT_EQ(router.match({"web", "a.example", "/x", "POST"}), Router::none);
  EXPECT_EQ(router.match({"web", "a.example", "/", "GET"}), Router::none);
  EXPECT_EQ(router.match({"web", "b.example", "/x", "GET"}), Router::none);
  std::vector<RouteConfig> nothing;
  EXPECT_EQ(Router(nothing).match({"web", "a", "/", "GET"}), Router::none);
}

TEST(Router, AThousandHostsAreTold) {
  std::vector<RouteConfig> routes;
  for (int i = 0; i < 1000; ++i) routes.push_back(route(std::to_string(i), {"h" + std::to_string(i) + ".example"}));
  Router router(routes);
  for (size_t i = 0; i < 1000; ++i) {
    std::string host = "h" + std::to_string(i) + ".example";
    ASSERT_EQ(router.match({"web", host, "/", "GET"}), i);
  }
}

}  // namespace
}  // namespace portolan::proxy
