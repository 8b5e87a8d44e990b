// Without a word of timeouts in the configuration every wait still ends: nothing is unlimited by omission.
#include "world.hh"

namespace portolan::scenario {
namespace {

TEST(Defaults, AServerThatNeverAnswersIsA504) {
  World w({.retry = {.attempts = 0}});
  auto client = w.client();
  client.asks("POST /", "", "x");
  auto server = w.origin().accepts();
  server.receives();
  w.advance(59'000);
  client.gets_nothing();
  w.advance(1'500);
  EXPECT_EQ(client.gets().status(), 504);
  server.reads_to_the_end();
}

TEST(Defaults, AServerThatNeverTakesTheConnectionIsA504) {
  World w({.retry = {.attempts = 0}});
  w.origin().swallows();
  auto client = w.client();
  client.asks("GET /");
  w.advance(1'900);
  client.gets_nothing();
  w.advance(300);
  EXPECT_EQ(client.gets().status(), 504);
}

TEST(Defaults, AnAnswerThatStallsIsCut) {
  World w;
  auto client = w.client();
  client.asks("GET /");
  auto server = w.origin().accepts();
  server.receives();
  server.sends("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome");
  client.gets_head();
  w.advance(31'000);
  client.is_cut();
  server.reads_to_the_end();
}

TEST(Defaults, NobodyIsLeftAfterTwoMinutesOfSilence) {
  World w;
  auto silent = w.client();
  auto head = w.client();
  head.sends("GET / HT");
  auto body = w.client();
  body.sends("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf.");
  auto first = w.origin().accepts();
  auto reader = w.client();
  reader.asks("GET /");
  auto second = w.origin().accepts();
  second.receives();
  second.sends("HTTP/1.1 200 OK\r\nContent-Length: 33554432\r\n\r\n");
  second.pours(32 << 20);
  auto waiting = w.client();
  waiting.asks("GET /");
  auto third = w.origin().accepts();
  third.receives();
  EXPECT_EQ(w.proxy->connections(), 5u);
  w.advance(125'000);
  EXPECT_EQ(w.proxy->connections(), 0u);
}

}  // namespace
}  // namespace portolan::scenario
