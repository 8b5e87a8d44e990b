// Which route a request takes.
#include "proxy/router.hh"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <regex>
#include <set>

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

RouteConfig by_regex(std::string name, std::string pattern, std::vector<std::string> hosts = {}) {
  RouteConfig r = route(std::move(name), std::move(hosts));
  r.path_regex = std::move(pattern);
  return r;
}

TEST(Router, AnExpressionComesBetweenTheExactPathAndTheLongestPrefix) {
  std::vector<RouteConfig> routes = {
      route("any"),
      route("long", {}, "/api/v1/users"),
      route("exact", {}, "", "/api/v1/x.json"),
      by_regex("versions", "^/api/v[0-9]+/"),
      by_regex("json", "\\.json$"),
      by_regex("star", "^\\*$"),
      by_regex("host", "^/h", {"a.test"}),
  };
  Router router(routes);
  auto name = [&](const char* path, const char* host = "b.test") {
    size_t found = router.match({"web", host, path, "GET"});
    return found == Router::none ? "none" : routes[found].name;
  };
  EXPECT_EQ(name("/api/v1/x.json"), "exact");
  EXPECT_EQ(name("/api/v1/users/7"), "versions");
  EXPECT_EQ(name("/api/v1/y.json"), "versions") << "the longer one";
  EXPECT_EQ(name("/api/y.json"), "json");
  EXPECT_EQ(name("/api/v/"), "any");
  EXPECT_EQ(name("/api//v1/"), "any");
  EXPECT_EQ(name("*"), "star");
  EXPECT_EQ(name("/h", "a.test"), "host");
  EXPECT_EQ(name("/api/v1/", "a.test"), "versions") << "no path of a.test's own holds";
}

TEST(Router, MoreConditionsComeFirst) {
  std::vector<RouteConfig> routes = {route("plain"), route("get", {}, "", "", {"GET"}), route("beta"),
                                     route("beta-v2")};
  routes[2].headers = {{"x-beta", {ValueMatch::Form::exact, {"1"}}}};
  routes[2].methods = {"GET"};
  routes[3].headers = routes[2].headers;
  routes[3].query = {{"v", {ValueMatch::Form::exact, {"2"}}}};
  routes[3].clients = {*IpNetwork::parse("10.0.0.0/8")};
  Router router(routes);
  http::Fields beta, none;
  beta.add("X-Beta", "1");
  IpAddress inside = IpAddress::v4(10, 0, 0, 1), outside = IpAddress::v4(11, 0, 0, 1);
  auto name = [&](const char* method, const char* query, const http::Fields& fields, const IpAddress& client) {
    return routes[router.match({"web", "a.test", "/", method, query, &fields, &client})].name;
  };
  EXPECT_EQ(name("GET", "v=2", beta, inside), "beta-v2");
  EXPECT_EQ(name("GET", "v=2", beta, outside), "beta");
  EXPECT_EQ(name("GET", "v=2", none, inside), "get");
  EXPECT_EQ(name("PUT", "v=3", beta, inside), "plain");
}

// What the header says, by looking at every route.
struct Rank {
  bool listener = false;
  size_t host = 0;  // exact: more than any wildcard; wildcard: its length; any: 0
  bool exact = false;
  size_t regex = 0;  // the expression's length
  size_t path = 0;   // the prefix's length
  size_t conditions = 0;
  auto operator<=>(const Rank&) const = default;
};

bool is_found(const std::string& pattern, std::string_view text) {
  static std::map<std::string, std::regex> compiled;
  auto regex = compiled.try_emplace(pattern, pattern).first;
  return std::regex_search(text.begin(), text.end(), regex->second);
}

bool meets(const ValueMatch& match, std::optional<std::string_view> value) {
  using Form = ValueMatch::Form;
  if (match.form == Form::absent || match.form == Form::present)
    return value.has_value() == (match.form == Form::present);
  if (!value) return false;
  if (match.form == Form::regex) return is_found(match.values[0], *value);
  return std::any_of(match.values.begin(), match.values.end(), [&](const std::string& v) {
    return match.form == Form::exact ? *value == v : value->starts_with(v);
  });
}

std::optional<Rank> rank_of(const RouteConfig& r, const RouteQuery& q) {
  Rank rank;
  if (!r.listener.empty() && r.listener != q.listener) return {};
  rank.listener = !r.listener.empty();
  bool holds = r.hosts.empty();
  for (const std::string& host : r.hosts) {
    bool wild = host.starts_with("*.");
    if (wild ? !q.host.ends_with(host.substr(1)) : q.host != host) continue;
    holds = true;
    rank.host = std::max(rank.host, wild ? host.size() : 1000);
  }
  if (!holds) return {};
  if (!r.path_exact.empty()) {
    if (q.path != r.path_exact) return {};
    rank.exact = true;
  } else if (!r.path_regex.empty()) {
    if (!is_found(r.path_regex, q.path)) return {};
    rank.regex = r.path_regex.size();
  } else {
    std::string prefix = r.path;
    while (prefix.ends_with('/')) prefix.pop_back();
    if (!q.path.starts_with(prefix)) return {};
    if (!prefix.empty() && q.path.size() > prefix.size() && q.path[prefix.size()] != '/') return {};
    rank.path = prefix.size();
  }
  if (!r.methods.empty() && std::find(r.methods.begin(), r.methods.end(), q.method) == r.methods.end()) return {};
  if (!r.clients.empty() && !contains(r.clients, *q.client)) return {};
  for (const NamedMatch& header : r.headers)
    if (!meets(header.value, q.fields->find(header.name))) return {};
  for (const NamedMatch& parameter : r.query) {
    std::string all = "&" + std::string(q.query) + "&", name = "&" + parameter.name + "=";
    size_t at = all.find(name);
    std::string value = at == std::string::npos ? "" : all.substr(at + name.size());
    value.resize(std::min(value.size(), value.find('&')));
    if (!meets(parameter.value, at == std::string::npos ? std::nullopt : std::optional<std::string_view>(value)))
      return {};
  }
  rank.conditions = !r.methods.empty() + !r.clients.empty() + r.headers.size() + r.query.size();
  return rank;
}

TEST(Router, IsWhatALookAtEveryRouteWouldFind) {
  Rng rng(11);
  const std::vector<std::string> values = {"1", "2", "12", "21", "3", ""};
  auto one_of = [&](std::vector<std::string> words) { return words[rng.below(words.size())]; };
  auto path = [&] {
    std::string p;
    for (uint64_t n = rng.below(5); n > 0; --n) p += one_of({"/a", "/b", "/aa", "/", "/c"});
    return p.empty() ? "/" : p;
  };
  auto match = [&] {
    auto form = static_cast<ValueMatch::Form>(rng.below(5));
    ValueMatch m{form, {}};
    if (form <= ValueMatch::Form::prefix) m.values = {one_of({"1", "2", "12"})};
    if (form == ValueMatch::Form::regex) m.values = {one_of({"^1", "2$", "[12]+"})};
    return m;
  };
  auto host = [&] { return one_of({"", "a.", "b.a.", "x.b.a."}) + one_of({"example", "test", "long-name.example"}); };
  for (int round = 0; round < 60; ++round) {
    std::vector<RouteConfig> routes;
    for (uint64_t n = 1 + rng.below(round % 3 ? 20 : 300); n > 0; --n) {
      RouteConfig r = route("r");
      for (uint64_t h = rng.below(3); h > 0; --h) r.hosts.push_back((rng.below(2) ? "*." : "") + host());
      if (uint64_t kind = rng.below(8); kind < 2) {
        r.path_exact = path();
      } else if (kind < 4) {
        r.path_regex = one_of({"^/a/", "^/a/[bc]", "/b$", "a+/c", "^/(a|b)/", "^/a|/c$", "^\\*$", "^/b/?/a"});
      } else if (kind < 7) {
        r.path = path();
      }
      if (rng.below(5) == 0) r.headers = {{one_of({"x-a", "accept"}), match()}};
      if (rng.below(8) == 0) r.headers.push_back({"x-b", match()});
      if (rng.below(5) == 0) r.query = {{one_of({"v", "w"}), match()}};
      if (rng.below(5) == 0) r.clients = {*IpNetwork::parse(one_of({"10.0.0.0/8", "10.1.0.0/16", "11.0.0.0/8"}))};
      if (rng.below(4) == 0) r.methods = {one_of({"GET", "POST"})};
      if (rng.below(4) == 0) r.listener = one_of({"in", "out"});
      routes.push_back(r);
    }
    Router router(routes);
    for (int i = 0; i < 300; ++i) {
      const std::string h = host(), p = rng.below(20) ? path() : "*", l = one_of({"in", "web"});
      const std::string m = one_of({"GET", "PUT"});
      http::Fields fields;
      for (const char* name : {"X-A", "Accept", "X-B"})
        if (rng.below(2)) fields.add(name, values[rng.below(values.size())]);
      std::string query;
      for (const char* name : {"v", "w", "v"})
        if (rng.below(2))
          query += (query.empty() ? "" : "&") + std::string(name) + "=" + values[rng.below(values.size())];
      IpAddress client = *IpAddress::parse(one_of({"10.0.0.1", "10.1.0.1", "12.0.0.1"}));
      RouteQuery q{l, h, p, m, query, &fields, &client};
      std::optional<Rank> best;
      for (const RouteConfig& r : routes)
        if (auto rank = rank_of(r, q)) best = best ? std::max(*best, *rank) : *rank;
      size_t found = router.match(q);
      ASSERT_EQ(found != Router::none, best.has_value()) << l << ' ' << h << ' ' << p << ' ' << m;
      ASSERT_TRUE(!best || rank_of(routes[found], q) == best) << l << ' ' << h << ' ' << p << '?' << query << ' ' << m;
    }
  }
}

// What may have answered a request for this URL, whoever asked.
TEST(Router, NamesEveryRouteOfAUrl) {
  std::vector<RouteConfig> routes = house();
  RouteConfig regex = route("regex", {"a.example"}), other = route("other-regex", {"a.example"});
  regex.path_regex = "^/img/[0-9]+$";
  other.path_regex = "^/img/[a-z]+$";
  regex.methods = other.methods = {"PUT"};
  routes.push_back(regex);
  routes.push_back(other);
  Router router(routes);
  auto all = [&](const char* host, const char* path) {
    std::set<std::string> names;
    for (size_t i : router.all_of(host, path)) names.insert(routes[i].name);
    return names;
  };
  using Names = std::set<std::string>;
  EXPECT_EQ(all("other.test", "/"), (Names{"any", "admin"}));
  EXPECT_EQ(all("other.test", "/api"), (Names{"any", "api", "api-exact", "api-post", "admin"}));
  EXPECT_EQ(all("a.example", "/img/7"), (Names{"any", "host", "host-img", "host-delete", "wild", "regex", "admin"}));
  EXPECT_EQ(all("a.example", "/secret"), (Names{"any", "host", "host-delete", "wild", "admin", "admin-host"}));
  EXPECT_EQ(all("c.example", "/two/x"), (Names{"any", "two", "wild", "admin"}));
}

}  // namespace
}  // namespace portolan::proxy
