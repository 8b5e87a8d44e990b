// What was counted of servers that are gone.
#include "proxy/server_series.hh"

#include <gtest/gtest.h>

namespace portolan::proxy {
namespace {

const metrics::Family requests{
    "test_requests_total", "", metrics::Type::counter, {"listener", "route", "pool", "server", "status"}};
const metrics::Family others{"test_others_total", "", metrics::Type::counter, {"pool", "server"}};

TEST(ServerSeries, OfServersThatAreGoneAreFoldedIntoOneAPool) {
  metrics::Registry registry;
  metrics::Shard& shard = registry.add_shard();
  auto count = [&](std::string_view pool, std::string_view server, std::string_view status, uint64_t n) {
    shard.counter(requests, {"http", "a \"pool=\"", pool, server, status}).add(n);
  };
  count("app", "10.0.0.1:80", "200", 1);
  count("app", "10.0.0.2:80", "200", 2);
  count("app", "10.0.0.3:80", "200", 4);
  count("app", "10.0.0.3:80", "502", 8);
  count("app", "", "503", 16);
  count("other", "10.0.0.2:80", "200", 32);
  shard.counter(others, {"app", "10.0.0.3:80"}).add(5);
  ServerSeries kept;
  kept.add("app", "10.0.0.1:80");
  kept.add("other", "10.0.0.2:80");
  auto fold = [&] { shard.fold(requests, [&](std::string_view labels) { return kept.fold(labels); }); };
  fold();
  auto total = [&](std::string_view part) { return registry.total(requests, part); };
  EXPECT_EQ(total("pool=\"app\",server=\"10.0.0.1:80\""), 1u);
  EXPECT_EQ(total("pool=\"app\",server=\"gone\",status=\"200\""), 6u);
  EXPECT_EQ(total("pool=\"app\",server=\"gone\",status=\"502\""), 8u);
  EXPECT_EQ(total("pool=\"app\",server=\"\""), 16u);
  EXPECT_EQ(total("pool=\"other\",server=\"10.0.0.2:80\""), 32u);
  EXPECT_EQ(total("10.0.0.3"), 0u);
  EXPECT_EQ(total(""), 63u) << "nothing is lost";
  EXPECT_EQ(registry.total(others), 5u) << "another family";
  count("app", "10.0.0.3:80", "200", 64);  // a late answer
  fold();
  EXPECT_EQ(total("server=\"gone\",status=\"200\""), 70u);
}

TEST(ServerSeries, KnowEscapedNames) {
  ServerSeries kept;
  kept.add("a\"b", "unix:/x\\y");
  EXPECT_EQ(kept.fold("pool=\"a\\\"b\",server=\"unix:/x\\\\y\",reason=\"x\""), "");
  EXPECT_EQ(kept.fold("pool=\"a\\\"b\",server=\"unix:/z\\\"\",reason=\"x\""),
            "pool=\"a\\\"b\",server=\"gone\",reason=\"x\"");
  EXPECT_EQ(kept.fold("listener=\"a\""), "");
}

}  // namespace
}  // namespace portolan::proxy
