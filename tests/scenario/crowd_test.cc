// What happens when there are almost too many clients, or they hold almost too much.
#include "world.hh"

namespace portolan::scenario {
namespace {

TEST(Crowd, NearTheLimitTheOldestIdleConnectionGoesForANewOne) {
  World w;
  w.shared.most_connections = 4;
  auto first = w.client();
  w.advance(1'500);
  auto second = w.client();
  w.advance(1'500);
  auto third = w.client();
  w.advance(1'500);
  auto fourth = w.client();
  auto fifth = w.client();
  first.is_closed();
  second.gets_nothing();
  auto sixth = w.client();
  second.is_closed();
  third.gets_nothing();
  fifth.gets_nothing();
  EXPECT_EQ(w.count("portolan_connections_evicted_total", "state=\"idle\""), 2u);
  EXPECT_EQ(w.count("portolan_connections_refused_total"), 0u);
}

TEST(Crowd, AConnectionThatWasUsedIsNoLongerTheOldest) {
  World w;
  w.shared.most_connections = 2;
  auto first = w.client();
  w.advance(1'500);
  auto second = w.client();
  w.advance(1'500);
  auto server = w.asked(first);
  server.answers("ok");
  EXPECT_EQ(first.gets().body, "ok");
  auto third = w.client();
  second.is_closed();
  first.gets_nothing();
}

TEST(Crowd, WhoIsAtWorkStays) {
  World w;
  w.shared.most_connections = 2;
  auto first = w.client();
  auto busy = w.asked(first);
  w.advance(1'500);
  auto second = w.client();
  w.advance(1'500);
  auto third = w.client();
  second.is_closed();
  busy.answers("ok");
  EXPECT_EQ(first.gets().body, "ok");
  third.gets_nothing();
}

TEST(Crowd, HeadsThatDontComeToTheirEndGoWhenNobodyIdles) {
  World w;
  w.shared.most_connections = 2;
  auto slow = w.client();
  slow.sends("GET / HTTP/1.1\r\nX: ");
  auto busy = w.client();
  auto server = w.asked(busy);
  auto refused = w.client();  // a second has not passed
  refused.reads_to_the_end();
  EXPECT_EQ(w.count("portolan_connections_refused_total"), 1u);
  w.advance(2'500);
  auto next = w.client();
  slow.reads_to_the_end();
  next.gets_nothing();
  EXPECT_EQ(w.count("portolan_connections_evicted_total", "state=\"incomplete\""), 1u);
  server.answers("ok");
  EXPECT_EQ(busy.gets().body, "ok");
}

TEST(Crowd, AHeadThatStallsGoesBeforeWhoHasIdledForLess) {
  World w;
  w.shared.most_connections = 2;
  auto slow = w.client();
  slow.sends("GET / HTTP/1.1\r\nX: ");
  w.advance(2'500);
  auto idle = w.client();
  auto server = w.asked(idle);
  server.answers("ok");
  EXPECT_EQ(idle.gets().body, "ok");
  auto next = w.client();
  slow.reads_to_the_end();
  idle.gets_nothing();
  next.gets_nothing();
}

TEST(Crowd, ManyAtWorkDontHideTheOneThatIdles) {
  World w;
  constexpr size_t many = 40;
  w.shared.most_connections = many + 1;
  std::vector<Client> busy;
  std::vector<ServerEnd> servers;
  for (size_t i = 0; i < many; ++i) {
    busy.push_back(w.client());
    servers.push_back(w.asked(busy.back()));
  }
  auto idle = w.client();
  // Each looks at a few; the next at others.
  for (int i = 0; i < 4 && w.count("portolan_connections_evicted_total") == 0; ++i) w.client().closes();
  idle.is_closed();
}

TEST(Crowd, IdleConnectionsHaveLessTimeTheMoreThereAre) {
  World w;
  w.shared.most_connections = 8;
  std::vector<Client> few;
  for (int i = 0; i < 4; ++i) few.push_back(w.client());
  auto fifth = w.client(), sixth = w.client();
  w.advance(29'000);
  sixth.gets_nothing();
  w.advance(2'000);  // half of a minute
  sixth.is_closed();
  fifth.gets_nothing();
  w.advance(13'500);
  fifth.gets_nothing();
  w.advance(1'500);  // three quarters
  fifth.is_closed();
  few[0].gets_nothing();
  w.advance(15'000);
  few[0].is_closed();
}

TEST(Crowd, WhenMemoryIsFullTheSlowestReaderIsCutForANewRequest) {
  World w({.servers = 1});
  int64_t before = blocks_held();
  w.shared.most_buffered = before + (384 << 10);
  auto slow = w.client();
  auto server = w.asked(slow);
  server.sends("HTTP/1.1 200 OK\r\nContent-Length: 33554432\r\n\r\n");
  server.pours(32 << 20);
  w.settle();
  EXPECT_LT(blocks_held() - before, 640 << 10);  // what was on its way when it became tight
  w.shared.most_buffered = before + (32 << 10);
  w.advance(300);
  auto other = w.client();
  auto busy = w.asked(other);
  slow.is_cut();
  server.reads_to_the_end();
  EXPECT_EQ(w.count("portolan_slow_readers_cut_total"), 1u);
  busy.answers("ok");
  EXPECT_EQ(other.gets().body, "ok");
}

TEST(Crowd, WhenMemoryIsFullAndNobodyCanGoARequestIsA503) {
  World w;
  w.shared.most_buffered = -1;
  auto client = w.client();
  Message refused = client.get("/");
  EXPECT_EQ(refused.status(), 503);
  client.is_closed();
  w.origin().nobody_comes();
  EXPECT_EQ(w.count("portolan_requests_shed_total"), 1u);
  w.shared.most_buffered = INT64_MAX;
  auto next = w.client();
  auto server = w.asked(next);
  server.answers("ok");
  EXPECT_EQ(next.gets().body, "ok");
}

TEST(Crowd, WhenMemoryIsFullALargeHeadIsA503) {
  World w;
  w.shared.most_buffered = -1;
  auto client = w.client();
  client.sends("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(3'000, 'x'));
  EXPECT_EQ(client.gets().status(), 503);
  client.is_closed();
}

TEST(Crowd, WhileMemoryIsTightAWholeAnswerAndAWholeUploadStillPass) {
  World w;
  w.shared.most_buffered = blocks_held() + (1 << 20);
  auto client = w.client();
  std::string large(4 << 20, 'x');
  auto server = w.asked(client);
  w.shared.most_buffered = blocks_held() + 1'000;  // tight, never full for those that have begun
  server.answers(large);
  EXPECT_EQ(client.gets().body.size(), large.size());
}

TEST(Limits, AreThoseOfTheListener) {
  World w({.limits = {.head_bytes = 2048, .target_bytes = 512, .field_count = 10, .refuse_underscores = true}});
  struct Case {
    std::string target, fields;
    int status;
  };
  for (const Case& c :
       {Case{"/" + std::string(512, 'x'), "", 414}, Case{"/", "X: " + std::string(2048, 'x') + "\r\n", 431},
        Case{"/", "A: b\r\nB: c\r\nC: d\r\nD: e\r\nE: f\r\nF: g\r\nG: h\r\nH: i\r\nI: j\r\nJ: k\r\n", 431},
        Case{"/", "a_b: c\r\n", 400}}) {
    auto client = w.client();
    client.sends("GET " + c.target + " HTTP/1.1\r\nHost: a\r\n" + c.fields + "\r\n");
    EXPECT_EQ(client.gets().status(), c.status);
  }
  w.plan.limits = {};
  w.publish();  // connections that come now, with conversations that others had
  auto client = w.client();
  client.asks("GET /" + std::string(600, 'x'), "a_b: c\r\n");
  w.origin().accepts().receives();
}

}  // namespace
}  // namespace portolan::scenario
