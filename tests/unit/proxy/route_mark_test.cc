#include "proxy/route_mark.hh"

#include <gtest/gtest.h>

#include <functional>
#include <set>

namespace portolan::proxy {
namespace {

RouteConfig route(const std::function<void(RouteConfig&)>& amend) {
  RouteConfig r;
  r.pool = "app";
  amend(r);
  return r;
}
std::string mark(const std::function<void(RouteConfig&)>& amend) {
  return route_mark(route(amend));
}

NamedMatch is(const char* name, std::vector<std::string> values, ValueMatch::Form form = ValueMatch::Form::exact) {
  return {name, {form, std::move(values)}};
}

HeaderEdits::Line line(const char* name, const char* value) {
  return {name, *Template::parse(value, {Variable::host})};
}

TEST(RouteMark, KeepsApartWhatAsksInAnotherWay) {
  using Form = ValueMatch::Form;
  const std::function<void(RouteConfig&)> rows[] = {
      [](RouteConfig& r) { r.listener = "a"; },
      [](RouteConfig& r) { r.listener = "b"; },
      [](RouteConfig& r) { r.methods = {"GET"}; },
      [](RouteConfig& r) { r.headers = {is("x-tenant", {"acme"})}; },
      [](RouteConfig& r) { r.headers = {is("x-tenant", {"bolt"})}; },
      [](RouteConfig& r) { r.headers = {is("x-tenant", {"acme"}, Form::prefix)}; },
      [](RouteConfig& r) { r.headers = {is("x-tenant", {}, Form::present)}; },
      [](RouteConfig& r) { r.headers = {is("x-tenant", {}, Form::absent)}; },
      [](RouteConfig& r) { r.headers = {is("x-other", {"acme"})}; },
      [](RouteConfig& r) { r.query = {is("x-tenant", {"acme"})}; },
      [](RouteConfig& r) { r.clients = {*IpNetwork::parse("127.0.0.2/32")}; },
      [](RouteConfig& r) { r.clients = {*IpNetwork::parse("127.0.0.3/32")}; },
      [](RouteConfig& r) { r.countries = {"DE"}; },
      [](RouteConfig& r) { r.countries = {"FR"}; },
      [](RouteConfig& r) { r.countries = {"DE"}, r.pool = "other"; },
      [](RouteConfig& r) { r.countries = {"DE"}, r.path = "/a", r.rewrite = RewriteConfig{.prefix = "/b"}; },
      [](RouteConfig& r) { r.countries = {"DE"}, r.path = "/c", r.rewrite = RewriteConfig{.prefix = "/b"}; },
      [](RouteConfig& r) { r.countries = {"DE"}, r.path_regex = "a", r.rewrite = RewriteConfig{.to = "/b"}; },
      [](RouteConfig& r) { r.countries = {"DE"}, r.request_headers.set = {line("X-A", "1")}; },
      [](RouteConfig& r) { r.countries = {"DE"}, r.request_headers.set = {line("X-A", "{host}")}; },
      [](RouteConfig& r) { r.countries = {"DE"}, r.request_headers.add = {line("X-A", "1")}; },
      [](RouteConfig& r) { r.countries = {"DE"}, r.request_headers.remove = {"x-a"}; },
  };
  std::set<std::string> marks;
  for (const auto& row : rows) marks.insert(mark(row));
  EXPECT_EQ(marks.size(), std::size(rows));
  EXPECT_FALSE(marks.contains(""));
}

TEST(RouteMark, IsTheSameWhereverAndHoweverARouteIsWritten) {
  auto a = route([](RouteConfig& r) {
    r.name = "any";
    r.where = "f:1:1";
    r.methods = {"GET", "HEAD"};
    r.headers = {is("x-a", {"1", "2"}), is("x-b", {"3"})};
    r.clients = {*IpNetwork::parse("10.0.0.0/8"), *IpNetwork::parse("192.0.2.0/24")};
    r.countries = {"DE", "FR"};
  });
  auto b = route([](RouteConfig& r) {
    r.name = "any 2";
    r.where = "f:9:1";
    r.hosts = {"a.test"};
    r.path = "/a";
    r.cache = "edge";
    r.methods = {"HEAD", "GET"};
    r.headers = {is("x-b", {"3"}), is("x-a", {"2", "1", "1"})};
    r.clients = {*IpNetwork::parse("192.0.2.0/24"), *IpNetwork::parse("10.0.0.0/8")};
    r.countries = {"FR", "DE"};
  });
  EXPECT_EQ(route_mark(a), route_mark(b));
  EXPECT_EQ(route_mark(a).size(), 16u);
}

TEST(RouteMark, IsEmptyWhereTheUrlSaysAll) {
  EXPECT_EQ(mark([](RouteConfig&) {}), "");
  EXPECT_EQ(mark([](RouteConfig& r) { r.hosts = {"a.test"}, r.path = "/a", r.rewrite = RewriteConfig{.prefix = "/"}; }),
            "");
  EXPECT_EQ(mark([](RouteConfig& r) { r.methods = {"GET"}, r.pool.clear(); }), "") << "nobody is asked";
}

}  // namespace
}  // namespace portolan::proxy
