// Streams, listeners and the resolver over the loopback interface.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <optional>

#include "core/base/log.hh"
#include "core/loop/listener.hh"
#include "core/loop/resolver.hh"
#include "core/loop/stream.hh"

namespace portolan::loop {
namespace {

struct Net : ::testing::Test {
  FakeClock clock;
  metrics::Registry registry;
  Worker worker{0, "net", clock, 1, registry.add_shard()};
  Net() {
    log::set_sink([](std::string_view) {});
  }
  ~Net() override { log::set_sink(nullptr); }
  bool until(const std::function<bool()>& reached) {
    for (int i = 0; i < 4000; ++i) {
      worker.turn(0);
      if (reached()) return true;
      if (i > 20) ::poll(nullptr, 0, 1);
    }
    return false;
  }
};

struct Handler final : StreamHandler {
  void on_ready() override { ++calls; }
  int calls = 0;
};

struct Pair {
  Pair() {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    ours.reset(fds[0]);
    theirs.reset(fds[1]);
  }
  UniqueFd ours, theirs;
};

void tell(int fd, std::string_view text) {
  EXPECT_EQ(::send(fd, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
}

FileRef file_of(const std::string& text) {
  char path[] = "/tmp/portolan-test-XXXXXX";
  int fd = ::mkstemp(path);
  ::unlink(path);
  EXPECT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  return std::make_shared<FileHandle>(fd);
}

std::string hear(int fd) {
  std::string all;
  char buffer[65536];
  for (ssize_t n; (n = ::recv(fd, buffer, sizeof buffer, 0)) > 0;) all.append(buffer, static_cast<size_t>(n));
  return all;
}

TEST_F(Net, AnEndBehindAShortReadIsSeen) {
  Pair pair;
  Handler handler;
  Stream stream(worker, std::move(pair.ours), handler);
  tell(pair.theirs.get(), "last words");
  pair.theirs.reset();
  worker.turn(0);  // bytes and end come as one edge
  EXPECT_GE(handler.calls, 1);
  char buffer[100];
  size_t got = 0;
  ASSERT_EQ(stream.read(buffer, sizeof buffer, got), Io::done);
  EXPECT_EQ(std::string(buffer, got), "last words");
  EXPECT_TRUE(stream.may_read());
  EXPECT_EQ(stream.read(buffer, sizeof buffer, got), Io::eof);
}

TEST_F(Net, EveryByteIsReadWhateverTheEdges) {
  Pair pair;
  Handler handler;
  Stream stream(worker, std::move(pair.ours), handler);
  char buffer[3];
  size_t got = 0;
  EXPECT_EQ(stream.read(buffer, sizeof buffer, got), Io::would_block);
  EXPECT_FALSE(stream.may_read());
  tell(pair.theirs.get(), "abcdef");
  worker.turn(0);
  EXPECT_EQ(stream.read(buffer, 3, got), Io::done);
  EXPECT_TRUE(stream.may_read());  // the room was full: there may be more, and there is
  EXPECT_EQ(stream.read(buffer, 3, got), Io::done);
  EXPECT_EQ(std::string(buffer, got), "def");
  EXPECT_EQ(stream.read(buffer, 3, got), Io::would_block);
  tell(pair.theirs.get(), "g");
  int before = handler.calls;
  worker.turn(0);
  EXPECT_GT(handler.calls, before);
  EXPECT_EQ(stream.read(buffer, 3, got), Io::done);
  EXPECT_EQ(got, 1u);
}

TEST_F(Net, SegmentsAndFileRangesLeaveInOrder) {
  Pair pair;
  Handler handler;
  Stream stream(worker, std::move(pair.ours), handler);
  Body body;
  for (int i = 0; i < 100; ++i) body.append(Slice::copy_of(std::to_string(i) + ","));  // more than one writev
  body.append(file_of("0123456789"), 3, 4);
  body.append(Slice::literal(" and "));
  body.append(file_of("abc"), 0, 3);
  std::string expected = body.to_string();
  ASSERT_TRUE(expected.ends_with("99,3456 and abc"));
  EXPECT_EQ(stream.write(body), Io::done);
  EXPECT_TRUE(body.empty());
  EXPECT_EQ(hear(pair.theirs.get()), expected);
}

TEST_F(Net, AWriteGoesOnWhenThereIsRoomAgain) {
  Pair pair;
  Handler handler;
  Stream stream(worker, std::move(pair.ours), handler);
  std::string text(3 << 20, 'x');
  for (size_t i = 0; i < text.size(); i += 1000) text[i] = static_cast<char>('a' + i / 1000 % 26);
  Body body;
  body.append(Slice::copy_of(text.substr(0, 1 << 20)));
  body.append(file_of(text.substr(1 << 20)), 0, 2 << 20);
  std::string heard;
  int blocked = 0;
  for (int i = 0; i < 10'000 && !body.empty(); ++i) {
    Io io = stream.write(body);
    ASSERT_NE(io, Io::error);
    if (io == Io::would_block) {
      ++blocked;
      int before = handler.calls;
      heard += hear(pair.theirs.get());
      ASSERT_TRUE(until([&] { return handler.calls > before; })) << "no edge after the peer read";
    }
  }
  heard += hear(pair.theirs.get());
  EXPECT_GT(blocked, 0);
  EXPECT_TRUE(heard == text);
}

TEST_F(Net, AFileShorterThanPromisedIsAnError) {
  Pair pair;
  Handler handler;
  Stream stream(worker, std::move(pair.ours), handler);
  Body body;
  FileRef file = file_of("0123456789");
  body.append(file, 0, 10);
  ASSERT_EQ(::ftruncate(file->fd(), 4), 0);
  EXPECT_EQ(stream.write(body), Io::error);
  EXPECT_NE(stream.error(), 0);
  EXPECT_EQ(hear(pair.theirs.get()), "0123");
}

TEST_F(Net, WritingToAPeerThatLeftIsAnErrorAndNoSignal) {
  Pair pair;
  Handler handler;
  Stream stream(worker, std::move(pair.ours), handler);
  pair.theirs.reset();
  Body body;
  body.append(Slice::literal("anybody there?"));
  EXPECT_EQ(stream.write(body), Io::error);
  EXPECT_EQ(stream.error(), EPIPE);
}

TEST_F(Net, ConnectingEndsWellOrIsRefused) {
  auto address = SocketAddress::parse("127.0.0.1:1");
  address->port = 0;
  auto door = open_listener(*address);
  ASSERT_TRUE(door) << door.error().text;
  SocketAddress where = local_address(door->get());
  Handler handler;
  auto good = Stream::connect(worker, where, handler);
  ASSERT_TRUE(good);
  ASSERT_TRUE(until([&] { return (*good)->connected() == Io::done; }));
  ::shutdown(door->get(), SHUT_RDWR);  // bound, but nobody listens
  auto bad = Stream::connect(worker, where, handler);
  if (bad) {
    ASSERT_TRUE(until([&] { return (*bad)->connected() == Io::error; }));
    EXPECT_EQ((*bad)->error(), ECONNREFUSED);
  } else {
    EXPECT_EQ(bad.error().code, ECONNREFUSED);
  }
}

TEST_F(Net, AListenerSaysWhyItCannotBind) {
  auto address = SocketAddress::parse("127.0.0.1:1");
  address->port = 0;
  UniqueFd alone(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_storage storage{};
  socklen_t size = address->to(storage);
  ASSERT_EQ(::bind(alone.get(), reinterpret_cast<sockaddr*>(&storage), size), 0);
  ASSERT_EQ(::listen(alone.get(), 1), 0);
  auto taken = open_listener(local_address(alone.get()));
  ASSERT_FALSE(taken);
  EXPECT_NE(taken.error().text.find("another program listens there"), std::string::npos) << taken.error().text;
  auto foreign = open_listener(*SocketAddress::parse("192.0.2.1:8080"));
  ASSERT_FALSE(foreign);
  EXPECT_NE(foreign.error().text.find("no interface"), std::string::npos) << foreign.error().text;
  // Of a Unix socket neither ports nor other programs are the reason.
  const std::string file = ::testing::TempDir() + "no-socket-" + std::to_string(getpid());
  std::ofstream(file) << "x";
  auto no_socket = open_listener({{}, 0, file});
  ASSERT_FALSE(no_socket);
  EXPECT_EQ(no_socket.error().text, "cannot bind unix:" + file + ": there is a file that is no socket");
  EXPECT_EQ(::access(file.c_str(), F_OK), 0);
  ::unlink(file.c_str());
  auto nowhere = open_listener({{}, 0, "/nonexistent/x.sock"});
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().text, "cannot bind unix:/nonexistent/x.sock: No such file or directory");
}

UniqueFd dial(const SocketAddress& to) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_storage storage{};
  socklen_t size = to.to(storage);
  int rc = ::connect(fd.get(), reinterpret_cast<sockaddr*>(&storage), size);
  EXPECT_TRUE(rc == 0 || errno == EINPROGRESS);
  return fd;
}

bool has_ended(int fd) {
  char c;
  ssize_t n = ::recv(fd, &c, 1, MSG_PEEK);
  return n == 0 || (n < 0 && errno == ECONNRESET);
}

TEST_F(Net, WithoutDescriptorsConnectionsAreClosedAndTheLoopRests) {
  auto address = SocketAddress::parse("127.0.0.1:1");
  address->port = 0;
  auto door = open_listener(*address);
  ASSERT_TRUE(door);
  SocketAddress where = local_address(door->get());
  std::vector<UniqueFd> accepted;
  Listener listener(worker, door->get(),
                    [&](UniqueFd socket, const SocketAddress&) { accepted.push_back(std::move(socket)); });
  ASSERT_TRUE(until([] { return true; }));  // sanitizers look at an object's type through a pipe, the first time
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 5; ++i) clients.push_back(dial(where));

  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit low = before;
  low.rlim_cur = static_cast<rlim_t>(clients.back().get()) + 1;  // nothing above what is open
  std::vector<UniqueFd> holes;                                   // and no gap below
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  for (int fd; (fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) holes.emplace_back(fd);
  bool all_closed = until([&] {
    for (auto& c : clients)
      if (!has_ended(c.get())) return false;
    return true;
  });
  int64_t shed = static_cast<int64_t>(registry.expose().find("portolan_connections_shed_total 5"));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(all_closed);
  EXPECT_GE(shed, 0) << registry.expose();
  EXPECT_TRUE(accepted.empty());

  auto late = dial(where);  // the listener rests a moment before it looks again
  for (int i = 0; i < 20; ++i) worker.turn(0);
  EXPECT_TRUE(accepted.empty());
  clock.advance_ms(70);
  EXPECT_TRUE(until([&] { return accepted.size() == 1; }));
}

TEST_F(Net, AStoppedListenerAcceptsNoMore) {
  auto address = SocketAddress::parse("127.0.0.1:1");
  address->port = 0;
  auto door = open_listener(*address);
  ASSERT_TRUE(door);
  int accepted = 0;
  Listener listener(worker, door->get(), [&](UniqueFd, const SocketAddress& peer) {
    EXPECT_EQ(peer.ip.to_string(), "127.0.0.1");
    ++accepted;
  });
  auto first = dial(local_address(door->get()));
  EXPECT_TRUE(until([&] { return accepted == 1; }));
  listener.stop();
  auto second = dial(local_address(door->get()));
  for (int i = 0; i < 20; ++i) worker.turn(0);
  EXPECT_EQ(accepted, 1);
}

TEST_F(Net, ConnectionsThatBeginWaitWhileTheyAreHeld) {
  auto address = SocketAddress::parse("127.0.0.1:1");
  address->port = 0;
  auto door = open_listener(*address);
  ASSERT_TRUE(door);
  std::vector<UniqueFd> accepted;
  Listener listener(worker, door->get(),
                    [&](UniqueFd socket, const SocketAddress&) { accepted.push_back(std::move(socket)); });
  auto before = dial(local_address(door->get()));
  ASSERT_TRUE(until([&] { return accepted.size() == 1; }));
  ASSERT_TRUE(hold_new_connections(door->get(), true));
  auto late = dial(local_address(door->get()));
  pollfd look{late.get(), POLLOUT, 0};
  EXPECT_EQ(::poll(&look, 1, 100), 0) << "neither taken nor refused";
  // Who is in goes on.
  ASSERT_EQ(::send(before.get(), "x", 1, 0), 1);
  char byte = 0;
  EXPECT_TRUE(until([&] { return ::recv(accepted[0].get(), &byte, 1, MSG_DONTWAIT) == 1; }));
  ASSERT_TRUE(hold_new_connections(door->get(), false));
  EXPECT_EQ(::poll(&look, 1, 5'000), 1) << "its kernel asks again";
  EXPECT_TRUE(until([&] { return accepted.size() == 2; }));
  EXPECT_TRUE(hold_new_connections(door->get(), false)) << "once is enough";
}

TEST_F(Net, FreebindListensWhereNoInterfaceIs) {
  for (const char* text : {"203.0.113.77:18080", "[2001:db8:77::1]:18080"}) {
    auto address = SocketAddress::parse(text);
    auto bound = open_listener(*address);
    ASSERT_FALSE(bound) << text;
    EXPECT_NE(bound.error().text.find("freebind = true"), std::string::npos) << bound.error().text;
    EXPECT_TRUE(open_listener(*address, true)) << text;
    EXPECT_TRUE(probe_free(*address, false, true)) << text;
  }
}

// ── the resolver, against a name server of our own ────────────────────────────────────────────

class NameServer {
 public:
  NameServer() {
    auto address = SocketAddress::parse("127.0.0.1:1");
    address->port = 0;
    fd_ = std::move(*open_datagram(*address));
  }
  std::string where() const { return local_address(fd_.get()).to_string(); }
  void serve() {
    char query[512];
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    for (ssize_t n;
         (n = ::recvfrom(fd_.get(), query, sizeof query, 0, reinterpret_cast<sockaddr*>(&from), &size)) > 12;) {
      ++queries;
      if (silent) continue;
      std::string answer = answer_to(std::string(query, static_cast<size_t>(n)));
      ::sendto(fd_.get(), answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    }
  }
  int queries = 0;
  bool silent = false;

 private:
  static std::string record(std::string_view type, const std::string& data, uint8_t ttl_s) {
    return std::string("\xc0\x0c", 2) + std::string(type) + std::string("\0\1\0\0\0", 5) + static_cast<char>(ttl_s) +
           '\0' + static_cast<char>(data.size()) + data;
  }
  // SRV sets: of the name "_a" two targets, of "_none" the root, of "_odd" a target that is no host name.
  static std::string services_to(std::string out) {
    const std::string srv("\0\x21", 2);
    std::string name = out.substr(13, static_cast<uint8_t>(out[12]));
    if (name == "_a") {
      out += record(srv,
                    std::string("\0\2\0\7\x1f\x90\2"
                                "b2\2in\0",
                                13),
                    9);
      out += record(srv,
                    std::string("\0\1\0\0\x1f\x91\2"
                                "b1\2in\0",
                                13),
                    7);
    }
    if (name == "_none") out += record(srv, std::string("\0\0\0\0\0\0\0", 7), 9);
    if (name == "_odd")
      out += record(srv,
                    std::string("\0\0\0\0\0\x50\3"
                                "a b\0",
                                11),
                    9);
    out[7] = name == "_a" ? 2 : 1;
    return out;
  }
  // Two A records (TTL 300 and 60) for names that begin with 'g', no AAAA; NXDOMAIN for others.
  static std::string answer_to(const std::string& query) {
    size_t end = query.find('\0', 12) + 5;
    bool good = query[13] == 'g';
    bool a = query[end - 3] == 1;
    std::string out = query.substr(0, end);
    if (query[end - 3] == 0x21) {
      out[2] = static_cast<char>(0x81);
      out[3] = static_cast<char>(0x80);
      out[8] = out[9] = out[10] = out[11] = 0;
      return services_to(out);
    }
    out[2] = static_cast<char>(0x81);
    out[3] = static_cast<char>(good ? 0x80 : 0x83);
    out[7] = good && a ? 2 : 0;
    out[8] = out[9] = out[10] = out[11] = 0;
    if (good && a) {
      out.append("\xc0\x0c\0\1\0\1\0\0\1\x2c\0\4\xc0\0\2\2", 16);
      out.append("\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1", 16);
    }
    return out;
  }
  UniqueFd fd_;
};

ResolverConfig asking(const NameServer& server) {
  ResolverConfig config;
  config.nameservers = {*SocketAddress::parse(server.where())};
  return config;
}

struct Resolving : Net {
  NameServer server;
  Resolver resolver{worker, asking(server)};
  std::optional<Result<Resolution>> got;
  std::unique_ptr<Resolver::Ticket> ask(const std::string& name) {
    got.reset();
    return resolver.resolve(name, [this](Result<Resolution> r) { got = std::move(r); });
  }
  bool answered() {
    return until([this] {
      server.serve();
      return got.has_value();
    });
  }
};

TEST_F(Resolving, AddressesAreSortedAndTheShortestTtlCounts) {
  auto ticket = ask("good.example");
  EXPECT_FALSE(got) << "never before resolve() has returned";
  ASSERT_TRUE(answered());
  ASSERT_TRUE(*got) << got->error().text;
  ASSERT_EQ((*got)->addresses.size(), 2u);
  EXPECT_EQ((*got)->addresses[0].to_string(), "192.0.2.1");
  EXPECT_EQ((*got)->addresses[1].to_string(), "192.0.2.2");
  EXPECT_EQ((*got)->ttl_ms, 60'000);
}

TEST_F(Resolving, ANameThatIsNotThereIsAnError) {
  auto ticket = ask("none.example");
  ASSERT_TRUE(answered());
  EXPECT_FALSE(*got);
  EXPECT_NE(got->error().text.find("cannot resolve none.example"), std::string::npos) << got->error().text;
}

TEST_F(Resolving, OneFamilyMayBeAskedForAlone) {
  got.reset();
  auto ticket = resolver.resolve(
      "good.example", [this](Result<Resolution> r) { got = std::move(r); }, IpAddress::Family::v6);
  ASSERT_TRUE(answered());
  ASSERT_FALSE(*got);
  EXPECT_EQ(got->error().code, ENOENT) << "it says so itself: " << got->error().text;
}

TEST_F(Resolving, ServicesAreTheirRecordsWithTheLeastTtl) {
  std::optional<Result<ServiceResolution>> set;
  auto ask_service = [&](const std::string& name) {
    set.reset();
    auto ticket = resolver.resolve_service(name, [&set](Result<ServiceResolution> r) { set = std::move(r); });
    EXPECT_FALSE(set) << "never before it has returned";
    EXPECT_TRUE(until([&] {
      server.serve();
      return set.has_value();
    }));
  };
  ask_service("_a.example");
  ASSERT_TRUE(set && *set) << set->error().text;
  EXPECT_EQ((*set)->ttl_ms, 7'000);
  EXPECT_EQ((*set)->records, (std::vector<ServiceRecord>{{1, "b1.in", 8081, 0}, {2, "b2.in", 8080, 7}}));
  ask_service("_none.example");
  EXPECT_EQ(set->error().text, "cannot resolve srv:_none.example: the service is said not to be available");
  ask_service("_odd.example");
  EXPECT_NE(set->error().text.find("can't be connected to"), std::string::npos) << set->error().text;
}

TEST_F(Resolving, AnotherConfigurationAsksElsewhereAndEndsWhatIsUnderWay) {
  server.silent = true;
  auto ticket = ask("good.example");
  ASSERT_TRUE(until([this] {
    server.serve();
    return server.queries > 0;
  }));
  resolver.configure(asking(server));
  for (int i = 0; i < 5; ++i) worker.turn(0);
  EXPECT_FALSE(got) << "the same configuration is no other";
  NameServer other;
  resolver.configure(asking(other));
  ASSERT_TRUE(until([this] { return got.has_value(); }));
  EXPECT_FALSE(*got);
  auto again = ask("good.example");
  ASSERT_TRUE(until([&] {
    other.serve();
    return got.has_value();
  }));
  EXPECT_TRUE(*got);
}

TEST_F(Resolving, ADestroyedTicketCancels) {
  server.silent = true;
  auto ticket = ask("good.example");
  ASSERT_TRUE(until([this] {
    server.serve();
    return server.queries > 0;
  }));
  ticket.reset();
  server.silent = false;
  auto other = resolver.resolve("good.other.example", [](Result<Resolution>) {});
  for (int i = 0; i < 50; ++i) {
    server.serve();
    worker.turn(0);
  }
  EXPECT_FALSE(got);
}

TEST_F(Resolving, AResolverMayEndWithQuestionsOpen) {
  server.silent = true;
  bool called = false;
  std::unique_ptr<Resolver::Ticket> ticket;
  {
    Resolver mine(worker, asking(server));
    ticket = mine.resolve("good.example", [&](Result<Resolution>) { called = true; });
    worker.turn(0);
  }
  for (int i = 0; i < 20; ++i) worker.turn(0);
  EXPECT_FALSE(called);
}

}  // namespace
}  // namespace portolan::loop
