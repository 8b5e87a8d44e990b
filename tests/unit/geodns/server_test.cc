// The server over real loopback sockets, one turn of its worker at a time.
#include "geodns/server.hh"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include "tests/unit/geodns/fixture.hh"

namespace portolan::geodns {
namespace {

using test::Ask;
using test::Packet;

Packet framed(const Packet& packet) {
  Packet p;
  test::put16(p, static_cast<unsigned>(packet.size()));
  p.insert(p.end(), packet.begin(), packet.end());
  return p;
}

Packet ask(const char* name, uint16_t id = 1, uint16_t type = dns::type_a) {
  Ask question;
  question.name = name;
  question.id = id;
  question.type = type;
  return make(question);
}

class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    std::vector<Mistake> none;
    view = build_view(test::config(), 1, none);
    server = std::make_unique<Server>(worker, view, limits);
  }

  // Opens one UDP and one TCP socket at `address`, on ports the kernel picks.
  void serve(const char* address) {
    auto u = open(address, SOCK_DGRAM), t = open(address, SOCK_STREAM);
    const Status status = server->set_sockets({u.first}, {t.first});
    ASSERT_TRUE(status) << status.error().text;
    udp = u.second;
    tcp = t.second;
  }
  std::pair<int, SocketAddress> open(const char* address, int type) {
    SocketAddress at{test::ip(address), 0, ""};
    auto fd = type == SOCK_DGRAM ? loop::open_datagram(at) : loop::open_listener(at);
    if (!fd) {
      ADD_FAILURE() << fd.error().text;
      return {-1, at};
    }
    sockaddr_storage storage;
    socklen_t length = sizeof storage;
    getsockname(fd->get(), reinterpret_cast<sockaddr*>(&storage), &length);
    fds.push_back(std::move(*fd));
    return {fds.back().get(), SocketAddress::from(reinterpret_cast<sockaddr*>(&storage), length)};
  }
  UniqueFd connect(SocketAddress to, int type) {
    UniqueFd fd(::socket(to.domain(), type | SOCK_CLOEXEC, 0));
    sockaddr_storage storage;
    const socklen_t length = to.to(storage);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&storage), length), 0) << errno;
    return fd;
  }
  void turns(int n = 4) {
    for (int i = 0; i < n; i++) worker.turn(0);
  }
  // Turns the loop until the socket has something, at most 200 times.
  bool await(int fd) {
    for (int i = 0; i < 200; i++) {
      worker.turn(0);
      pollfd p{fd, POLLIN, 0};
      if (::poll(&p, 1, 1) > 0) return true;
    }
    return false;
  }
  Packet receive(int fd) {
    Packet p(65537);
    if (!await(fd)) return {};
    const ssize_t n = ::recv(fd, p.data(), p.size(), MSG_DONTWAIT);
    p.resize(n > 0 ? static_cast<size_t>(n) : 0);
    return p;
  }
  // Messages off a TCP stream, as many as asked.
  std::vector<test::Message> receive_framed(int fd, size_t count) {
    std::vector<test::Message> messages;
    Packet stream;
    while (messages.size() < count) {
      const Packet more = receive(fd);
      if (more.empty()) break;
      stream.insert(stream.end(), more.begin(), more.end());
      while (stream.size() >= 2 && stream.size() >= 2u + dns::load16(stream.data())) {
        const long end = 2 + dns::load16(stream.data());
        messages.push_back(test::decode(Packet(stream.begin() + 2, stream.begin() + end)));
        stream.erase(stream.begin(), stream.begin() + end);
      }
    }
    return messages;
  }
  bool ended(int fd) {
    char c;
    return await(fd) && ::recv(fd, &c, 1, MSG_DONTWAIT) <= 0;
  }

  FakeClock clock;
  metrics::Registry registry;
  loop::Worker worker{0, "test", clock, 1, registry.add_shard()};
  std::vector<UniqueFd> fds;
  ServerLimits limits;
  std::shared_ptr<const View> view;
  std::unique_ptr<Server> server;
  SocketAddress udp, tcp;
};

TEST_F(ServerTest, AnswersOverUdp) {
  for (const char* address : {"127.0.0.1", "::1"}) {
    serve(address);
    UniqueFd client = connect(udp, SOCK_DGRAM);
    const Packet query = ask("mail.example.com", 77);
    ASSERT_GT(::send(client.get(), query.data(), query.size(), 0), 0);
    auto m = test::decode(receive(client.get()));
    ASSERT_TRUE(m.good) << address;
    EXPECT_EQ(m.id, 77);
    EXPECT_EQ(m.answers()[0].data, "192.0.2.25");
  }
}

TEST_F(ServerTest, AnswersLeaveFromTheAddressAsked) {
  serve("0.0.0.0");
  for (const char* asked : {"127.0.0.2", "127.0.0.3"}) {
    udp.ip = test::ip(asked);
    // A connected socket takes datagrams from nobody else.
    UniqueFd client = connect(udp, SOCK_DGRAM);
    const Packet query = ask("mail.example.com");
    ::send(client.get(), query.data(), query.size(), 0);
    EXPECT_FALSE(receive(client.get()).empty()) << asked;
  }
}

TEST_F(ServerTest, ABatchIsAnsweredWhole) {
  serve("127.0.0.1");
  UniqueFd client = connect(udp, SOCK_DGRAM);
  const int count = 150;
  for (int i = 0; i < count; i++) {
    const Packet query = i % 10 == 9 ? Packet(5, 0) : ask("mail.example.com", static_cast<uint16_t>(i));
    ASSERT_GT(::send(client.get(), query.data(), query.size(), 0), 0);
  }
  std::vector<bool> seen(count);
  for (int i = 0; i < count - count / 10; i++) {
    auto m = test::decode(receive(client.get()));
    ASSERT_TRUE(m.good) << i;
    EXPECT_FALSE(seen[m.id]);
    seen[m.id] = true;
  }
  const std::string text = registry.expose();
  EXPECT_NE(text.find("portolan_dns_queries_total{zone=\"example.com\",type=\"A\",rcode=\"NOERROR\"} 135"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("portolan_dns_dropped_total 15"), std::string::npos) << text;
}

TEST_F(ServerTest, TcpSplitAtEveryByteIsTheSame) {
  serve("127.0.0.1");
  Packet stream = framed(ask("mail.example.com", 1));
  const Packet second = framed(ask("gone.example.com", 2));
  stream.insert(stream.end(), second.begin(), second.end());
  for (size_t cut = 1; cut < stream.size(); cut++) {
    UniqueFd client = connect(tcp, SOCK_STREAM);
    ::send(client.get(), stream.data(), cut, 0);
    turns(3);
    ::send(client.get(), stream.data() + cut, stream.size() - cut, 0);
    auto messages = receive_framed(client.get(), 2);
    ASSERT_EQ(messages.size(), 2u) << cut;
    EXPECT_EQ(messages[0].answers()[0].data, "192.0.2.25");
    EXPECT_EQ(messages[1].rcode, dns::nxdomain);
    EXPECT_EQ(messages[1].id, 2);
  }
}

TEST_F(ServerTest, TcpPipelinesAndAnswersBeforeAHalfClose) {
  serve("127.0.0.1");
  UniqueFd client = connect(tcp, SOCK_STREAM);
  Packet stream;
  for (uint16_t i = 0; i < 300; i++) {
    const Packet one = framed(ask("mail.example.com", i));
    stream.insert(stream.end(), one.begin(), one.end());
  }
  ::send(client.get(), stream.data(), stream.size(), 0);
  ::shutdown(client.get(), SHUT_WR);
  auto messages = receive_framed(client.get(), 300);
  ASSERT_EQ(messages.size(), 300u);
  for (uint16_t i = 0; i < 300; i++) EXPECT_EQ(messages[i].id, i);
  EXPECT_TRUE(ended(client.get()));
}

TEST_F(ServerTest, TcpCarriesWhatUdpTruncates) {
  serve("127.0.0.1");
  UniqueFd client = connect(tcp, SOCK_STREAM);
  const Packet query = framed(ask("big.example.com", 1, dns::type_txt));
  ::send(client.get(), query.data(), query.size(), 0);
  auto messages = receive_framed(client.get(), 1);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_FALSE(messages[0].has(dns::flag_tc));
  EXPECT_EQ(messages[0].answers()[0].data.size(), 1306u);
}

TEST_F(ServerTest, IdleSessionsEnd) {
  serve("127.0.0.1");
  UniqueFd client = connect(tcp, SOCK_STREAM);
  turns();
  ASSERT_EQ(server->sessions(), 1u);
  clock.advance_ms(9000);
  turns();
  const Packet query = framed(ask("mail.example.com"));
  ::send(client.get(), query.data(), query.size(), 0);
  EXPECT_EQ(receive_framed(client.get(), 1).size(), 1u);
  clock.advance_ms(9000);
  turns();
  EXPECT_EQ(server->sessions(), 1u) << "a query restarts the time";
  ::send(client.get(), query.data(), 1, 0);
  turns();
  clock.advance_ms(1100);
  turns();
  EXPECT_EQ(server->sessions(), 0u) << "half a query does not";
  EXPECT_TRUE(ended(client.get()));
}

TEST_F(ServerTest, BadLengthsEndTheSession) {
  serve("127.0.0.1");
  for (const Packet& bytes : {Packet{0, 0}, Packet{0xff, 0xff}, Packet{0x10, 0x01}}) {
    UniqueFd client = connect(tcp, SOCK_STREAM);
    ::send(client.get(), bytes.data(), bytes.size(), 0);
    EXPECT_TRUE(ended(client.get()));
  }
  EXPECT_EQ(server->sessions(), 0u);
}

TEST_F(ServerTest, TheOldestSessionMakesRoom) {
  limits.tcp_connections = 2;
  server->set_limits(limits);
  serve("127.0.0.1");
  UniqueFd first = connect(tcp, SOCK_STREAM), second = connect(tcp, SOCK_STREAM);
  turns();
  const Packet query = framed(ask("mail.example.com"));
  ::send(first.get(), query.data(), query.size(), 0);
  EXPECT_EQ(receive_framed(first.get(), 1).size(), 1u);
  UniqueFd third = connect(tcp, SOCK_STREAM);
  EXPECT_TRUE(ended(second.get())) << "the one longest without a query";
  EXPECT_EQ(server->sessions(), 2u);
  ::send(first.get(), query.data(), query.size(), 0);
  EXPECT_EQ(receive_framed(first.get(), 1).size(), 1u);
}

// Its share of a turn was up, and the rest waits for the next, in which somebody newer comes first.
TEST_F(ServerTest, ASessionThatWaitsForItsTurnMakesRoom) {
  limits.tcp_connections = 1;
  server->set_limits(limits);
  serve("127.0.0.1");
  UniqueFd first = connect(tcp, SOCK_STREAM);
  turns();
  Packet nothing = framed(ask("mail.example.com"));
  nothing[4] |= 0x80;  // an answer, which nobody answers
  Packet much;
  while (much.size() < 40'000) much.insert(much.end(), nothing.begin(), nothing.end());
  much.insert(much.end(), {0, 0});  // what ends it, if it were still read
  ASSERT_EQ(::send(first.get(), much.data(), much.size(), 0), static_cast<ssize_t>(much.size()));
  turns(1);
  UniqueFd second = connect(tcp, SOCK_STREAM);
  turns(1);
  ASSERT_EQ(server->sessions(), 1u);
  turns();
  ASSERT_EQ(server->sessions(), 1u);
  const Packet query = framed(ask("mail.example.com"));
  ::send(second.get(), query.data(), query.size(), 0);
  EXPECT_EQ(receive_framed(second.get(), 1).size(), 1u);
  EXPECT_TRUE(ended(first.get()));
}

TEST_F(ServerTest, AClientThatNeverReadsIsBounded) {
  serve("127.0.0.1");
  UniqueFd client = connect(tcp, SOCK_STREAM);
  int small = 4096;
  setsockopt(client.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  Packet stream;
  for (int i = 0; i < 500; i++) {
    const Packet one = framed(ask("big.example.com", 1, dns::type_txt));
    stream.insert(stream.end(), one.begin(), one.end());
  }
  size_t total = 0;
  for (int i = 0; i < 2000 && server; i++) {
    const ssize_t n = ::send(client.get(), stream.data(), stream.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) total += static_cast<size_t>(n);
    turns(1);
    if (n <= 0 && i > 100) break;
  }
  clock.advance_ms(10100);
  turns();
  EXPECT_EQ(server->sessions(), 0u) << total;
}

TEST_F(ServerTest, AViewIsReplacedUnderTheSockets) {
  serve("127.0.0.1");
  UniqueFd client = connect(udp, SOCK_DGRAM);
  const Packet query = ask("db.example.com");
  const auto answered = [&] {
    ::send(client.get(), query.data(), query.size(), 0);
    return test::decode(receive(client.get())).answers()[0].data;
  };
  EXPECT_EQ(answered(), "192.0.2.20");
  server->set_view(with_states(*view, {{{State::up, State::down, State::up}}}));
  EXPECT_EQ(answered(), "192.0.2.10");
}

TEST_F(ServerTest, SocketsComeAndGo) {
  serve("127.0.0.1");
  UniqueFd client = connect(udp, SOCK_DGRAM);
  auto other = open("127.0.0.1", SOCK_DGRAM);
  ASSERT_TRUE(server->set_sockets({other.first}, {}));
  const Packet query = ask("mail.example.com");
  ::send(client.get(), query.data(), query.size(), 0);
  turns();
  char c;
  EXPECT_LT(::recv(client.get(), &c, 1, MSG_DONTWAIT), 0) << "the first socket is not served any more";
  UniqueFd second = connect(other.second, SOCK_DGRAM);
  ::send(second.get(), query.data(), query.size(), 0);
  EXPECT_FALSE(receive(second.get()).empty());
  EXPECT_FALSE(server->set_sockets({-1}, {})) << "not a socket";
}

TEST(Frames, EveryCutGivesTheSameMessages) {
  Packet stream;
  for (const char* text : {"a", "some message", "x"}) {
    test::put16(stream, static_cast<unsigned>(std::strlen(text)));
    test::put(stream, text);
  }
  Rng rng(3);
  for (int round = 0; round < 500; round++) {
    Frames frames;
    std::string got;
    for (size_t at = 0; at < stream.size();) {
      const size_t n = std::min<size_t>(1 + rng.below(8), stream.size() - at);
      std::span<const uint8_t> in(stream.data() + at, n), message;
      while (frames.take(in, message) == Frames::Result::message)
        got += std::string(message.begin(), message.end()) + "|";
      EXPECT_TRUE(in.empty());
      at += n;
    }
    ASSERT_EQ(got, "a|some message|x|");
  }
}

// What the answer's OPT says beside the rest.
std::string options_of(const Packet& packet) {
  const test::Message m = test::decode(packet);
  EXPECT_TRUE(m.good);
  return m.options;
}

Packet with_options(std::string options, const char* name = "mail.example.com") {
  Ask question;
  question.name = name;
  question.edns = true;
  question.options = std::move(options);
  return make(question);
}

class SpeakingServer : public ServerTest {
 protected:
  SpeakingServer() {
    GeodnsConfig config = test::config();
    config.nsid = "fra-1";
    std::vector<Mistake> none;
    server->set_view(build_view(config, 1, none));
    limits.cookies = std::make_shared<CookieJar>(std::vector<crypto::HashKey>{{1, 2}});
    server->set_limits(limits);
    serve("127.0.0.1");
    client = connect(udp, SOCK_DGRAM);
  }
  Packet over_udp(const Packet& query) {
    ::send(client.get(), query.data(), query.size(), 0);
    return receive(client.get());
  }
  UniqueFd client;
};

TEST_F(SpeakingServer, TellsItsNameToWhoAsks) {
  EXPECT_EQ(options_of(over_udp(with_options(test::option(3, "")))), test::option(3, "fra-1"));
  EXPECT_EQ(options_of(over_udp(with_options(""))), "");
}

TEST_F(SpeakingServer, TellsHowLongConnectionsIdleOverTcpAlone) {
  EXPECT_EQ(options_of(over_udp(with_options(test::option(11, "")))), "");
  UniqueFd stream = connect(tcp, SOCK_STREAM);
  const Packet query = framed(with_options(test::option(11, "")));
  ::send(stream.get(), query.data(), query.size(), 0);
  const auto messages = receive_framed(stream.get(), 1);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].options, test::option(11, {"\0\x64", 2})) << "10 s";
}

TEST_F(SpeakingServer, GivesCookies) {
  const std::string first = options_of(over_udp(with_options(test::option(10, "12345678"))));
  ASSERT_EQ(first.size(), 4u + 24);
  EXPECT_EQ(first.substr(4, 8), "12345678");
  EXPECT_EQ(options_of(over_udp(with_options(first))), first) << "kept while it is good";
  Packet ping = with_options(first);
  ping[5] = 0;
  ping.erase(ping.begin() + 12, ping.begin() + 12 + 22);
  const test::Message pong = test::decode(over_udp(ping));
  EXPECT_EQ(pong.rcode, dns::noerror);
  EXPECT_EQ(pong.options, first);
}

// RFC 7873 §5.4.
TEST_F(SpeakingServer, APingHearsWhetherItsCookieIsGood) {
  const auto ping = [&](const std::string& options) {
    Packet packet = with_options(options);
    packet[5] = 0;
    packet.erase(packet.begin() + 12, packet.begin() + 12 + 22);
    return test::decode(over_udp(packet));
  };
  EXPECT_EQ(ping(test::option(10, "12345678")).rcode, dns::noerror) << "it has none yet";
  const test::Message bad = ping(test::option(10, "12345678" + std::string(16, 'x')));
  EXPECT_EQ(bad.rcode, dns::badcookie);
  ASSERT_EQ(bad.options.size(), 4u + 24);
  EXPECT_EQ(ping(bad.options).rcode, dns::noerror) << "the fresh one";
  GeodnsConfig config = test::config();
  config.cookies = false;
  std::vector<Mistake> none;
  server->set_view(build_view(config, 1, none));
  limits.cookies = nullptr;
  server->set_limits(limits);
  EXPECT_EQ(ping(test::option(10, "12345678")).rcode, dns::formerr) << "no question and nothing else";
  const test::Message any = test::decode(over_udp(with_options(test::option(10, "123"))));
  EXPECT_EQ(any.rcode, dns::noerror) << "whatever its length";
  EXPECT_EQ(any.options, "");
  EXPECT_EQ(any.answers().size(), 1u);
}

TEST_F(SpeakingServer, TheRateIsLimitedButNotOfWhoProvesWhoTheyAre) {
  limits.rate_limit.answers_per_second = 5;
  limits.rate_limit.slip = 1;
  server->set_limits(limits);
  const std::string good = options_of(over_udp(with_options(test::option(10, "12345678"))));
  const Packet query = ask("ns1.example.com");
  std::map<bool, int> cut;
  for (int i = 0; i < 20; i++) {
    const test::Message m = test::decode(over_udp(query));
    cut[m.has(dns::flag_tc)]++;
    EXPECT_EQ(m.answers().empty(), m.has(dns::flag_tc));
  }
  EXPECT_EQ(cut[true], 15);
  for (int i = 0; i < 20; i++)
    EXPECT_EQ(test::decode(over_udp(with_options(good, "ns1.example.com"))).answers().size(), 1u) << "by its cookie";
  const test::Message stranger = test::decode(over_udp(with_options(test::option(10, "87654321"), "ns1.example.com")));
  EXPECT_EQ(stranger.rcode, dns::badcookie);
  EXPECT_TRUE(stranger.answers().empty());
  EXPECT_EQ(test::decode(over_udp(with_options(stranger.options, "ns1.example.com"))).answers().size(), 1u)
      << "the right one came with it";
  UniqueFd stream = connect(tcp, SOCK_STREAM);
  Packet many;
  for (int i = 0; i < 20; i++) {
    const Packet one = framed(query);
    many.insert(many.end(), one.begin(), one.end());
  }
  ::send(stream.get(), many.data(), many.size(), 0);
  EXPECT_EQ(receive_framed(stream.get(), 20).size(), 20u) << "by TCP";
  clock.advance_ms(1000);
  EXPECT_EQ(test::decode(over_udp(query)).answers().size(), 1u);
}

TEST_F(SpeakingServer, NamesOfAWildcardAreOneThingToTheLimit) {
  limits.rate_limit.answers_per_second = 5;
  limits.rate_limit.slip = 1;
  server->set_limits(limits);
  int whole = 0;
  for (int i = 0; i < 20; i++) {
    const std::string name = "n" + std::to_string(i) + ".wild.example.com";
    whole += !test::decode(over_udp(ask(name.c_str()))).has(dns::flag_tc);
  }
  EXPECT_EQ(whole, 5);
  whole = 0;
  for (int i = 0; i < 20; i++) {
    const std::string name = "n" + std::to_string(i) + ".example.com";
    whole += !test::decode(over_udp(ask(name.c_str()))).has(dns::flag_tc);
  }
  EXPECT_EQ(whole, 5) << "nor do made-up names";
}

TEST_F(SpeakingServer, AClientHasSoManyConnections) {
  limits.tcp_connections_per_client = 3;
  server->set_limits(limits);
  std::vector<UniqueFd> streams;
  for (int i = 0; i < 4; i++) {
    streams.push_back(connect(tcp, SOCK_STREAM));
    turns();
  }
  EXPECT_EQ(server->sessions(), 3u);
  EXPECT_TRUE(ended(streams[3].get()));
  streams.erase(streams.begin());
  turns(8);
  streams.push_back(connect(tcp, SOCK_STREAM));
  turns(8);
  EXPECT_EQ(server->sessions(), 3u) << "one left, another may come";
}

TEST(QueryLog, ALineAQueryOrAShareOfThem) {
  char path[] = "/tmp/portolan-queries-XXXXXX";
  UniqueFd file(::mkstemp(path));
  const auto lines = [&] {
    std::string text(1 << 20, '\0');
    const ssize_t n = ::pread(file.get(), text.data(), text.size(), 0);
    text.resize(n > 0 ? static_cast<size_t>(n) : 0);
    return text;
  };
  test::World world;
  Answerer answerer(world.rng);
  const auto log_all = [&](QueryLog& log, const Packet& packet, int times) {
    Packet out(1232);
    for (int i = 0; i < times; i++) {
      Asked asked;
      AnswerInfo info;
      Answerer::read(packet, world.client, *world.view, asked);
      Answerer::locate({&asked, 1}, *world.view);
      const size_t size = answerer.answer(asked, packet, world.client, Transport::udp, *world.view, out, info);
      if (log.wants(world.rng)) log.write({1'700'000'000'123, world.client, "udp", asked, info, *world.view, size});
    }
  };
  {
    loop::LogWriter writer;
    QueryLog log(writer);
    Ask question;
    question.name = "a\\\"b.www.EXAMPLE.com";
    log_all(log, make(question), 1);
    ASSERT_TRUE(writer.open(path));
    log_all(log, make(question), 1);
    log.set_share(1);
    log_all(log, make(question), 1);
    question.name = "www.example.com";
    question.edns = true;
    question.options = test::subnet_option("10.1.2.0/24");
    log_all(log, make(question), 1);
    question.type = 65280;
    question.options = "";
    log_all(log, make(question), 1);
    auto hiding = std::make_shared<View>(*world.view);
    hiding->hidden = {*IpNetwork::parse("10.0.0.0/8")};
    world.view = hiding;
    question.type = dns::type_a;
    question.options = test::subnet_option("10.1.2.0/24");
    log_all(log, make(question), 1);
  }
  EXPECT_EQ(lines(),
            "{\"time\":\"2023-11-14T22:13:20.123Z\",\"client\":\"10.9.9.9\",\"transport\":\"udp\","
            "\"name\":\"a\\\\034b.www.example.com.\",\"type\":\"A\",\"zone\":\"example.com\",\"rcode\":\"NXDOMAIN\","
            "\"bytes\":89}\n"
            "{\"time\":\"2023-11-14T22:13:20.123Z\",\"client\":\"10.9.9.9\",\"transport\":\"udp\","
            "\"name\":\"www.example.com.\",\"type\":\"A\",\"subnet\":\"10.1.2.0/"
            "24\",\"zone\":\"example.com\",\"policy\":\"nearest\","
            "\"datacenter\":\"eu\",\"rcode\":\"NOERROR\",\"bytes\":71}\n"
            "{\"time\":\"2023-11-14T22:13:20.123Z\",\"client\":\"10.9.9.9\",\"transport\":\"udp\","
            "\"name\":\"www.example.com.\",\"type\":\"TYPE65280\",\"zone\":\"example.com\",\"rcode\":\"NOERROR\","
            "\"bytes\":96}\n"
            "{\"time\":\"2023-11-14T22:13:20.123Z\",\"client\":\"-\",\"transport\":\"udp\","
            "\"name\":\"www.example.com.\",\"type\":\"A\",\"subnet\":\"-\",\"zone\":\"example.com\","
            "\"policy\":\"nearest\",\"datacenter\":\"eu\",\"rcode\":\"NOERROR\",\"bytes\":71}\n");
  ASSERT_EQ(::ftruncate(file.get(), 0), 0);
  {
    loop::LogWriter writer;
    QueryLog log(writer);
    ASSERT_TRUE(writer.open(path));
    log.set_share(0.1);
    log_all(log, ask("mail.example.com"), 3000);
  }
  const std::string text = lines();
  const auto count = std::count(text.begin(), text.end(), '\n');
  EXPECT_GT(count, 200);
  EXPECT_LT(count, 400);
  ::unlink(path);
}

}  // namespace
}  // namespace portolan::geodns
