// Who may pass: networks, rates, passwords, maintenance, and how many connections.
#include <deque>

#include "proxy/admit/gate.hh"
#include "world.hh"

namespace portolan::scenario {
namespace {

using proxy::Gate;

const std::string user_lines =
    "alice:$2y$05$mVD9jVG.cJLHQUAe7B58EO/ZADvoDbN5gPcvDn/r35MVLNqmsHaga\n"  // wonderland
    "bob:$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG.\n";  // secret
const std::string as_alice = "Authorization: Basic YWxpY2U6d29uZGVybGFuZA==\r\n";
const std::string as_bob = "Authorization: Basic Ym9iOnNlY3JldA==\r\n";
const std::string as_nobody = "Authorization: Basic bWFsbG9yeTpzZWNyZXQ=\r\n";
const std::string alice_guessing = "Authorization: Basic YWxpY2U6Z3Vlc3M=\r\n";

std::shared_ptr<const proxy::Users> users() {
  std::vector<std::string> errors;
  auto read = proxy::Users::parse(user_lines, "users", errors);
  EXPECT_TRUE(errors.empty());
  return read;
}

std::vector<proxy::AccessEntry> networks(const std::vector<std::string>& texts) {
  std::vector<proxy::AccessEntry> entries;
  for (const std::string& t : texts) entries.push_back({*IpNetwork::parse(t), ""});
  return entries;
}

std::shared_ptr<proxy::Limiter> limiter(int64_t requests, int64_t burst) {
  proxy::LimitConfig c;
  c.rate = {requests, 1'000'000};
  c.burst = burst;
  return std::make_shared<proxy::Limiter>(c);
}

// Does what it is given when it is told to.
class LateExecutor final : public Executor {
 public:
  bool submit(std::function<void()> work) override {
    if (queue.size() >= room) return false;
    queue.push_back(std::move(work));
    return true;
  }
  size_t run_all() {
    size_t n = 0;
    for (; !queue.empty(); ++n) {
      auto work = std::move(queue.front());
      queue.pop_front();
      work();
    }
    return n;
  }
  std::deque<std::function<void()>> queue;
  size_t room = 100;
};

// One route to the pool behind `gate`, and one listener behind `door`.
struct Guarded {
  Gate gate, door;
  LateExecutor executor;
  World w;

  explicit Guarded(std::vector<std::string> trusted = {}) : w({.trusted = std::move(trusted)}) {
    w.shared.hasher = &executor;
    w.plan.amend = [this](proxy::Snapshot& s) {
      s.route_gates.assign(s.routes.size(), std::make_shared<Gate>(gate));
      s.listener_gates["web"] = std::make_shared<Gate>(door);
    };
  }
  void ask_for_passwords(const std::string& user_header = "", bool pass = false) {
    gate.basic_auth = Gate::BasicAuth{users(), "Basic realm=\"staff\", charset=\"UTF-8\"", user_header, pass};
    w.publish();
  }
  // A request with credentials that must be checked, from a new client.
  Message first(const std::string& fields) {
    auto client = w.client();
    client.asks("GET /", fields);
    client.gets_nothing();
    EXPECT_EQ(executor.run_all(), 1u);
    return client.gets();
  }
};

TEST(Admission, ByNetworkIsAskedBeforeAnyServerIs) {
  Guarded g;
  g.gate.access.deny = proxy::AccessList(networks({"127.0.0.0/8"}));
  auto early = g.w.client();
  early.asks("GET /a");
  auto server = g.w.origin().accepts();
  server.receives();
  server.answers("ok");
  EXPECT_EQ(early.gets().status(), 200) << "nothing is asked yet";
  g.w.publish();
  Message refused = early.get("/b");
  EXPECT_EQ(refused.status(), 403) << "a connection that was there is asked as well";
  EXPECT_EQ(refused.field("Cache-Control"), "no-store");
  server.gets_nothing();
  EXPECT_EQ(g.w.count("portolan_requests_refused_total", "reason=\"denied\""), 1u);

  g.gate.access = {};
  g.door.access.allow = proxy::AccessList(networks({"192.0.2.0/24"}));
  g.w.publish();
  EXPECT_EQ(early.get("/c").status(), 403) << "the listener's rule";
  g.door.access.allow = proxy::AccessList(networks({"127.0.0.1"}));
  g.w.publish();
  early.asks("GET /d");
  EXPECT_EQ(server.receives().start, "GET /d HTTP/1.1");
  server.answers("ok");
  EXPECT_EQ(early.gets().status(), 200);
}

TEST(Admission, IsOfTheClientBehindTrustedProxies) {
  Guarded g({"127.0.0.1"});
  g.gate.access.allow = proxy::AccessList(networks({"192.0.2.0/24"}));
  g.w.publish();
  auto client = g.w.client();
  EXPECT_EQ(client.get("/", "X-Forwarded-For: 198.51.100.1\r\n").status(), 403);
  EXPECT_EQ(client.get("/", "X-Forwarded-For: 192.0.2.1, 198.51.100.1\r\n").status(), 403) << "a name it gave itself";
  client.asks("GET /", "X-Forwarded-For: 198.51.100.1, 192.0.2.1\r\n");
  auto server = g.w.origin().accepts();
  server.receives();
  server.answers("ok");
  EXPECT_EQ(client.gets().status(), 200);
}

TEST(Admission, OverItsRateAClientIsToldWhenToComeAgain) {
  Guarded g({"127.0.0.1"});
  g.gate.limits = {limiter(1, 2)};
  g.w.publish();
  auto client = g.w.client();
  std::optional<ServerEnd> server;
  auto passes = [&](const std::string& from) {
    client.asks("GET /", "X-Forwarded-For: " + from + "\r\n");
    if (!server) server = g.w.origin().accepts();
    server->receives();
    server->answers("ok");
    EXPECT_EQ(client.gets().status(), 200) << from;
  };
  passes("192.0.2.1");
  passes("192.0.2.1");
  Message refused = client.get("/", "X-Forwarded-For: 192.0.2.1\r\n");
  EXPECT_EQ(refused.status(), 429);
  EXPECT_EQ(refused.field("Retry-After"), "1");
  passes("192.0.2.2");
  g.w.publish();
  EXPECT_EQ(client.get("/", "X-Forwarded-For: 192.0.2.1\r\n").status(), 429) << "a reload gives nobody a full bucket";
  g.w.advance(1000);
  passes("192.0.2.1");
  EXPECT_EQ(client.get("/", "X-Forwarded-For: 192.0.2.1\r\n").status(), 429);
  EXPECT_EQ(g.w.count("portolan_requests_refused_total", "reason=\"rate limited\""), 3u);
}

TEST(Admission, OfSeveralLimitsARequestTakesATokenOfEachOrOfNone) {
  Guarded g;
  auto roomy = limiter(1, 4), narrow = limiter(1, 1);
  g.door.limits = {roomy};
  g.gate.limits = {narrow};
  g.w.plan.routes = {};
  g.w.publish();
  auto client = g.w.client();
  client.asks("GET /");
  auto server = g.w.origin().accepts();
  server.receives();
  server.answers("ok");
  EXPECT_EQ(client.gets().status(), 200);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(client.get("/").status(), 429);
  uint64_t key = roomy->key_of({}, IpAddress::v4(127, 0, 0, 1));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(roomy->take(key, g.w.worker.now_us()), 0) << i;
  EXPECT_GT(roomy->take(key, g.w.worker.now_us()), 0);
}

// What looks for doors that aren't there is limited too.
TEST(Admission, AListenersGateStandsBeforeRoutesThatDontExist) {
  Guarded g;
  g.w.plan.route_all = false;
  g.door.limits = {limiter(1, 2)};
  g.w.publish();
  auto client = g.w.client();
  EXPECT_EQ(client.get("/a").status(), 404);
  EXPECT_EQ(client.get("/b").status(), 404);
  EXPECT_EQ(client.get("/c").status(), 429);
}

TEST(Admission, MaintenanceIsAPageForAllButThoseWhoPass) {
  Guarded g({"127.0.0.1"});
  auto operator_says = std::make_shared<proxy::MaintenanceSwitch>();
  g.gate.maintenance = Gate::Maintenance{true,
                                         operator_says,
                                         "<h1>Back soon</h1>",
                                         "text/html; charset=utf-8",
                                         "120",
                                         proxy::AccessList(networks({"192.0.2.0/24"}))};
  g.w.publish();
  auto client = g.w.client();
  Message page = client.get("/", "X-Forwarded-For: 198.51.100.1\r\n");
  EXPECT_EQ(page.status(), 503);
  EXPECT_EQ(page.body, "<h1>Back soon</h1>");
  EXPECT_EQ(page.field("Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(page.field("Retry-After"), "120");
  EXPECT_EQ(page.field("Cache-Control"), "no-store");
  client.asks("GET /", "X-Forwarded-For: 192.0.2.1\r\n");
  auto server = g.w.origin().accepts();
  server.receives();
  server.answers("ok");
  EXPECT_EQ(client.gets().status(), 200);
  operator_says->word = proxy::MaintenanceSwitch::off;
  client.asks("GET /", "X-Forwarded-For: 198.51.100.1\r\n");
  server.receives();
  server.answers("ok");
  EXPECT_EQ(client.gets().status(), 200) << "at once, for connections that are there";
  operator_says->word = proxy::MaintenanceSwitch::on;
  EXPECT_EQ(client.get("/", "X-Forwarded-For: 198.51.100.1\r\n").status(), 503);
}

// ── passwords ─────────────────────────────────────────────────────────────────────────────────

TEST(Passwords, AreAskedFor) {
  Guarded g;
  g.ask_for_passwords();
  auto client = g.w.client();
  for (const char* fields : {"", "Authorization: Bearer abc\r\n", "Authorization: Basic nonsense!\r\n"}) {
    Message answer = client.get("/", fields);
    EXPECT_EQ(answer.status(), 401) << fields;
    EXPECT_EQ(answer.field("WWW-Authenticate"), "Basic realm=\"staff\", charset=\"UTF-8\"");
  }
  Message twice = client.get("/", as_alice + as_bob);
  EXPECT_EQ(twice.status(), 401) << "which of them would a server believe?";
  EXPECT_EQ(g.executor.queue.size(), 0u);
  g.w.origin().nobody_comes();
}

TEST(Passwords, WrongOnesAndUnknownNamesLookAlike) {
  Guarded g;
  g.ask_for_passwords();
  Message wrong = g.first(alice_guessing), unknown = g.first(as_nobody);
  EXPECT_EQ(wrong.status(), 401);
  EXPECT_EQ(unknown.status(), 401) << "mallory shows bob's password, whose hash may have been the one compared";
  EXPECT_EQ(wrong.body, unknown.body);
  EXPECT_EQ(g.w.count("portolan_requests_refused_total", "reason=\"bad password\""), 2u);
  g.w.origin().nobody_comes();
}

TEST(Passwords, GoodOnesOpenTheWayAndStayHere) {
  Guarded g;
  g.ask_for_passwords("X-Forwarded-User");
  auto client = g.w.client();
  client.asks("GET /", as_alice + "x-forwarded-user: root\r\nX-Forwarded-User: root\r\n");
  client.gets_nothing();
  g.w.origin().nobody_comes();
  EXPECT_EQ(g.executor.run_all(), 1u);
  auto server = g.w.origin().accepts();
  Message asked = server.receives();
  EXPECT_FALSE(asked.has("Authorization"));
  EXPECT_EQ(asked.field("X-Forwarded-User"), "alice");
  server.answers("ok");
  EXPECT_EQ(client.gets().status(), 200);
}

TEST(Passwords, GoOnToServersWhereThatIsAskedFor) {
  Guarded g;
  g.ask_for_passwords("", true);
  auto client = g.w.client();
  client.asks("GET /", as_bob);
  client.gets_nothing();
  g.executor.run_all();
  auto server = g.w.origin().accepts();
  EXPECT_EQ(server.receives().field("Authorization"), as_bob.substr(15, as_bob.size() - 17));
  server.answers("ok");
  client.gets();
}

TEST(Passwords, AreCheckedOnceInAWhile) {
  Guarded g;
  g.ask_for_passwords();
  auto client = g.w.client();
  std::optional<ServerEnd> server;
  auto passes = [&](size_t checks) {
    client.asks("GET /", as_alice);
    g.w.settle();
    EXPECT_EQ(g.executor.run_all(), checks);
    if (!server) server = g.w.origin().accepts();
    server->receives();
    server->answers("ok");
    EXPECT_EQ(client.gets().status(), 200);
  };
  passes(1);
  passes(0);
  g.w.publish();
  passes(0);
  for (int i = 0; i < 10; ++i) {
    g.w.advance(30'000);
    if (i < 9) passes(0);
  }
  passes(1);
  g.ask_for_passwords();  // the file was read again
  passes(1);
  passes(0);
  // A wrong one is remembered for a moment.
  EXPECT_EQ(g.first(alice_guessing).status(), 401);
  EXPECT_EQ(client.get("/", alice_guessing).status(), 401);
  EXPECT_EQ(g.executor.queue.size(), 0u);
  g.w.advance(6'000);
  EXPECT_EQ(g.first(alice_guessing).status(), 401);
}

TEST(Passwords, OfManyRequestsAreCheckedOnceForAll) {
  Guarded g;
  g.ask_for_passwords();
  std::vector<Client> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(g.w.client());
    clients.back().asks("GET /", alice_guessing);
  }
  g.w.settle();
  EXPECT_EQ(g.executor.run_all(), 1u);
  for (Client& c : clients) EXPECT_EQ(c.gets().status(), 401);
}

TEST(Passwords, OfWhoLeavesMeanwhileAreNotChecked) {
  Guarded g;
  g.ask_for_passwords();
  auto client = g.w.client();
  client.asks("GET /", as_alice);
  g.w.settle();
  client.resets();
  g.w.settle();
  EXPECT_EQ(g.executor.run_all(), 1u) << "its turn comes, and nobody is there";
  g.w.settle();
  auto again = g.w.client();
  again.asks("GET /", as_alice);
  again.gets_nothing();
  EXPECT_EQ(g.executor.run_all(), 1u) << "nothing was remembered";
  auto server = g.w.origin().accepts();
  server.receives();
  server.answers("ok");
  EXPECT_EQ(again.gets().status(), 200);
}

TEST(Passwords, WhenTheQueueIsFullSomeAreSentAway) {
  Guarded g;
  g.ask_for_passwords();
  g.executor.room = 0;
  auto client = g.w.client();
  Message busy = client.get("/", as_alice);
  EXPECT_EQ(busy.status(), 503);
  EXPECT_EQ(busy.field("Retry-After"), "5");
  g.executor.room = 100;
  // One client has only so many checked at once, so that another finds room.
  std::vector<Client> guessing;
  for (int i = 0; i < 9; ++i) {
    guessing.push_back(g.w.client());
    std::string letter(1, static_cast<char>('A' + i));
    guessing.back().asks("GET /", "Authorization: Basic YWxpY2U6YWF" + letter + "\r\n");
  }
  g.w.settle();
  EXPECT_EQ(g.executor.queue.size(), 8u);
  EXPECT_EQ(guessing.back().gets().status(), 503);
  // Who has waited for too long isn't kept waiting.
  g.w.advance(6'000);
  EXPECT_EQ(g.executor.run_all(), 8u);
  for (size_t i = 0; i < 8; ++i) EXPECT_EQ(guessing[i].gets().status(), 503);
  EXPECT_EQ(g.first(alice_guessing).status(), 401) << "they are counted out";
  EXPECT_EQ(g.w.count("portolan_requests_refused_total", "reason=\"too many passwords to check\""), 10u);
}

TEST(Passwords, AreNotAskedForTwiceOfOneRequest) {
  Guarded g;
  g.gate.limits = {limiter(1, 1)};
  g.ask_for_passwords();
  EXPECT_EQ(g.first(alice_guessing).status(), 401) << "its token is taken once, not again after the wait";
  auto client = g.w.client();
  EXPECT_EQ(client.get("/", alice_guessing).status(), 429);
}

// ── connections ───────────────────────────────────────────────────────────────────────────────

TEST(Connections, OfOneClientHaveALimit) {
  Guarded g;
  g.w.plan.amend = [](proxy::Snapshot& s) { s.listeners["web"].max_connections_per_client = 2; };
  g.w.publish();
  auto first = g.w.client(), second = g.w.client(), third = g.w.client();
  third.is_closed();
  first.gets_nothing();
  EXPECT_EQ(g.w.count("portolan_client_connections_refused_total"), 1u);
  second.closes();
  g.w.settle();
  auto fourth = g.w.client();
  fourth.gets_nothing();
  g.w.client().is_closed();
  first.closes();
  fourth.closes();
  g.w.settle();
}

TEST(Connections, OfTrustedProxiesHaveNone) {
  Guarded g({"127.0.0.1"});
  g.w.plan.amend = [](proxy::Snapshot& s) { s.listeners["web"].max_connections_per_client = 1; };
  g.w.publish();
  auto first = g.w.client(), second = g.w.client();
  first.gets_nothing();
  second.gets_nothing();
}

TEST(Connections, AreThoseOfTheClientThatThePROXYProtocolNames) {
  Guarded g({"127.0.0.1"});
  g.w.plan.proxy_protocol = true;
  g.w.plan.amend = [](proxy::Snapshot& s) { s.listeners["web"].max_connections_per_client = 1; };
  g.w.publish();
  std::string from = "PROXY TCP4 192.0.2.1 192.0.2.9 1234 80\r\n";
  auto first = g.w.client();
  first.sends(from);
  first.gets_nothing();
  auto second = g.w.client();
  second.sends(from);
  second.is_closed();
  auto other = g.w.client();
  other.sends("PROXY TCP4 192.0.2.2 192.0.2.9 1234 80\r\n");
  other.gets_nothing();
  first.closes();
  g.w.settle();
  auto again = g.w.client();
  again.sends(from);
  again.gets_nothing();
}

}  // namespace
}  // namespace portolan::scenario
