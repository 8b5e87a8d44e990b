// Both sides of TLS over a socket pair, with buffers so small that every record is cut somewhere.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <functional>

#include "core/base/log.hh"
#include "core/loop/stream.hh"
#include "core/loop/tls_acceptor.hh"
#include "core/loop/tls_connector.hh"
#include "tests/unit/core/crypto/test_certificate.hh"

namespace portolan::loop {
namespace {

struct Side final : StreamHandler {
  void on_ready() override {}
  std::unique_ptr<Stream> stream;
  std::string got;
  Io io = Io::would_block;
};

struct Tls : ::testing::Test {
  FakeClock clock;
  metrics::Registry registry;
  Worker worker{0, "tls", clock, 1, registry.add_shard()};
  std::shared_ptr<TlsAcceptor> acceptor;
  std::shared_ptr<TlsConnector> connector;
  Side server, client;

  Tls() {
    auto read = crypto::read_certificate(crypto::test_certificate, crypto::test_key, "a", "b");
    auto identity = std::make_shared<TlsIdentity>();
    identity->certificates = std::make_shared<crypto::CertificateSet>(std::vector<crypto::CertificateRef>{*read});
    identity->protocols = {"http/1.1"};
    acceptor = std::make_shared<TlsAcceptor>(identity);
    acceptor->set_ticket_keys(std::make_shared<crypto::TicketKeys>(crypto::TicketKeys::fresh(1)));
    trust_in(crypto::test_certificate);
  }
  void trust_in(const char* pem, std::vector<std::string> protocols = {"http/1.1"}) {
    auto trust = std::make_shared<TlsTrust>();
    trust->trust = *crypto::TrustStore::from_pem(pem, "ca");
    trust->protocols = std::move(protocols);
    connector = std::make_shared<TlsConnector>(trust);
  }
  void connect(const std::string& name = "fixed.example", int buffer = 4096) {
    int fds[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    for (int fd : fds) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    server.stream = std::make_unique<Stream>(worker, UniqueFd(fds[0]), server);
    client.stream = std::make_unique<Stream>(worker, UniqueFd(fds[1]), client);
    server.stream->start_tls(acceptor->accept());
    client.stream->start_tls(connector->connect(this, name));
  }
  bool until(const std::function<bool()>& reached) {
    for (int i = 0; i < 20'000; ++i) {
      if (reached()) return true;
      worker.turn(0);
    }
    return false;
  }
  bool shake_hands() {
    server.io = client.io = Io::would_block;
    return until([this] {
      for (Side* side : {&client, &server})
        if (side->io == Io::would_block) side->io = side->stream->handshake();
      return server.io != Io::would_block && client.io != Io::would_block;
    });
  }
  bool move(Side& from, Side& to, Body& out, size_t total) {
    return until([&] {
      if (!out.empty() && from.stream->write(out) == Io::error) return true;
      char buffer[777];
      size_t n = 0;
      while (to.stream->read(buffer, sizeof buffer, n) == Io::done) to.got.append(buffer, n);
      // Whatever the other side must say of its own accord, tickets among it, is taken.
      while (from.stream->read(buffer, sizeof buffer, n) == Io::done) from.got.append(buffer, n);
      return out.empty() && to.got.size() >= total;
    });
  }
};

TEST_F(Tls, CarriesBodiesBothWaysThroughNarrowSockets) {
  connect();
  ASSERT_TRUE(shake_hands());
  ASSERT_EQ(server.io, Io::done);
  ASSERT_EQ(client.io, Io::done);
  EXPECT_EQ(server.stream->tls()->protocol(), "http/1.1");
  EXPECT_EQ(server.stream->tls()->server_name(), "fixed.example");
  std::string content;
  for (size_t size : {1u, 5u, 16'383u, 16'384u, 16'385u, 100'000u, 300'000u}) {
    Body out;
    content.clear();
    while (content.size() < size) {
      std::string part(std::min<size_t>(size - content.size(), 1 + content.size() % 40'000),
                       static_cast<char>('a' + content.size() % 26));
      content += part;
      out.append(Slice::copy_of(part));
    }
    Body back = out;
    client.got.clear();
    server.got.clear();
    ASSERT_TRUE(move(server, client, out, size));
    EXPECT_TRUE(client.got == content) << size;
    ASSERT_TRUE(move(client, server, back, size));
    EXPECT_TRUE(server.got == content) << size;
  }
}

TEST_F(Tls, OutputIsEmptyOnlyWhenTheSocketHasAllOfIt) {
  connect("fixed.example", 2048);
  ASSERT_TRUE(shake_hands());
  Body out;
  out.append(Slice::copy_of(std::string(200'000, 'x')));
  EXPECT_EQ(server.stream->write(out), Io::would_block);
  EXPECT_GT(out.size(), 0u);
  ASSERT_TRUE(move(server, client, out, 200'000));
  EXPECT_EQ(client.got, std::string(200'000, 'x'));
}

// A kernel that can't (a socket pair has no TLS) leaves the sealing to OpenSSL, and the socket to OpenSSL alike.
TEST_F(Tls, WhatIsForTheKernelToSealArrivesAlsoWithoutOne) {
  auto identity = std::make_shared<TlsIdentity>(*acceptor->identity());
  identity->kernel_seals = true;
  acceptor = std::make_shared<TlsAcceptor>(identity);
  acceptor->set_ticket_keys(std::make_shared<crypto::TicketKeys>(crypto::TicketKeys::fresh(1)));
  connect("fixed.example", 2048);
  ASSERT_TRUE(shake_hands());
  ASSERT_EQ(client.io, Io::done);
  std::string content;
  for (int i = 0; content.size() < 300'000; ++i) content += std::to_string(i);
  Body out;
  out.append(Slice::copy_of(content));
  EXPECT_EQ(server.stream->write(out), Io::would_block) << server.stream->tls()->failure();
  ASSERT_TRUE(move(server, client, out, content.size()));
  EXPECT_TRUE(client.got == content);
  server.stream->shut_write();
  char buffer[16];
  size_t n = 0;
  Io io = Io::would_block;
  ASSERT_TRUE(until([&] { return (io = client.stream->read(buffer, sizeof buffer, n)) != Io::would_block; }));
  EXPECT_EQ(io, Io::eof);
}

TEST_F(Tls, EndsWithCloseNotify) {
  connect();
  ASSERT_TRUE(shake_hands());
  server.stream->shut_write();
  char buffer[16];
  size_t n = 0;
  Io io = Io::would_block;
  ASSERT_TRUE(until([&] { return (io = client.stream->read(buffer, sizeof buffer, n)) != Io::would_block; }));
  EXPECT_EQ(io, Io::eof);
  connect();
  ASSERT_TRUE(shake_hands());
  server.stream.reset();  // without a word: what came may be cut
  ASSERT_TRUE(until([&] { return (io = client.stream->read(buffer, sizeof buffer, n)) != Io::would_block; }));
  EXPECT_EQ(io, Io::error);
}

TEST_F(Tls, SessionsAreResumed) {
  for (bool resumed : {false, true, true}) {
    connect();
    ASSERT_TRUE(shake_hands());
    EXPECT_EQ(server.stream->tls()->resumed(), resumed);
    Body out;
    out.append(Slice::literal("hello"));
    client.got.clear();
    ASSERT_TRUE(move(server, client, out, 5));
  }
}

TEST_F(Tls, WrongNamesAreNotBelieved) {
  connect("other.example");
  ASSERT_TRUE(shake_hands());
  EXPECT_EQ(client.io, Io::error);
  EXPECT_NE(client.stream->tls()->failure().find("hostname mismatch"), std::string::npos)
      << client.stream->tls()->failure();
}

TEST_F(Tls, AProtocolThatIsNotOursEndsTheHandshake) {
  trust_in(crypto::test_certificate, {"spdy/3"});
  connect();
  ASSERT_TRUE(shake_hands());
  EXPECT_EQ(server.io, Io::error);
  EXPECT_EQ(client.io, Io::error);
}

TEST_F(Tls, WhatWasReadBeforeItComesFirst) {
  connect();
  std::string hello(4096, '\0');
  client.io = client.stream->handshake();
  ssize_t size = ::recv(server.stream->fd(), hello.data(), hello.size(), 0);
  ASSERT_GT(size, 0);
  auto session = acceptor->accept();
  session->feed(std::string_view(hello).substr(0, static_cast<size_t>(size)));
  server.stream->start_tls(std::move(session));
  EXPECT_TRUE(server.stream->may_read());
  ASSERT_TRUE(shake_hands());
  EXPECT_EQ(server.io, Io::done);
}

TEST_F(Tls, OnlyAFewHandshakesAreMadeInATurn) {
  worker.turn(0);
  int made = 0;
  while (worker.take_handshake()) ++made;
  EXPECT_GT(made, 0);
  EXPECT_LT(made, 10);
  worker.turn(0);
  EXPECT_TRUE(worker.take_handshake());
}

}  // namespace
}  // namespace portolan::loop
