// Servers that are full, slow or answer with errors: who waits, who is asked twice, and what that costs.
#include "world.hh"

namespace portolan::scenario {
namespace {

using health::State;

// One server with room for one request, and that is taken.
struct FullWorld : World {
  explicit FullWorld(int size = 100) : World({.amend_pool = [size](proxy::PoolConfig& p) { p.queue.size = size; }}) {
    origin().max_connections = 1;
    publish_board();
    server.emplace(asked(first, "GET /first"));
  }
  Client first{client()};
  std::optional<ServerEnd> server;
};

TEST(Queue, WhoFindsEveryServerFullWaitsItsTurn) {
  FullWorld w;
  auto a = w.client(), b = w.client();
  a.asks("GET /a");
  a.gets_nothing();
  b.asks("POST /b", "", "body");
  b.gets_nothing();
  EXPECT_EQ(w.pool_state->queue.size(), 2u);
  w.server->answers("first");
  EXPECT_EQ(w.first.gets().body, "first");
  EXPECT_EQ(w.server->receives().start, "GET /a HTTP/1.1");
  b.gets_nothing();
  w.server->answers("a");
  EXPECT_EQ(a.gets().body, "a");
  Message posted = w.server->receives();
  EXPECT_EQ(posted.start, "POST /b HTTP/1.1");
  EXPECT_EQ(posted.body, "body");
  w.server->answers("b");
  EXPECT_EQ(b.gets().body, "b");
  EXPECT_TRUE(w.pool_state->queue.empty());
  EXPECT_EQ(w.count("portolan_queued_requests_total", "outcome=\"served\""), 2u);
  EXPECT_EQ(w.count("portolan_queue_wait_seconds_count"), 2u);
}

TEST(Queue, AWaitHasItsEnd) {
  FullWorld w;
  auto client = w.client();
  client.asks("GET /");
  w.advance(900);
  client.gets_nothing();
  w.advance(100);
  Message refused = client.gets();
  EXPECT_EQ(refused.status(), 503);
  EXPECT_EQ(refused.field("Retry-After"), "5");
  EXPECT_TRUE(w.pool_state->queue.empty());
  EXPECT_EQ(w.count("portolan_queued_requests_total", "outcome=\"timeout\""), 1u);
  w.server->answers("first");
  w.first.gets();
}

TEST(Queue, IsBounded) {
  FullWorld w(1);
  auto waits = w.client(), refused = w.client();
  waits.asks("GET /waits");
  waits.gets_nothing();
  Message answer = refused.get("/refused");
  EXPECT_EQ(answer.status(), 503);
  EXPECT_EQ(answer.field("Retry-After"), "5");
  EXPECT_EQ(w.count("portolan_queued_requests_total", "outcome=\"full\""), 1u);
  w.server->answers("first");
  w.first.gets();
  EXPECT_EQ(w.server->receives().start, "GET /waits HTTP/1.1");
  w.server->answers("ok");
  EXPECT_EQ(waits.gets().body, "ok");
}

TEST(Queue, AClientThatLeavesGivesUpItsPlace) {
  FullWorld w;
  auto gone = w.client(), waits = w.client();
  gone.asks("GET /gone");
  gone.gets_nothing();
  waits.asks("GET /waits");
  waits.gets_nothing();
  gone.resets();
  w.settle();
  EXPECT_EQ(w.pool_state->queue.size(), 1u);
  w.server->answers("first");
  w.first.gets();
  EXPECT_EQ(w.server->receives().start, "GET /waits HTTP/1.1");
  w.server->answers("ok");
  EXPECT_EQ(waits.gets().body, "ok");
  EXPECT_EQ(w.count("portolan_queued_requests_total", "outcome=\"left\""), 1u);
}

TEST(Queue, AServerThatComesBackServesWhoWaits) {
  World w({.servers = 2});
  w.origin(0).max_connections = 1;
  w.origin(1).is(State::down);
  auto a = w.client(), b = w.client();
  auto first = w.asked(a, "GET /a");
  b.asks("GET /b");
  b.gets_nothing();
  w.origin(1).is(State::up);
  auto second = w.origin(1).accepts();
  EXPECT_EQ(second.receives().start, "GET /b HTTP/1.1");
  second.answers("b");
  EXPECT_EQ(b.gets().body, "b");
  first.answers("a");
  EXPECT_EQ(a.gets().body, "a");
}

TEST(Queue, WithoutALimitThereIsNone) {
  World w;
  w.origin().is(State::down);
  auto client = w.client();
  EXPECT_EQ(client.get("/").status(), 503);
  EXPECT_EQ(w.count("portolan_queued_requests_total"), 0u);
}

TEST(Queue, ARetryWaitsForAnotherServerToo) {
  World w({.servers = 2});
  w.origin(1).max_connections = 1;
  w.origin(0).is(State::down);
  auto a = w.client(), b = w.client();
  auto busy = w.asked(a, "GET /a", 1);
  w.origin(0).is(State::up);
  w.origin(0).refuses();
  b.asks("GET /b");
  b.gets_nothing();
  EXPECT_EQ(w.pool_state->queue.size(), 1u);
  busy.answers("a");
  EXPECT_EQ(a.gets().body, "a");
  EXPECT_EQ(busy.receives().start, "GET /b HTTP/1.1");
  busy.answers("b");
  EXPECT_EQ(b.gets().body, "b");
}

// What one request has tried and may not try again is there for all others.
TEST(Queue, ARetryThatWaitsHoldsNobodyUp) {
  World w({.servers = 2});
  w.origin(1).max_connections = 1;
  w.origin(0).is(State::down);
  auto a = w.client(), b = w.client(), c = w.client();
  auto busy = w.asked(a, "GET /a", 1);
  w.origin(0).is(State::up);
  auto failing = w.asked(b, "GET /b");
  failing.resets();
  b.gets_nothing();
  EXPECT_EQ(w.pool_state->queue.size(), 1u);
  auto well = w.asked(c, "GET /c");
  well.answers("c");
  EXPECT_EQ(c.gets().body, "c");
  busy.answers("a");
  a.gets();
  busy.receives();
  busy.answers("b");
  EXPECT_EQ(b.gets().body, "b");
}

// ── answers that count as failures ────────────────────────────────────────────────────────────────────────────────

Plan with_statuses(size_t servers, std::vector<int> retried, std::vector<int> counted = {}) {
  Plan plan{.servers = servers};
  plan.retry.statuses = std::move(retried);
  plan.amend_pool = [counted](proxy::PoolConfig& pool) { pool.eject.statuses = counted; };
  return plan;
}

TEST(RetriedStatuses, GoToAnotherServerAndTheLastOneIsPassedOn) {
  World w(with_statuses(3, {502, 503}));
  auto client = w.client();
  client.asks("GET /");
  for (size_t i = 0; i < 3; ++i) {
    auto server = w.origin(i).accepts();
    server.receives();
    server.answers("busy " + std::to_string(i), "", "503 Service Unavailable");
  }
  Message answer = client.gets();
  EXPECT_EQ(answer.status(), 503);
  EXPECT_EQ(answer.body, "busy 2");
  EXPECT_EQ(w.count("portolan_retries_total"), 2u);
  EXPECT_EQ(w.count("portolan_server_failures_total"), 0u);
}

TEST(RetriedStatuses, AreThoseThatWereNamedOfRequestsThatMayBeSentAgain) {
  for (auto [method, status] : std::vector<std::pair<std::string, std::string>>{
           {"GET", "500 Internal Server Error"}, {"GET", "404 Not Found"}, {"POST", "503 Service Unavailable"}}) {
    World w(with_statuses(2, {502, 503}));
    auto client = w.client();
    client.asks(method + " /", "", method == "POST" ? "x" : "");
    auto server = w.origin(0).accepts();
    server.receives();
    server.answers("sorry", "", status);
    EXPECT_EQ(client.gets().body, "sorry") << method << ' ' << status;
    w.origin(1).nobody_comes();
  }
}

TEST(RetriedStatuses, TakeFromTheBudget) {
  World w(with_statuses(2, {503}));
  w.pool_state->window_start_ms = w.clock.now_ms();
  w.pool_state->window_retries[0] = 100;
  auto client = w.client();
  auto server = w.asked(client);
  server.answers("busy", "", "503 Service Unavailable");
  EXPECT_EQ(client.gets().body, "busy") << "passed on, not made into another error";
  w.origin(1).nobody_comes();
}

TEST(EjectingStatuses, CountAsFailuresUntilAnotherAnswerComes) {
  World w(with_statuses(1, {}, {500}));
  auto client = w.client();
  client.asks("GET /");
  auto server = w.origin().accepts();
  for (int i = 1; i <= 3; ++i) {
    server.receives();
    server.answers("", "", "500 Internal Server Error");
    EXPECT_EQ(client.gets().status(), 500);
    EXPECT_EQ(w.origin().state->failures_in_a_row, static_cast<uint32_t>(i));
    client.asks("GET /");
  }
  server.receives();
  server.answers("", "", "404 Not Found");
  client.gets();
  EXPECT_EQ(w.origin().state->failures_in_a_row, 0u);
  EXPECT_EQ(w.count("portolan_server_failures_total", "reason=\"status\""), 3u);
  ASSERT_EQ(w.reports.size(), 1u) << "once until control has looked";
  EXPECT_EQ(w.reports[0], "app: HTTP 500");
}

// ── hedging ───────────────────────────────────────────────────────────────────────────────────────────────────────

Plan hedged(proxy::HedgeConfig hedge, size_t servers = 2) {
  Plan plan{.servers = servers};
  plan.amend_route = [hedge](proxy::RouteConfig& route) { route.hedge = hedge; };
  return plan;
}
constexpr proxy::HedgeConfig after_100_ms{0, 100};

TEST(Hedging, TheSecondAnswersWhenTheFirstIsSlow) {
  World w(hedged(after_100_ms));
  auto client = w.client();
  auto first = w.asked(client);
  w.advance(70);
  w.origin(1).nobody_comes();
  w.advance(30);
  auto second = w.origin(1).accepts();
  EXPECT_EQ(second.receives().start, "GET / HTTP/1.1");
  EXPECT_EQ(w.origin(0).state->in_flight + w.origin(1).state->in_flight, 2);
  second.answers("second");
  EXPECT_EQ(client.gets().body, "second");
  first.is_closed();  // cancelled
  EXPECT_EQ(w.count("portolan_hedges_total"), 1u);
  EXPECT_EQ(w.count("portolan_hedges_won_total"), 1u);
  EXPECT_EQ(w.count("portolan_server_failures_total"), 0u);
  EXPECT_EQ(w.pool_state->window_retries[0] + w.pool_state->window_retries[1], 1u) << "it counts as a retry";
  std::string second_label = "server=\"" + w.origin(1).address().to_string() + "\"";
  EXPECT_EQ(w.count("portolan_requests_total", second_label), 1u);
}

TEST(Hedging, TheFirstMayStillWin) {
  World w(hedged(after_100_ms));
  auto client = w.client();
  auto first = w.asked(client);
  w.advance(100);
  auto second = w.origin(1).accepts();
  second.receives();
  first.answers("first");
  EXPECT_EQ(client.gets().body, "first");
  second.is_closed();
  EXPECT_EQ(w.count("portolan_hedges_won_total"), 0u);
}

TEST(Hedging, ALargeAnswerOfTheSecondIsWhole) {
  World w(hedged(after_100_ms));
  auto client = w.client();
  auto first = w.asked(client);
  w.advance(100);
  auto second = w.origin(1).accepts();
  second.receives();
  second.sends("HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n");
  client.gets_head();
  size_t got = 0;
  for (size_t sent = 0; sent < 3'000'000;) {
    sent += second.pours(std::min<size_t>(200'000, 3'000'000 - sent));
    got += client.reads(sent - got).size();
  }
  EXPECT_EQ(got, 3'000'000u);
}

TEST(Hedging, EitherMayFail) {
  World w(hedged(after_100_ms));
  for (size_t failing : {0u, 1u}) {
    w.pool_state->turns[0] = 0;
    auto client = w.client();
    client.asks("GET /");
    std::vector<ServerEnd> servers;
    servers.push_back(w.origin(0).accepts());
    servers[0].receives();
    w.advance(100);
    servers.push_back(w.origin(1).accepts());
    servers[1].receives();
    servers[failing].resets();
    w.settle();
    client.gets_nothing();
    servers[1 - failing].answers("ok", "Connection: close\r\n");
    EXPECT_EQ(client.gets().body, "ok");
  }
}

TEST(Hedging, AnAnswerThatWouldBeTriedElsewhereDoesNotWin) {
  Plan plan = hedged(after_100_ms);
  plan.retry.statuses = {503};
  World w(std::move(plan));
  auto client = w.client();
  auto first = w.asked(client);
  w.advance(100);
  auto second = w.origin(1).accepts();
  second.receives();
  second.answers("busy", "", "503 Service Unavailable");
  second.is_closed();
  client.gets_nothing();
  first.answers("first");
  EXPECT_EQ(client.gets().body, "first");
  EXPECT_EQ(w.count("portolan_hedges_won_total"), 0u);
}

TEST(Hedging, WhenBothFailTheClientIsTold) {
  World w(hedged(after_100_ms));
  auto client = w.client();
  auto first = w.asked(client);
  w.advance(100);
  auto second = w.origin(1).accepts();
  second.receives();
  first.resets();
  w.settle();
  second.resets();
  EXPECT_EQ(client.gets().status(), 502);
}

TEST(Hedging, IsForRequestsThatMayBeSentTwice) {
  World w(hedged(after_100_ms));
  for (const char* what : {"POST /", "PUT /"}) {
    w.pool_state->turns[0] = 0;
    auto client = w.client();
    client.asks(what, "", "body");
    auto first = w.origin(0).accepts();
    first.receives();
    w.advance(1'000);
    w.origin(1).nobody_comes();
    first.answers("ok", "Connection: close\r\n");
    EXPECT_EQ(client.gets().body, "ok");
  }
}

TEST(Hedging, NeedsBudgetAndAnotherServer) {
  World w(hedged(after_100_ms));
  w.pool_state->window_start_ms = w.clock.now_ms();
  w.pool_state->window_retries[0] = 100;
  auto client = w.client();
  auto first = w.asked(client);
  w.advance(200);
  w.origin(1).nobody_comes();
  EXPECT_EQ(w.origin(1).state->in_flight, 0);
  first.answers("ok", "Connection: close\r\n");
  EXPECT_EQ(client.gets().body, "ok");
  w.origin(1).is(State::down);
  w.advance(20'000);
  auto again = w.asked(client);
  w.advance(200);
  again.answers("ok");
  EXPECT_EQ(client.gets().body, "ok");
}

TEST(Hedging, AClientThatLeavesEndsBoth) {
  World w(hedged(after_100_ms));
  auto client = w.client();
  auto first = w.asked(client);
  w.advance(100);
  auto second = w.origin(1).accepts();
  second.receives();
  client.resets();
  first.is_closed();
  second.is_closed();
}

TEST(Hedging, APercentileIsThatOfThePoolsOwnAnswers) {
  World w(hedged({0.95, 0}));
  auto client = w.client();
  auto unknown = w.asked(client);
  w.advance(5'000);
  w.origin(1).nobody_comes();  // nothing is known yet
  unknown.answers("ok", "Connection: close\r\n");
  client.gets();
  for (int i = 0; i < 100; ++i) w.pool_state->first_byte.observe_us(i < 97 ? 20'000 : 900'000);
  w.advance(2'000);
  w.pool_state->turns[0] = 0;
  auto first = w.asked(client);
  w.advance(5);
  w.origin(1).nobody_comes();
  w.advance(20);
  auto second = w.origin(1).accepts();
  second.receives();
  second.answers("second");
  EXPECT_EQ(client.gets().body, "second");
}

TEST(Hedging, AFetchForTheCacheIsHedgedToo) {
  Plan plan = hedged(after_100_ms);
  plan.cache = edge::CacheConfig{};
  World w(std::move(plan));
  auto client = w.client();
  auto first = w.asked(client);
  w.advance(100);
  auto second = w.origin(1).accepts();
  second.receives();
  second.answers("second", "Cache-Control: max-age=60\r\n");
  EXPECT_EQ(client.gets().body, "second");
  EXPECT_EQ(client.get("/").body, "second");
}

}  // namespace
}  // namespace portolan::scenario
