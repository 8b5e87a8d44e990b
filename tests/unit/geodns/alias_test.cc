// ALIAS targets over time: what is learnt, when it is asked again, and that a failure unlearns nothing.
#include "geodns/alias.hh"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "core/base/log.hh"
#include "core/loop/listener.hh"
#include "tests/unit/core/dns/packets.hh"

namespace portolan::geodns {
namespace {

using dns::test::Packet;

// A name server whose answers the test sets.
class Upstream {
 public:
  explicit Upstream(loop::Worker& worker) {
    auto any_port = *SocketAddress::parse("127.0.0.1:1");
    any_port.port = 0;
    fd_ = std::move(*loop::open_datagram(any_port));
    sockaddr_storage storage;
    socklen_t length = sizeof storage;
    ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&storage), &length);
    address = SocketAddress::from(reinterpret_cast<sockaddr*>(&storage), length);
    event_.emplace(worker, fd_.get(), loop::SocketEvent::Mode::level_read, this,
                   &loop::Calls<&Upstream::on_query>::call);
  }
  SocketAddress address;
  unsigned rcode = 0;
  bool knows_v6 = true;  // else SERVFAIL
  std::string v4, v6;    // wire form; empty: NODATA
  int queries = 0;

 private:
  void on_query(loop::Ready) {
    uint8_t buffer[512];
    sockaddr_storage peer;
    socklen_t length = sizeof peer;
    const ssize_t n = ::recvfrom(fd_.get(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&peer), &length);
    if (n < 12) return;
    queries++;
    size_t end = 12;
    while (buffer[end] != 0) end += 1u + buffer[end];
    const unsigned type = dns::load16(buffer + end + 1);
    const std::string& data = type == dns::type_aaaa ? v6 : v4;
    const unsigned rcode = type == dns::type_aaaa && !knows_v6 ? 2 : this->rcode;
    Packet p(buffer, buffer + end + 5);
    dns::store16(&p[2], 0x8180 | rcode);
    dns::store16(&p[6], data.empty() || rcode != 0 ? 0 : 1);
    dns::store16(&p[8], 0);
    dns::store16(&p[10], 0);
    if (!data.empty() && rcode == 0) {
      dns::test::put16(p, 0xc00c);
      dns::test::put16(p, type);
      dns::test::put16(p, 1);
      dns::test::put32(p, 60);
      dns::test::put16(p, static_cast<unsigned>(data.size()));
      dns::test::put(p, data);
    }
    ::sendto(fd_.get(), p.data(), p.size(), 0, reinterpret_cast<sockaddr*>(&peer), length);
  }
  UniqueFd fd_;
  std::optional<loop::SocketEvent> event_;
};

class Aliases : public testing::Test {
 protected:
  Aliases() {
    loop::ResolverConfig config;
    config.nameservers = {upstream.address};
    config.attempts = 1;
    resolver.emplace(worker, config);
    keeper.emplace(worker, *resolver, [this] { changes++; });
  }
  // Turns until `done`, in real time; the keeper's timers stand on the fake clock.
  template <class Done>
  void until(Done done) {
    for (int i = 0; i < 400 && !done(); i++) worker.turn(10);
    EXPECT_TRUE(done());
  }
  const AliasAddresses now() { return keeper->table()->addresses.at(0); }

  FakeClock clock;
  metrics::Registry registry;
  loop::Worker worker{0, "test", clock, 7, registry.add_shard()};
  Upstream upstream{worker};
  int changes = 0;
  std::optional<loop::Resolver> resolver;
  std::optional<AliasKeeper> keeper;
};

TEST_F(Aliases, AreLearntAndAskedAgainByTtl) {
  upstream.v4 = "\1\2\3\4";
  keeper->follow({{"origin.test.", "www.example.com", "example.com"}});
  EXPECT_FALSE(now().known[0] || now().known[1]);
  until([&] { return changes == 1; });
  EXPECT_EQ(now().v4, Addresses{"\1\2\3\4"});
  EXPECT_TRUE(now().v6.empty());
  EXPECT_TRUE(now().known[1]) << "that there is nothing";
  EXPECT_EQ(now().ttl_s, 30u) << "so that nobody keeps it for longer than its 60 s";
  const int asked = upstream.queries;
  upstream.v6 = std::string(16, '\7');
  clock.advance_ms(29'000);
  worker.turn(0);
  worker.turn(20);
  EXPECT_EQ(upstream.queries, asked) << "not before half of its TTL has passed";
  clock.advance_ms(2'000);
  until([&] { return changes == 2; });
  EXPECT_EQ(now().v6, Addresses{std::string(16, '\7')});
}

TEST_F(Aliases, AFailureUnlearnsNothing) {
  upstream.v4 = "\1\2\3\4";
  keeper->follow({{"origin.test.", "www.example.com", "example.com"}});
  until([&] { return changes == 1; });
  for (unsigned rcode : {2u, 3u, 5u}) {
    const int asked = upstream.queries;
    upstream.rcode = rcode;
    clock.advance_ms(61'000);
    until([&] { return upstream.queries >= asked + 2; });
    for (int i = 0; i < 5; i++) worker.turn(5);
    EXPECT_EQ(now().v4, Addresses{"\1\2\3\4"}) << rcode;
  }
  upstream.rcode = 0;
  upstream.v4 = "";
  const int asked = upstream.queries;
  clock.advance_ms(61'000);
  until([&] { return upstream.queries >= asked + 2; });
  for (int i = 0; i < 5; i++) worker.turn(5);
  EXPECT_EQ(now().v4, Addresses{"\1\2\3\4"}) << "nothing of either family is no reason to go dark";
  EXPECT_EQ(changes, 1);
  upstream.v4 = "\5\6\7\10";
  clock.advance_ms(61'000);
  until([&] { return changes == 2; });
  EXPECT_EQ(now().v4, Addresses{"\5\6\7\10"});
}

std::string logged;

// Which record, of which zone, and why; once until it is well again.
TEST_F(Aliases, AFailureIsToldWithItsRecordAndReason) {
  logged.clear();
  log::set_sink([](std::string_view line) { logged += line; });
  upstream.v4 = "\1\2\3\4";
  keeper->follow({{"origin.test.", "www.example.com", "example.com"}});
  until([&] { return changes == 1; });
  const int64_t good_ms = clock.wall_ms();
  ASSERT_EQ(keeper->reports().size(), 1u);
  EXPECT_EQ(keeper->reports()[0].addresses, std::vector<std::string>{"1.2.3.4"});
  EXPECT_EQ(keeper->reports()[0].failing_ms, 0);
  EXPECT_EQ(logged, "");
  upstream.rcode = 3;
  for (int i = 0; i < 2; i++) {
    const int asked = upstream.queries;
    clock.advance_ms(61'000);
    until([&] { return upstream.queries >= asked + 2; });
    for (int turn = 0; turn < 5; turn++) worker.turn(5);
  }
  const AliasKeeper::Report failing = keeper->reports()[0];
  EXPECT_EQ(failing.addresses, std::vector<std::string>{"1.2.3.4"});
  EXPECT_EQ(failing.good_ms, good_ms);
  EXPECT_EQ(failing.failing_ms, good_ms + 61'000);
  EXPECT_NE(failing.reason.find("cannot resolve origin.test.: "), std::string::npos) << failing.reason;
  EXPECT_EQ(logged.find("record=www.example.com zone=example.com reason=\"cannot resolve origin.test.: "),
            logged.rfind("record="))
      << logged;
  EXPECT_NE(logged.find("record="), std::string::npos) << logged;
  upstream.rcode = 0;
  clock.advance_ms(61'000);
  until([&] { return keeper->reports()[0].failing_ms == 0; });
  EXPECT_EQ(keeper->reports()[0].reason, "");
  EXPECT_NE(logged.find("can be resolved again"), std::string::npos) << logged;
  log::set_sink(nullptr);
}

// A failure is no "there is none".
TEST_F(Aliases, EachFamilyIsKnownByItself) {
  upstream.v4 = "\1\2\3\4";
  upstream.knows_v6 = false;
  keeper->follow({{"origin.test.", "www.example.com", "example.com"}});
  until([&] { return changes == 1; });
  EXPECT_TRUE(now().known[0]);
  EXPECT_FALSE(now().known[1]);
  upstream.knows_v6 = true;
  clock.advance_ms(AliasKeeper::retry_ms + 1000);
  until([&] { return changes == 2; });
  EXPECT_TRUE(now().known[1]);
}

TEST_F(Aliases, StayAsTheyAreOverAReload) {
  upstream.v4 = "\1\2\3\4";
  keeper->follow({{"origin.test.", "www.example.com", "example.com"}});
  until([&] { return changes == 1; });
  keeper->follow({{"new.test.", {}, {}}, {"origin.test.", {}, {}}});
  EXPECT_FALSE(keeper->table()->addresses[0].known[0]);
  EXPECT_TRUE(keeper->table()->addresses[1].known[0]);
}

}  // namespace
}  // namespace portolan::geodns
