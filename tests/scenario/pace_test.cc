// How slow a client may be: a rate, measured while it is its turn, and never a total.
#include "world.hh"

namespace portolan::scenario {
namespace {

TEST(Pace, AnHonestSlowUploadMayTakeAsLongAsItLikes) {
  World w;
  auto client = w.client();
  client.sends("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 180000\r\n\r\n");
  auto server = w.origin().accepts();
  server.gets_head();
  for (int second = 0; second < 300; ++second) {  // 600 bytes a second, five minutes long
    client.sends(std::string(600, 'x'));
    server.reads(600);
    w.advance(984);
  }
  server.answers("thanks");
  EXPECT_EQ(client.gets().body, "thanks");
}

TEST(Pace, AByteNowAndThenIsNot) {
  World w;
  auto client = w.client();
  client.sends("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 180000\r\n\r\n");
  auto server = w.origin().accepts();
  server.gets_head();
  for (int second = 0; second < 9; ++second) {
    client.sends("x");
    w.advance(984);
  }
  client.gets_nothing();
  w.advance(1'500);
  EXPECT_EQ(client.gets().status(), 408);
  client.is_closed();
  server.reads_to_the_end();
  EXPECT_EQ(w.count("portolan_slow_clients_total", "body=\"request\""), 1u);
  EXPECT_EQ(w.count("portolan_server_failures_total"), 0u);
}

TEST(Pace, AServerThatTakesNothingIsNotItsClientsFault) {
  World w({.timeouts = {.idle = 100'000}});
  auto client = w.client();
  client.sends("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n");
  auto server = w.origin().accepts();
  server.gets_head();
  size_t sent = client.pours(50'000'000);  // until nobody takes more
  ASSERT_LT(sent, 50'000'000u);
  w.advance(60'000);
  client.gets_nothing();
  server.reads(sent / 2);
  w.settle();
  EXPECT_GT(client.pours(10'000'000), 0u);
}

TEST(Pace, AReaderThatTakesDropByDropIsLeft) {
  World w;
  auto client = w.client();
  auto server = w.asked(client);
  server.sends("HTTP/1.1 200 OK\r\nContent-Length: 33554432\r\n\r\n");
  server.pours(32 << 20);
  client.gets_head();
  // Less than the idle limit allows, and far less than the rate asks for.
  for (int i = 0; i < 4 && w.proxy->connections() > 0; ++i) {
    w.advance(7'000);
    client.reads(1);
  }
  EXPECT_EQ(w.proxy->connections(), 0u);
  EXPECT_EQ(w.count("portolan_slow_clients_total", "body=\"answer\""), 1u);
  server.reads_to_the_end();
}

TEST(Pace, AServerThatSaysLittleIsNotItsClientsFault) {
  World w;
  auto client = w.client();
  auto server = w.asked(client, "GET /events");
  server.sends("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
  client.gets_head();
  for (int i = 0; i < 20; ++i) {
    w.advance(20'000);
    server.sends("5\r\nevent\r\n");
    client.reads(10);
  }
}

TEST(Pace, BothWaysAtOnceIsAConversationNotAnUpload) {
  World w;
  auto client = w.client();
  client.sends("POST /chat HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  auto server = w.origin().accepts();
  server.gets_head();
  server.sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  client.gets_head();
  for (int i = 0; i < 10; ++i) {
    w.advance(20'000);
    client.sends("2\r\nhi\r\n");
    server.reads(7);
    server.sends("2\r\nho\r\n");
    client.reads(7);
  }
}

TEST(Pace, ARouteMayAskForMoreOrForNothing) {
  Plan plan;
  plan.amend_route = [](proxy::RouteConfig& route) { route.timeouts.min_rate = 0; };
  World w(std::move(plan));
  auto client = w.client();
  client.sends("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
  auto server = w.origin().accepts();
  server.gets_head();
  for (int i = 0; i < 9; ++i) {
    client.sends("x");
    w.advance(20'000);
  }
  client.sends("x");
  EXPECT_EQ(server.reads(10), "xxxxxxxxxx");
  server.answers("ok");
  EXPECT_EQ(client.gets().body, "ok");
}

}  // namespace
}  // namespace portolan::scenario
