// What control changes while requests are under way: configuration, the board, draining.
#include "world.hh"

namespace portolan::scenario {
namespace {

using health::State;

// Asks, and lets the origin's next connection answer.
void exchange(World& w, Client& client, size_t origin, const std::string& body) {
  client.asks("GET /");
  auto server = w.origin(origin).accepts();
  server.receives();
  server.answers(body, "Connection: close\r\n");
  EXPECT_EQ(client.gets().body, body);
}

TEST(Control, DrainLetsRequestsEnd) {
  World w;
  auto idle = w.client(), busy = w.client(), partial = w.client();
  auto server = w.asked(busy);
  partial.sends("GET / HT");
  w.settle();
  w.proxy->drain();
  w.settle();
  idle.is_closed();
  busy.gets_nothing();
  server.answers("last");
  Message answer = busy.gets();
  EXPECT_EQ(answer.body, "last");
  EXPECT_EQ(answer.field("Connection"), "close");
  busy.is_closed();
  partial.sends("TP/1.1\r\nHost: a\r\n\r\n");
  server.receives();
  server.answers("the very last");
  EXPECT_EQ(partial.gets().body, "the very last");
  partial.is_closed();
  busy.closes();
  partial.closes();
  w.settle();
  EXPECT_EQ(w.proxy->connections(), 0u);
}

TEST(Control, AClosedListenersConnectionsEndAfterTheirRequest) {
  World w;
  auto client = w.client();
  auto server = w.asked(client);
  w.proxy->stop_listening(w.door());
  server.answers("ok");
  EXPECT_EQ(client.gets().field("Connection"), "close");
  client.is_closed();
}

TEST(Control, ARequestKeepsTheConfigurationItBeganWith) {
  World w;
  auto client = w.client();
  auto server = w.asked(client);
  w.plan.route_all = false;
  w.publish();
  server.answers("as configured before");
  EXPECT_EQ(client.gets().body, "as configured before");
  EXPECT_EQ(client.get("/").status(), 404);
}

TEST(Control, AServerThatWasRemovedFinishesWhatItHas) {
  World w({.servers = 2});
  auto a = w.client(), b = w.client();
  auto first = w.asked(a, "GET /a");
  w.origin(0).removed = true;
  w.publish_board();
  for (int i = 0; i < 3; ++i) exchange(w, b, 1, "from the other");
  first.answers("finished");
  EXPECT_EQ(a.gets().body, "finished");
  w.origin(0).nobody_comes();
  first.is_closed();  // nobody will use it again
}

TEST(Control, IdleConnectionsOfARemovedServerAreClosed) {
  World w({.servers = 2});
  auto client = w.client();
  auto first = w.asked(client);
  first.answers("ok");
  client.gets();
  first.gets_nothing();
  w.origin(0).removed = true;
  w.publish();  // a reload publishes both, in this order
  w.publish_board();
  first.is_closed();
  EXPECT_EQ(w.proxy->pool().idle(), 0u);
}

TEST(Control, IdleConnectionsOfADrainingServerAreClosed) {
  for (State state : {State::draining, State::down, State::ejected}) {
    World w({.servers = 2});
    auto client = w.client();
    auto first = w.asked(client);
    first.answers("ok");
    client.gets();
    w.origin(0).is(state);
    first.is_closed();
    for (int i = 0; i < 3; ++i) exchange(w, client, 1, "second");
  }
}

TEST(Control, WithAllServersDownThereIsA503) {
  World w({.servers = 2});
  w.origin(0).is(State::down);
  w.origin(1).is(State::ejected);
  auto client = w.client();
  Message answer = client.get("/");
  EXPECT_EQ(answer.status(), 503);
  EXPECT_EQ(answer.field("Retry-After"), "5");
  EXPECT_EQ(answer.field("Cache-Control"), "no-store");
  w.origin(1).is(State::up);
  exchange(w, client, 1, "back");
}

TEST(Control, ABackupServesOnlyWhenNobodyElseDoes) {
  World w({.servers = 2});
  w.origin(1).backup = true;
  w.publish_board();
  auto client = w.client();
  for (int i = 0; i < 3; ++i) exchange(w, client, 0, "main");
  w.origin(0).is(State::down);
  exchange(w, client, 1, "backup");
  w.origin(0).is(State::up);
  exchange(w, client, 0, "main");
}

TEST(Control, ABoardInTheMiddleOfARetryIsNoTrouble) {
  World w({.servers = 3});
  auto client = w.client();
  auto first = w.asked(client);
  w.origin(0).removed = true;
  w.origin(1).is(State::down);
  first.resets();  // the request knows the board it began with
  auto second = w.origin(1).accepts();
  second.receives();
  second.answers("second");
  EXPECT_EQ(client.gets().body, "second");
}

TEST(Control, AProxyMayEndWithRequestsUnderWay) {
  World w({.cache = edge::CacheConfig{}});
  auto a = w.client(), b = w.client(), c = w.client();
  auto server = w.asked(a, "GET /a");
  b.asks("GET /a");
  c.sends("POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
  auto second = w.origin().accepts();
  second.gets_head();
  w.settle();
  w.proxy->close_all();
  w.settle();
  EXPECT_EQ(w.proxy->connections(), 0u);
  w.proxy = std::make_unique<proxy::Proxy>(w.worker, w.shared);
}

}  // namespace
}  // namespace portolan::scenario
