// When the series of servers that left are folded.
#include "daemon/gone_servers.hh"

#include <gtest/gtest.h>

namespace portolan::daemon {
namespace {

class Gone : public ::testing::Test {
 protected:
  void board(std::initializer_list<const char*> servers) {
    auto pool = std::make_shared<health::Pool>();
    pool->name = "app";
    for (const char* name : servers) pool->members.emplace_back().name = name;
    health::Board next;
    next.pools["app"] = pool;
    gone.note(next);
  }
  void passes(int64_t ms) {
    for (int64_t passed = 0; passed < ms; passed += 1000) {
      clock.advance_ms(1000);
      worker.turn(0);
    }
  }
  static bool keeps(const proxy::ServerSeries& kept, const std::string& server) {
    return kept.fold("pool=\"app\",server=\"" + server + "\"").empty();
  }
  FakeClock clock;
  metrics::Shard shard;
  loop::Worker worker{0, "control", clock, 1, shard};
  std::vector<std::shared_ptr<const proxy::ServerSeries>> folds;
  GoneServers gone{worker, [this](auto kept) { folds.push_back(std::move(kept)); }};
};

TEST_F(Gone, WhoIsAwayForSomeMinutesIsFolded) {
  board({"a", "b", "c"});
  passes(1'000'000);
  EXPECT_TRUE(folds.empty()) << "nobody left";
  board({"a"});
  passes(200'000);
  board({"a", "c"});
  EXPECT_TRUE(folds.empty());
  passes(110'000);
  ASSERT_EQ(folds.size(), 1u);
  EXPECT_TRUE(keeps(*folds[0], "a"));
  EXPECT_FALSE(keeps(*folds[0], "b"));
  EXPECT_TRUE(keeps(*folds[0], "c")) << "it came back";
  passes(1'000'000);
  EXPECT_EQ(folds.size(), 1u);
}

TEST_F(Gone, WhoLeftLatelyIsKept) {
  board({"a", "b"});
  board({"b"});
  passes(200'000);
  board({});
  passes(110'000);
  ASSERT_EQ(folds.size(), 1u);
  EXPECT_FALSE(keeps(*folds[0], "a"));
  EXPECT_TRUE(keeps(*folds[0], "b"));
  passes(310'000);
  ASSERT_EQ(folds.size(), 2u);
  EXPECT_FALSE(keeps(*folds[1], "b"));
}

}  // namespace
}  // namespace portolan::daemon
