// Following another Portolan, on real sockets; and the report it sends.
#include "core/health/peer.hh"

#include <gtest/gtest.h>

#include "core/base/log.hh"
#include "core/health/monitor.hh"
#include "tests/unit/core/client/tiny_server.hh"

namespace portolan::health {
namespace {

using testing::run_until;
using testing::TinyServer;

TEST(Report, IsReadAsItWasWritten) {
  Report r{"edge-1", "us-east", 12, true, {{"app", {2, 3, 0.67, State::up}}, {"db", {0, 1, 0, State::down}}}};
  EXPECT_EQ(to_json(r),
            "{\"datacenter\":\"us-east\",\"draining\":true,\"pools\":{\"app\":{\"of\":3,\"share\":0.67,"
            "\"state\":\"up\",\"up\":2},\"db\":{\"of\":1,\"share\":0.0,\"state\":\"down\",\"up\":0}},"
            "\"server\":\"edge-1\",\"version\":12}");
  auto read = parse_report(to_json(r));
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_TRUE(read->says_as(r));
  EXPECT_EQ(read->version, 12u);
}

TEST(Report, ToleratesWhatItDoesNotKnow) {
  auto r = parse_report(R"({"pools":{"app":{"up":1,"of":1,"state":"up","lag_ms":5}},"region":"x","draining":7})");
  ASSERT_TRUE(r) << r.error().text;
  EXPECT_EQ(r->pools.at("app").up, 1);
  EXPECT_FALSE(r->draining);
}

TEST(Report, RefusesWhatIsNone) {
  for (const char* text :
       {"", "[]", "{}", "null", "{\"pools\":[]}", "{\"pools\":{\"app\":1}}", "{\"pools\":{}", "\xff\xfe"}) {
    auto r = parse_report(text);
    EXPECT_FALSE(r) << text;
  }
}

// A monitor that knows one service by a peer, and the peer.
class PeerTest : public ::testing::Test {
 protected:
  static constexpr int64_t interval_ms = 200;
  PeerTest() {
    log::set_sink([](std::string_view) {});
  }
  ~PeerTest() override { log::set_sink(nullptr); }

  void watch(const std::string& authority, MinUp min_up = {}) {
    SiteSpec s;
    s.datacenter = "us-west";
    s.kind = SiteSpec::Kind::peer;
    s.peer = "http://" + authority;
    s.pool = "app";
    s.min_up = min_up;
    s.check.interval_ms = interval_ms;
    s.check.timeout_ms = 100;
    s.check.rise = 2;
    s.check.fall = 3;
    monitor_.apply({{}, {{"web", {s}}}, {}});
  }
  const Health& site() { return monitor_.board()->services.at("web").at(0).health; }
  bool becomes(State s) {
    return run_until(worker_, [&] { return site().state == s; });
  }
  static std::string line(int up, int of, bool draining = false) {
    Report r{"edge-2", "us-west", 1, draining, {}};
    r.pools["app"] = {up, of, static_cast<double>(up) / of, up > 0 ? State::up : State::down};
    return to_json(r) + "\n";
  }
  static std::string chunk(const std::string& text) {
    char size[32];
    snprintf(size, sizeof size, "%zx\r\n", text.size());
    return size + text + "\r\n";
  }
  // Begins every watch with this line.
  void peer_says(TinyServer& peer, const std::string& first) {
    peer.on_bytes = [first](TinyServer::Connection& c) {
      if (c.received.ends_with("\r\n\r\n"))
        c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(first));
    };
  }
  int64_t now() { return clock_.now_ms(); }

  SystemClock clock_;
  metrics::Shard shard_;
  loop::Worker worker_{0, "test", clock_, 1, shard_};
  Monitor monitor_{
      worker_,
      {[](const std::string&, IpAddress::Family, loop::Resolver::Callback) { return std::shared_ptr<void>(); }},
      [](std::shared_ptr<const Board>) {}};
};

TEST_F(PeerTest, ASiteFollowsThePoolOfItsPeer) {
  TinyServer peer(worker_);
  peer_says(peer, line(2, 3));
  watch(peer.address().to_string());
  EXPECT_EQ(site().state, State::unknown);
  EXPECT_TRUE(becomes(State::up));
  EXPECT_EQ(site().reason, "peer edge-2: 2 of 3 servers of pool app serve");
  EXPECT_TRUE(peer.connections.front()->received.starts_with("GET /health?watch=1&heartbeat_ms=100 HTTP/1.1\r\n"));
  peer.connections.front()->send(chunk(line(0, 3)));
  EXPECT_TRUE(becomes(State::down));
  EXPECT_EQ(peer.accepted, 1);
  peer.connections.front()->send(chunk(line(1, 3)));
  EXPECT_TRUE(becomes(State::up));
}

TEST_F(PeerTest, LinesMayComeInPieces) {
  TinyServer peer(worker_);
  peer_says(peer, line(1, 1));
  watch(peer.address().to_string());
  EXPECT_TRUE(becomes(State::up));
  std::string next = line(0, 1);
  auto& c = *peer.connections.front();
  for (char byte : next) c.send(chunk(std::string(1, byte)));
  EXPECT_TRUE(becomes(State::down));
  EXPECT_EQ(site().reason, "peer edge-2: 0 of 1 servers of pool app serve");
}

TEST_F(PeerTest, MinUpHoldsForPeersToo) {
  TinyServer peer(worker_);
  peer_says(peer, line(1, 3));
  watch(peer.address().to_string(), {50, 0});
  EXPECT_TRUE(becomes(State::down));
  peer.connections.front()->send(chunk(line(2, 3)));
  EXPECT_TRUE(becomes(State::up));
}

TEST_F(PeerTest, ADrainedPeerDrainsItsSite) {
  TinyServer peer(worker_);
  peer_says(peer, line(3, 3, true));
  watch(peer.address().to_string());
  EXPECT_TRUE(becomes(State::draining));
  EXPECT_EQ(site().reason, "drained at peer edge-2");
}

TEST_F(PeerTest, APoolThePeerDoesNotHaveIsDown) {
  TinyServer peer(worker_);
  peer_says(peer, "{\"server\":\"edge-2\",\"pools\":{}}\n");
  watch(peer.address().to_string());
  EXPECT_TRUE(becomes(State::down));
  EXPECT_EQ(site().reason, "peer edge-2 has no pool app");
}

TEST_F(PeerTest, ADeadPeerIsDownWithinIntervalTimesFall) {
  auto peer = std::make_unique<TinyServer>(worker_);
  peer_says(*peer, line(1, 1));
  watch(peer->address().to_string());
  EXPECT_TRUE(becomes(State::up));
  int64_t begin = now();
  peer->stop();
  EXPECT_TRUE(becomes(State::down));
  EXPECT_LE(now() - begin, interval_ms * 3 + 500);
  EXPECT_EQ(site().reason, "peer: connection refused");
}

TEST_F(PeerTest, AFrozenPeerIsDownWithinIntervalTimesFallAndComesBack) {
  TinyServer peer(worker_);
  peer_says(peer, line(1, 1));
  watch(peer.address().to_string());
  EXPECT_TRUE(becomes(State::up));
  peer.on_bytes = nullptr;  // accepts, and says no word
  int64_t begin = now();
  EXPECT_TRUE(becomes(State::down));
  EXPECT_LE(now() - begin, interval_ms * 3 + 500);
  EXPECT_GE(now() - begin, interval_ms);
  peer_says(peer, line(1, 1) + line(1, 1));
  EXPECT_TRUE(becomes(State::up));
}

TEST_F(PeerTest, OneThatWasDownIsBelievedAfterRiseLines) {
  TinyServer peer(worker_);
  peer.answers("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
  watch(peer.address().to_string());
  EXPECT_TRUE(becomes(State::down));
  EXPECT_EQ(site().reason, "peer: HTTP 503");
  peer_says(peer, line(1, 1));
  int accepted = peer.accepted;
  EXPECT_TRUE(run_until(worker_, [&] { return peer.accepted > accepted; }));
  auto& c = *peer.connections.back();
  EXPECT_TRUE(run_until(worker_, [&] { return !c.received.empty(); }));
  for (int i = 0; i < 5; ++i) worker_.turn(5);
  EXPECT_EQ(site().state, State::down);
  c.send(chunk(line(1, 1)));
  EXPECT_TRUE(becomes(State::up));
}

TEST_F(PeerTest, NonsenseCountsAsFailure) {
  TinyServer peer(worker_);
  peer_says(peer, "hello\n");
  watch(peer.address().to_string());
  EXPECT_TRUE(becomes(State::down));
  EXPECT_EQ(site().reason, "peer: its report is unreadable: not a JSON object");
}

TEST_F(PeerTest, AReloadKeepsTheConnection) {
  TinyServer peer(worker_);
  peer_says(peer, line(1, 1));
  watch(peer.address().to_string());
  EXPECT_TRUE(becomes(State::up));
  watch(peer.address().to_string(), {0, 2});
  EXPECT_EQ(site().state, State::down);
  EXPECT_EQ(peer.accepted, 1);
  EXPECT_TRUE(peer.connections.front()->open());
}

}  // namespace
}  // namespace portolan::health
