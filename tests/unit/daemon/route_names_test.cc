#include "daemon/route_names.hh"

#include <gtest/gtest.h>

namespace portolan::daemon {
namespace {

TEST(RouteNames, StandInPlaceOfTheirMarks) {
  std::vector<proxy::RouteConfig> routes(4);
  const char* rows[][2] = {
      {"shop", "0123456789abcdef"}, {"plain", ""}, {"a", "aaaaaaaaaaaaaaaa"}, {"b", "aaaaaaaaaaaaaaaa"}};
  for (size_t i = 0; i < routes.size(); ++i) {
    routes[i].name = rows[i][0];
    routes[i].mark = rows[i][1];
  }
  const RouteNames names(routes);
  auto told = [&](std::string key) {
    names.tell(key);
    return key;
  };
  EXPECT_EQ(told("http://a/b"), "http://a/b");
  EXPECT_EQ(told("http://a/b (route: 0123456789abcdef)"), "http://a/b (route: shop)");
  EXPECT_EQ(told("http://a/b (route: aaaaaaaaaaaaaaaa; x-a: 1)"), "http://a/b (route: a, b; x-a: 1)");
  EXPECT_EQ(told("http://a/b (route: bbbbbbbbbbbbbbbb)"), "http://a/b (route: bbbbbbbbbbbbbbbb)")
      << "it is there no more";
}

}  // namespace
}  // namespace portolan::daemon
