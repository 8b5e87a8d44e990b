#include "daemon/admin.hh"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "core/client/client.hh"
#include "tests/unit/core/client/tiny_server.hh"
#include "tests/unit/daemon/backend.hh"

namespace portolan::daemon {
namespace {

using nlohmann::json;
using testing::run_until;

class AdminTest : public ::testing::Test {
 protected:
  struct OpenDoor {
    UniqueFd fd;
    SocketAddress address;
  };
  OpenDoor open(Admin::Door door, std::vector<IpNetwork> allow = {}) {
    auto fd = loop::open_listener({IpAddress::v4(127, 0, 0, 1), 0, {}});
    EXPECT_TRUE(fd);
    admin_.listen(fd->get(), door, std::move(allow));
    SocketAddress address = loop::local_address(fd->get());
    return {std::move(*fd), address};
  }
  client::Response ask(const SocketAddress& to, const std::string& method, const std::string& target,
                       const std::string& body = "",
                       const std::vector<std::pair<std::string, std::string>>& fields = {},
                       const std::string& host = "") {
    client::Request request;
    request.to = to;
    request.method = method;
    request.target = target;
    request.body = body;
    request.fields = fields;
    request.host = host;
    std::optional<Result<client::Response>> result;
    auto call = client::send(worker_, std::move(request), [&](Result<client::Response> r) { result = std::move(r); });
    EXPECT_TRUE(run_until(worker_, [&] { return result.has_value(); }));
    if (result && *result) return **result;
    ADD_FAILURE() << (result ? result->error().text : "no answer");
    return {};
  }
  client::Response get(const std::string& target) { return ask(control_.address, "GET", target); }
  client::Response post(const std::string& target, const json& body) {
    return ask(control_.address, "POST", target, body.dump());
  }
  // Raw bytes in, all that comes back until the server closes.
  std::string says(const std::string& bytes) {
    struct Talk final : loop::StreamHandler {
      void on_ready() override {}
    } talk;
    auto stream = loop::Stream::connect(worker_, control_.address, talk);
    EXPECT_TRUE(stream);
    Body out;
    out.append(Slice::copy_of(bytes));
    std::string got;
    run_until(worker_, [&] {
      if ((*stream)->connected() != loop::Io::done) return false;
      (*stream)->write(out);
      char buffer[4096];
      size_t n = 0;
      loop::Io io;
      while ((io = (*stream)->read(buffer, sizeof buffer, n)) == loop::Io::done) got.append(buffer, n);
      return io != loop::Io::would_block;
    });
    return got;
  }

  SystemClock clock_;
  metrics::Shard shard_;
  loop::Worker worker_{0, "control", clock_, 1, shard_};
  FakeBackend backend_;
  Admin admin_{worker_, backend_};
  OpenDoor control_ = open(Admin::Door::control);
};

TEST_F(AdminTest, StatusIsJson) {
  backend_.report.server = "edge-1";
  backend_.report.workers = 2;
  backend_.report.listeners = {{"http", "0.0.0.0:80", 3, 40}};
  auto r = get("/status");
  EXPECT_EQ(r.status, 200);
  EXPECT_EQ(r.field("content-type"), "application/json");
  json j = json::parse(r.body);
  EXPECT_EQ(j["server"], "edge-1");
  EXPECT_EQ(j["listeners"][0]["requests"], 40);
}

TEST_F(AdminTest, MetricsAndReadiness) {
  EXPECT_EQ(get("/metrics").body, "portolan_requests_total 7\n");
  EXPECT_EQ(get("/ready").status, 200);
  backend_.is_ready = false;
  auto r = get("/ready");
  EXPECT_EQ(r.status, 503);
  EXPECT_EQ(r.body, "not ready: no listener is open yet\n");
  EXPECT_TRUE(backend_.calls.empty());
  EXPECT_EQ(get("/ready?hold=2s").status, 503);
  EXPECT_EQ(backend_.calls, std::vector<std::string>{"hold 2000"});
  EXPECT_EQ(get("/ready?hold=2").status, 400);
}

TEST_F(AdminTest, DrainsAndEnables) {
  EXPECT_EQ(post("/drain", {{"server", {{"pool", "app"}, {"address", "127.0.0.1:8081"}}}}).status, 200);
  EXPECT_EQ(post("/enable", {{"server", {{"pool", "app"}, {"address", "127.0.0.1:8081"}}}}).status, 200);
  EXPECT_EQ(post("/drain", {{"datacenter", "us-east"}}).status, 200);
  EXPECT_EQ(post("/enable", {{"datacenter", "us-east"}}).status, 200);
  EXPECT_EQ(post("/drain", {{"node", true}}).status, 200);
  EXPECT_EQ(backend_.calls, (std::vector<std::string>{"drain app 127.0.0.1:8081", "enable app 127.0.0.1:8081",
                                                      "drain us-east", "enable us-east", "drain node"}));
  auto unknown = post("/drain", {{"server", {{"pool", "ap"}, {"address", "x"}}}});
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(json::parse(unknown.body)["error"], "no pool ap; there are: app");
}

TEST_F(AdminTest, BodiesThatAreNotUnderstoodAreRefused) {
  for (const char* body : {"", "{", "[]", "{}", "7", "{\"server\":\"app\"}", "{\"server\":{\"pool\":\"app\"}}",
                           "{\"datacenter\":7}", "{\"node\":false}", "{\"node\":\"true\"}"})
    EXPECT_EQ(ask(control_.address, "POST", "/drain", body).status, 400) << body;
  for (const char* body : {"", "{}", "[]", "{\"url\":[]}", "{\"url\":7}", "{\"tags\":[7]}", "{\"tagz\":\"a\"}",
                           "{\"soft\":true}", "{\"all\":false}", "{\"all\":\"yes\"}", "{\"tag\":\"a\",\"cache\":\"\"}",
                           "{\"url\":\"nonsense\"}", "{\"tags\":[\"a\",\"\"]}", "{\"tag\":\"\xff\"}"})
    EXPECT_EQ(ask(control_.address, "POST", "/purge", body).status, 400) << body;
  EXPECT_TRUE(backend_.calls.empty());
}

TEST_F(AdminTest, Purges) {
  auto r = post("/purge", {{"url", "http://WWW.example.com:80/a"}});
  EXPECT_EQ(r.status, 200);
  EXPECT_EQ(json::parse(r.body), json::parse(R"({"purged":3, "caches":{"edge":{"number":7}}})"));
  r = post("/purge", {{"urls", {"http://a.test/", "https://b.test"}},
                      {"prefix", "a.test/x"},
                      {"hosts", {"a.test"}},
                      {"tags", {"t", "u"}},
                      {"all", true},
                      {"soft", true},
                      {"cache", "edge"}});
  EXPECT_EQ(r.status, 200);
  EXPECT_EQ(post("/purge", {{"tag", "t"}, {"cache", "other"}}).status, 404);
  EXPECT_EQ(post("/purge", {{"tags", std::vector<std::string>(1001, "t")}}).status, 400);
  r = ask(control_.address, "PURGE", "/a?b", "", {}, "www.example.com");
  EXPECT_EQ(r.status, 200);
  ASSERT_EQ(backend_.calls.size(), 4u);
  EXPECT_EQ(backend_.calls[0], R"(purge {"urls":["http://www.example.com/a"]})");
  EXPECT_EQ(
      backend_.calls[1],
      R"(purge {"all":true,"cache":"edge","hosts":["a.test"],"prefixes":["a.test/x"],"soft":true,"tags":["t","u"],)"
      R"("urls":["http://a.test/","https://b.test/"]})");
  EXPECT_EQ(backend_.calls[3], R"(purge {"urls":["http://www.example.com/a?b","https://www.example.com/a?b"]})");
  EXPECT_EQ(backend_.who, "127.0.0.1");
}

TEST_F(AdminTest, WhoHasATokenMayPurgeAndNothingElse) {
  NewPurgeToken made = new_purge_token("shop");
  std::vector<std::string> errors;
  PurgeConfig config;
  config.rate = {2, 1'000'000};
  config.burst = 3;
  admin_.purge_access().use(PurgeTokens::parse("# ours\n" + made.line + "\n", "f", errors), config);
  EXPECT_TRUE(errors.empty());
  OpenDoor door = open(Admin::Door::purge);
  std::vector<std::pair<std::string, std::string>> token{{"Authorization", "Bearer " + made.token}};
  auto purge = [&](const std::string& body, const auto& fields) {
    return ask(door.address, "POST", "/purge", body, fields);
  };
  for (const std::string& wrong :
       {std::string(), "Basic " + made.token, "Bearer " + made.token + "x", std::string("Bearer "),
        "Bearer " + made.token.substr(1), "Bearer " + made.line.substr(5)}) {
    auto r = purge(R"({"tag":"t"})", std::vector<std::pair<std::string, std::string>>{{"Authorization", wrong}});
    EXPECT_EQ(r.status, 401) << wrong;
    EXPECT_EQ(r.field("www-authenticate"), "Bearer");
  }
  for (const char* path : {"/status", "/metrics", "/cache", "/cache/urls", "/health", "/ready"})
    EXPECT_EQ(ask(door.address, "GET", path, "", token).status, 404) << path;
  for (const char* path : {"/reload", "/drain", "/enable", "/explain"})
    EXPECT_EQ(ask(door.address, "POST", path, R"({"node":true})", token).status, 404) << path;
  EXPECT_TRUE(backend_.calls.empty());
  EXPECT_EQ(purge("{", token).status, 400);
  EXPECT_EQ(purge(R"({"tag":"t"})", token).status, 200);
  EXPECT_EQ(backend_.who, "token shop from 127.0.0.1");
  EXPECT_EQ(ask(door.address, "PURGE", "/a", "", token).status, 200) << "two: by http and https";
  auto r = purge(R"({"tags":["a","b"]})", token);
  EXPECT_EQ(r.status, 429);
  EXPECT_EQ(r.field("retry-after"), "1");
  EXPECT_EQ(backend_.calls.size(), 2u);
  admin_.purge_access().use(nullptr, {});
  EXPECT_EQ(purge(R"({"tag":"t"})", token).status, 401);
}

TEST(PurgeAccess, AFileOfTokensIsReadOrItsMistakesAreTold) {
  std::vector<std::string> errors;
  std::string good = new_purge_token("a").line;
  PurgeTokens::parse("nonsense\nx y:ab\na:12\n" + good + " # ours\r\n\n" + good + "\n:", "f", errors);
  ASSERT_EQ(errors.size(), 5u);
  EXPECT_EQ(errors[0],
            "f:1: the hash of nonsense is not a SHA-256 of 64 hexadecimal digits; make the line with `portolan "
            "purge-token nonsense`");
  EXPECT_EQ(errors[1], "f:2: not NAME:HASH; make the line with `portolan purge-token NAME`");
  EXPECT_EQ(errors[3], "f:6: a second a; give it another name");
  errors.clear();
  // So the last one can be taken away.
  EXPECT_EQ(PurgeTokens::parse("# none\n", "f", errors)->size(), 0u);
  EXPECT_TRUE(errors.empty());
  EXPECT_EQ(PurgeTokens::parse("", "f", errors)->find(std::string(40, 'x')), "");
  // As sha256sum writes them, for who makes tokens otherwise.
  auto tokens = PurgeTokens::parse("a:2C26B46B68FFC68FF99B453C1D30413413422D706483BFA0F98A5E886266E7AE", "f", errors);
  EXPECT_TRUE(errors.empty());
  EXPECT_EQ(tokens->find("foo"), "") << "too short to be a secret";
}

TEST(PurgeAccess, BucketsFillAtTheirRate) {
  PurgeConfig config;
  config.rate = {10, 1'000'000};
  PurgeAccess access;
  access.use(nullptr, config);
  EXPECT_EQ(access.take("a", 10, 0), 0);
  EXPECT_EQ(access.take("a", 1, 0), 100);
  EXPECT_EQ(access.take("b", 1, 0), 0) << "another's bucket";
  EXPECT_EQ(access.take("a", 1, 100), 0);
  EXPECT_EQ(access.take("a", 25, 1'100), 0) << "more than ever fit, from a full one";
  EXPECT_EQ(access.take("a", 1, 1'100), 1'600);
  access.use(nullptr, config);
  EXPECT_EQ(access.take("a", 1, 2'000), 700) << "a reload fills nothing";
}

TEST_F(AdminTest, TurnsMaintenanceOnAndOff) {
  auto r = post("/maintenance", {{"on", true}, {"route", "shop"}});
  EXPECT_EQ(r.status, 200);
  EXPECT_EQ(json::parse(r.body)["routes"], json::array({"shop"}));
  EXPECT_EQ(post("/maintenance", {{"on", false}}).status, 200);
  auto unknown = post("/maintenance", {{"on", true}, {"route", "nowhere"}});
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(json::parse(unknown.body)["error"], "no route nowhere has maintenance; there are: shop");
  for (const char* body : {"", "[]", "{}", "{\"on\":1}", "{\"route\":\"shop\"}", "{\"on\":true,\"route\":7}"})
    EXPECT_EQ(ask(control_.address, "POST", "/maintenance", body).status, 400) << body;
  EXPECT_EQ(backend_.calls,
            (std::vector<std::string>{"maintenance on shop", "maintenance off ", "maintenance on nowhere"}));
}

TEST_F(AdminTest, Explains) {
  auto r = post("/explain", {{"method", "GET"}, {"url", "http://a/"}, {"headers", {"X: 1"}}});
  EXPECT_EQ(r.status, 200);
  EXPECT_EQ(r.body, "route      any\n");
  EXPECT_EQ(post("/explain", {{"url", "nonsense"}}).status, 400);
  EXPECT_EQ(post("/explain/dns", {{"name", "www.example.com"}, {"from", "192.0.2.1"}}).status, 200);
  EXPECT_EQ(backend_.calls.back(), "explain dns www.example.com A from 192.0.2.1");
  EXPECT_EQ(post("/explain/dns", {{"name", "www.example.com"}, {"type", "MX"}}).status, 400);
  EXPECT_EQ(post("/explain/dns", {{"type", "A"}}).status, 400);
  EXPECT_EQ(post("/explain", {{"urls", "http://a/"}}).status, 400);
}

TEST_F(AdminTest, TellsOfTheCaches) {
  backend_.counts.caches = {{"edge", {}}};
  EXPECT_EQ(json::parse(get("/cache").body)["caches"][0]["name"], "edge");
  EXPECT_EQ(get("/cache?format=text").body, to_text(backend_.counts));
  backend_.segments.caches = {{"edge", {{edge::disk::SegmentReport::Kind::main, true, 0, 1, 2}}}};
  EXPECT_EQ(get("/cache/segments").body, to_json(backend_.segments) + "\n");
  EXPECT_EQ(get("/cache/segments?format=text").body, to_text(backend_.segments));
  EXPECT_EQ(get("/cache/top?n=7").status, 200);
  for (const char* bad : {"0", "1001", "x", "7x", "-1", "99999999999999999999"})
    EXPECT_EQ(get(std::string("/cache/top?n=") + bad).status, 400) << bad;
  EXPECT_EQ(post("/cache/inspect", {{"url", "http://a/"}}).status, 200);
  EXPECT_EQ(post("/cache/inspect", {{"url", "nonsense"}}).status, 400);
  EXPECT_EQ(post("/cache/inspect", {{"urls", "http://a/"}}).status, 400);
  EXPECT_EQ(get("/cache/inspect").status, 405);
  EXPECT_EQ(backend_.calls.at(0), "top 7");
}

TEST_F(AdminTest, SignsUrls) {
  auto r = post("/sign-urls", {{"urls", {"http://a/1", "http://a/2"}}, {"listener", "web"}});
  EXPECT_EQ(r.status, 200);
  EXPECT_EQ(json::parse(r.body), json::parse(R"({"urls":["http://a/1?signed", "http://a/2?signed"]})"));
  EXPECT_EQ(post("/sign-urls", {{"urls", "http://a/1"}}).status, 400);
  EXPECT_EQ(get("/sign-urls").status, 405);
}

TEST_F(AdminTest, BeginsAndTellsOfAVerification) {
  EXPECT_EQ(post("/cache/verify", {}).status, 409);
  backend_.checks = {{3, true, {{"edge", 1, 4, "", nullptr}}}};
  auto r = ask(control_.address, "POST", "/cache/verify?cache=edge");
  EXPECT_EQ(r.status, 200);
  EXPECT_EQ(r.body, to_json(backend_.checks[0], false) + "\n");
  EXPECT_EQ(ask(control_.address, "POST", "/cache/verify?cache=none").status, 404);
  edge::disk::VerifyReport report;
  report.segments.resize(1);
  backend_.checks = {{3, false, {{"edge", 4, 4, "", std::make_shared<const edge::disk::VerifyReport>(report)}}}};
  EXPECT_EQ(get("/cache/verify").body, to_json(backend_.checks[0], false) + "\n");
  EXPECT_EQ(get("/cache/verify?segments=1").body, to_json(backend_.checks[0], true) + "\n");
  r = ask(control_.address, "DELETE", "/cache/verify");
  EXPECT_EQ(r.status, 405);
  EXPECT_EQ(r.field("allow"), "GET, HEAD, POST");
  EXPECT_EQ(json::parse(r.body)["error"], "/cache/verify takes GET and POST");
  EXPECT_EQ(backend_.calls, (std::vector<std::string>{"check ", "check edge", "check none"}));
}

TEST_F(AdminTest, ReloadsAndTellsEveryError) {
  EXPECT_EQ(post("/reload", nullptr).status, 200);
  backend_.errors = {"a.toml:1:2: unknown key", "a.toml:3:4: no such pool"};
  auto r = post("/reload", nullptr);
  EXPECT_EQ(r.status, 422);
  EXPECT_EQ(json::parse(r.body)["errors"], json(backend_.errors));
}

TEST_F(AdminTest, AReloadMayTakeItsTimeAndItsAskerMayLeave) {
  backend_.reload_later = true;
  client::Request request;
  request.to = control_.address;
  request.method = "POST";
  request.target = "/reload";
  std::optional<int> status;
  auto stays = client::send(worker_, request, [&](auto r) { status = r ? r->status : -1; });
  auto leaves = client::send(worker_, request, [&](auto) { FAIL(); });
  EXPECT_TRUE(run_until(worker_, [&] { return backend_.waiting.size() == 2; }));
  leaves.reset();
  for (int i = 0; i < 3; ++i) worker_.turn(5);
  for (auto& done : backend_.waiting) done({});
  EXPECT_TRUE(run_until(worker_, [&] { return status.has_value(); }));
  EXPECT_EQ(*status, 200);
  EXPECT_TRUE(run_until(worker_, [&] { return admin_.connections() == 0; }));
}

TEST_F(AdminTest, EachDoorShowsItsPartOnly) {
  auto metrics = open(Admin::Door::metrics);
  auto peers = open(Admin::Door::peers);
  for (const char* path : {"/metrics", "/ready", "/health"})
    EXPECT_EQ(ask(metrics.address, "GET", path).status, 200) << path;
  EXPECT_EQ(ask(peers.address, "GET", "/health").status, 200);
  for (const char* path : {"/metrics", "/ready", "/status"})
    EXPECT_EQ(ask(peers.address, "GET", path).status, 404) << path;
  for (const char* path : {"/status", "/cache", "/cache/top", "/cache/urls"})
    EXPECT_EQ(ask(metrics.address, "GET", path).status, 404) << path;
  for (const char* path : {"/reload", "/drain", "/enable", "/purge", "/maintenance", "/explain", "/explain/dns",
                           "/cache/inspect", "/cache/verify", "/sign-urls"})
    for (const auto* door : {&metrics, &peers})
      EXPECT_EQ(ask(door->address, "POST", path, "{\"datacenter\":\"a\"}").status, 404) << path;
  EXPECT_TRUE(backend_.calls.empty());
}

TEST_F(AdminTest, MethodsAndPathsAreChecked) {
  auto r = ask(control_.address, "DELETE", "/status");
  EXPECT_EQ(r.status, 405);
  EXPECT_EQ(r.field("allow"), "GET, HEAD");
  EXPECT_EQ(get("/reload").status, 405);
  EXPECT_EQ(get("/other").status, 404);
  auto head = ask(control_.address, "HEAD", "/metrics");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");
}

TEST_F(AdminTest, StrangersAreToldAndShutOut) {
  auto closed = open(Admin::Door::peers, {*IpNetwork::parse("192.0.2.0/24")});
  auto r = ask(closed.address, "GET", "/health");
  EXPECT_EQ(r.status, 403);
  admin_.listen(closed.fd.get(), Admin::Door::peers, {*IpNetwork::parse("127.0.0.0/8")});
  EXPECT_EQ(ask(closed.address, "GET", "/health").status, 200);
}

TEST_F(AdminTest, BadRequestsAndLargeBodiesGetTheirStatus) {
  EXPECT_TRUE(says("GET /status HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(says("GARBAGE\r\n\r\n").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(
      says("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n").starts_with("HTTP/1.1 431 "));
  EXPECT_TRUE(says("POST /drain HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + std::string(200'000, 'x'))
                  .starts_with("HTTP/1.1 413 "));
  EXPECT_TRUE(run_until(worker_, [&] { return admin_.connections() == 0; }));
}

TEST_F(AdminTest, RequestsMayComeByteByByte) {
  client::Request request;
  std::string bytes = "POST /drain HTTP/1.1\r\nHost: a\r\nContent-Length: 18\r\n\r\n{\"datacenter\":\"a\"}";
  struct Talk final : loop::StreamHandler {
    void on_ready() override {}
  } talk;
  auto stream = loop::Stream::connect(worker_, control_.address, talk);
  ASSERT_TRUE(stream);
  run_until(worker_, [&] { return (*stream)->connected() == loop::Io::done; });
  for (char byte : bytes) {
    Body out;
    out.append(Slice::copy_of(std::string(1, byte)));
    (*stream)->write(out);
    worker_.turn(1);
  }
  EXPECT_TRUE(run_until(worker_, [&] { return backend_.calls.size() == 1; }));
}

// A watcher of /health.
class Watch {
 public:
  Watch(loop::Worker& worker, const SocketAddress& to, int heartbeat_ms) {
    client::Request request;
    request.to = to;
    request.target = "/health?watch=1&heartbeat_ms=" + std::to_string(heartbeat_ms);
    client::StreamCallbacks callbacks;
    callbacks.on_head = [](const http::ResponseHead& head) { EXPECT_EQ(head.status, 200); };
    callbacks.on_data = [this](std::string_view data) { text += data; };
    callbacks.on_end = [this](Status) { ended = true; };
    call = client::stream(worker, std::move(request), std::move(callbacks));
  }
  size_t lines() const { return static_cast<size_t>(std::count(text.begin(), text.end(), '\n')); }
  std::string text;
  bool ended = false;
  std::unique_ptr<client::Call> call;
};

TEST_F(AdminTest, AWatchTellsAtOnceAndAtEveryChange) {
  auto peers = open(Admin::Door::peers);
  Watch one(worker_, peers.address, 10'000), two(worker_, peers.address, 10'000);
  EXPECT_TRUE(run_until(worker_, [&] { return one.lines() == 1 && two.lines() == 1; }));
  EXPECT_EQ(one.text, health::to_json(backend_.told) + "\n");
  admin_.health_changed();
  backend_.told.pools["app"].up = 1;
  backend_.told.version = 2;
  admin_.health_changed();
  EXPECT_TRUE(run_until(worker_, [&] { return one.text.find("\"version\":2") != std::string::npos; }));
  size_t said = one.lines();
  backend_.told.version = 3;  // nothing else is new: nothing is said
  admin_.health_changed();
  backend_.told.draining = true;
  backend_.told.version = 4;
  admin_.health_changed();
  EXPECT_TRUE(run_until(worker_, [&] { return one.lines() == said + 1 && two.lines() == said + 1; }));
  EXPECT_EQ(one.text.find("\"version\":3"), std::string::npos);
}

TEST_F(AdminTest, AWatchHasAHeartbeat) {
  Watch watch(worker_, control_.address, 50);
  EXPECT_TRUE(run_until(worker_, [&] { return watch.lines() >= 4; }));
  EXPECT_FALSE(watch.ended);
}

TEST_F(AdminTest, AWatcherThatLeavesIsForgotten) {
  {
    Watch watch(worker_, control_.address, 10'000);
    EXPECT_TRUE(run_until(worker_, [&] { return watch.lines() == 1; }));
    EXPECT_EQ(admin_.connections(), 1u);
  }
  EXPECT_TRUE(run_until(worker_, [&] { return admin_.connections() == 0; }));
}

TEST_F(AdminTest, OldClientsGetOneAnswerInsteadOfAWatch) {
  std::string answer = says("GET /health?watch=1 HTTP/1.0\r\n\r\n");
  EXPECT_NE(answer.find("Content-Length: "), std::string::npos);
}

TEST_F(AdminTest, ConnectionsAreBounded) {
  struct Talk final : loop::StreamHandler {
    void on_ready() override {}
  } talk;
  std::vector<std::unique_ptr<loop::Stream>> streams;
  for (int i = 0; i < 300; ++i) {
    auto s = loop::Stream::connect(worker_, control_.address, talk);
    ASSERT_TRUE(s);
    streams.push_back(std::move(*s));
    if (i % 50 == 0) worker_.turn(1);
  }
  for (int i = 0; i < 10; ++i) worker_.turn(1);
  EXPECT_EQ(admin_.connections(), 256u);
  auto metrics = open(Admin::Door::metrics);
  EXPECT_EQ(ask(metrics.address, "GET", "/ready").status, 200);  // one door's crowd closes no other
}

}  // namespace
}  // namespace portolan::daemon
