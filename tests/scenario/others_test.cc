// What one client does or doesn't do costs the others of a cache nothing.
#include <sys/ioctl.h>

#include "world.hh"

namespace portolan::scenario {
namespace {

class OthersScenario : public ::testing::Test {
 protected:
  World w{{.cache = edge::CacheConfig{}}};
};

// A request that its server won't answer: whose own fault it is shows when another asks.
TEST_F(OthersScenario, AFetchThatBreaksIsBegunAnewByOneOfThoseWhoFollow) {
  auto odd = w.client(), b = w.client(), c = w.client();
  odd.asks("GET /a", "User-Agent: sqlmap\r\n");
  auto server = w.origin().accepts();
  server.receives();
  b.asks("GET /a");
  c.asks("GET /a");
  w.origin().nobody_comes();
  server.closes();
  EXPECT_EQ(odd.gets().status(), 502);
  auto again = w.origin().accepts();
  EXPECT_FALSE(again.receives().has("User-Agent"));
  w.origin().nobody_comes();
  again.answers("hello", "Cache-Control: max-age=60\r\n");
  EXPECT_EQ(b.gets().body, "hello");
  EXPECT_EQ(c.gets().body, "hello");
  EXPECT_EQ(w.cache->stats().objects, 1u);
}

TEST_F(OthersScenario, OfAServerThatBreaksForEverybodyEachIsToldAfterASecondFetch) {
  std::vector<Client> crowd;
  for (int i = 0; i < 8; ++i) crowd.push_back(w.client());
  for (Client& client : crowd) client.asks("GET /a");
  for (int fetch = 0; fetch < 2; ++fetch) {
    auto server = w.origin().accepts();
    server.receives();
    w.origin().nobody_comes();
    server.closes();
  }
  for (Client& client : crowd) EXPECT_EQ(client.gets().status(), 502);
  w.origin().nobody_comes();
}

TEST_F(OthersScenario, AFetchThatHangsHoldsTheOthersNoLongerThanItself) {
  auto a = w.client(), b = w.client();
  a.asks("GET /a");
  auto server = w.origin().accepts();
  server.receives();
  b.asks("GET /a");
  w.advance(60'000);
  EXPECT_EQ(a.gets().status(), 504);
  auto again = w.origin().accepts();
  again.receives();
  again.answers("hello", "Cache-Control: max-age=60\r\n");
  EXPECT_EQ(b.gets().body, "hello");
}

TEST_F(OthersScenario, OfAServerThatIsNotThereAllAreToldAtOnce) {
  auto a = w.client(), b = w.client();
  w.origin().swallows();
  a.asks("GET /a");
  w.settle();
  b.asks("GET /a");
  w.settle();
  w.origin().refuses();
  w.advance(10'000);  // no connection
  EXPECT_EQ(a.gets().status(), 504);
  EXPECT_EQ(b.gets().status(), 504);
}

// RFC 9111 §4.4: whichever route it takes.
// What isn't stored is there only once, from its beginning to its end.
}  // namespace
}  // namespace portolan::scenario
