// Clients that come back to their server, requests that belong together, and pools in panic.
#include <set>

#include "world.hh"

namespace portolan::scenario {
namespace {

using health::State;

Plan sticky_plan(size_t servers, bool cached = false) {
  Plan plan;
  plan.servers = servers;
  plan.pool.sticky = proxy::StickyConfig{};
  plan.pool.sticky->key[0] = 1;
  if (cached) {
    plan.cache = edge::CacheConfig{};
    plan.cache->ignore_cookies = {"portolan"};
  }
  return plan;
}

std::string cookie_of(const Message& answer) {
  std::string given = answer.field("Set-Cookie");
  return given.empty() ? "" : "Cookie: " + given.substr(0, given.find(';')) + "\r\n";
}

TEST(StickyScenario, AClientComesBackToItsServer) {
  World w(sticky_plan(3));
  auto client = w.client();
  auto first = w.asked(client);
  first.answers("first");
  std::string cookie = cookie_of(client.gets());
  ASSERT_NE(cookie, "");
  for (int i = 0; i < 4; ++i) {
    client.asks("GET /", cookie);
    first.receives();
    first.answers("again");
    Message answer = client.gets();
    EXPECT_EQ(answer.body, "again");
    EXPECT_FALSE(answer.has("Set-Cookie")) << "it has one";
  }
}

TEST(StickyScenario, ItSurvivesItsServersDeath) {
  World w(sticky_plan(2));
  auto client = w.client();
  auto first = w.asked(client);
  first.answers("first");
  std::string cookie = cookie_of(client.gets());
  first.closes();
  w.origin(0).refuses();
  client.asks("GET /", cookie);
  auto second = w.origin(1).accepts();
  second.receives();
  second.answers("second");
  std::string next = cookie_of(client.gets());
  EXPECT_NE(next, "");
  EXPECT_NE(next, cookie);
  w.publish();  // a reload
  client.asks("GET /", next);
  second.receives();
  second.answers("second again");
  EXPECT_FALSE(client.gets().has("Set-Cookie"));
}

TEST(StickyScenario, OneThatNamesAServerThatIsDownIsGivenAnew) {
  World w(sticky_plan(2));
  auto client = w.client();
  auto first = w.asked(client);
  first.answers("first");
  std::string cookie = cookie_of(client.gets());
  w.origin(0).is(State::down);
  client.asks("GET /", cookie);
  auto second = w.origin(1).accepts();
  second.receives();
  second.answers("second");
  EXPECT_NE(cookie_of(client.gets()), "");
}

TEST(StickyScenario, AServerThatDrainsKeepsThoseItHas) {
  World w(sticky_plan(2));
  auto client = w.client(), stranger = w.client();
  auto first = w.asked(client);
  first.answers("first");
  std::string cookie = cookie_of(client.gets());
  w.origin(0).keeps_clients = true;
  w.origin(0).is(State::draining);
  client.asks("GET /", cookie);
  first.receives();
  first.answers("again");
  EXPECT_FALSE(client.gets().has("Set-Cookie"));
  std::optional<ServerEnd> second;
  for (int i = 0; i < 4; ++i) {
    stranger.asks("GET /");
    if (!second) second.emplace(w.origin(1).accepts());
    second->receives();
    second->answers("second");
    EXPECT_EQ(stranger.gets().body, "second");
  }
  w.origin(0).keeps_clients = false;
  w.publish_board();
  client.asks("GET /", cookie);
  second->receives();
  second->answers("second");
  EXPECT_NE(cookie_of(client.gets()), "");
}

TEST(StickyScenario, IsGivenWithAWebSocketToo) {
  World w(sticky_plan(2));
  const std::string upgrade =
      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  auto opens = [&](ServerEnd server) {
    server.receives();
    server.sends(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
    return server;
  };
  auto client = w.client();
  client.asks("GET /", upgrade);
  auto first = opens(w.origin(0).accepts());
  Message answer = client.gets_head();
  EXPECT_EQ(answer.start.substr(0, 12), "HTTP/1.1 101");
  std::string cookie = cookie_of(answer);
  ASSERT_NE(cookie, "");
  auto back = w.client();
  back.asks("GET /", upgrade + cookie);
  auto again = opens(w.origin(0).accepts());
  EXPECT_FALSE(back.gets_head().has("Set-Cookie")) << "it has one";
}

// The cache keeps what the server said, and none of the cookies given with it; and a client with our cookie is served
// from the cache like any other.
TEST(StickyScenario, IsNeverStored) {
  World w(sticky_plan(2, true));
  auto client = w.client();
  client.asks("GET /page", "");
  auto server = w.origin(0).accepts();
  server.receives();
  server.answers("page", "Cache-Control: max-age=60\r\n");
  Message answer = client.gets();
  EXPECT_FALSE(answer.has("Set-Cookie")) << "all followers of the fetch would get it";
  client.asks("POST /form", "", "x");
  auto second = w.origin(1).accepts();
  second.receives();
  second.answers("done", "Cache-Control: no-store\r\n");
  std::string cookie = cookie_of(client.gets());
  ASSERT_NE(cookie, "");
  client.asks("GET /page", cookie);
  answer = client.gets();
  EXPECT_EQ(answer.body, "page");
  EXPECT_TRUE(answer.field("Cache-Status").find("hit") != std::string::npos) << answer.field("Cache-Status");
  EXPECT_FALSE(answer.has("Set-Cookie"));
}

TEST(HashScenario, RequestsOfOneKeyGoToOneServer) {
  Plan plan;
  plan.servers = 4;
  plan.pool.balance = "hash";
  plan.pool.hash.key = {proxy::KeyConfig::By::header, "X-User"};
  World w(plan);
  auto under_way = [&] {
    int64_t all = 0;
    for (size_t i = 0; i < 4; ++i) all += w.origin(i).state->in_flight;
    return all;
  };
  auto asked_by = [&](const std::string& user) {
    auto client = w.client();
    client.asks("GET /", "X-User: " + user + "\r\n");
    EXPECT_TRUE(w.until([&] { return under_way() == 1; }));
    size_t home = 0;
    while (home < 4 && w.origin(home).state->in_flight == 0) ++home;
    client.resets();
    EXPECT_TRUE(w.until([&] { return under_way() == 0; }));
    return home;
  };
  std::set<size_t> used;
  for (const char* user : {"ann", "bob", "cid", "dan", "eve", "fay", "gus", "hal"}) {
    size_t home = asked_by(user);
    ASSERT_LT(home, 4u);
    used.insert(home);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(asked_by(user), home) << user;
  }
  EXPECT_GT(used.size(), 1u);
}

TEST(FastestScenario, LearnsFromWhatItSees) {
  Plan plan;
  plan.servers = 2;
  plan.pool.balance = "fastest";
  World w(plan);
  auto client = w.client();
  std::optional<ServerEnd> ends[2];
  auto exchange = [&](int64_t takes_ms[2]) {
    client.asks("GET /");
    EXPECT_TRUE(w.until([&] { return w.origin(0).state->in_flight + w.origin(1).state->in_flight == 1; }));
    size_t i = w.origin(0).state->in_flight > 0 ? 0 : 1;
    if (!ends[i]) ends[i] = w.origin(i).accepts();
    ends[i]->receives();
    w.advance(takes_ms[i]);
    ends[i]->answers("x");
    client.gets();
    return i;
  };
  int64_t takes_ms[2] = {400, 10};
  for (int i = 0; i < 2; ++i) exchange(takes_ms);
  EXPECT_GT(w.origin(0).state->latency_us, 300'000);
  EXPECT_LT(w.origin(1).state->latency_us, 100'000);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(exchange(takes_ms), 1u);
}

}  // namespace
}  // namespace portolan::scenario
