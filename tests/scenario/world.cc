#include "world.hh"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <sstream>

#include "core/base/log.hh"
#include "proxy/route_mark.hh"
#include "proxy/told_fields.hh"

namespace portolan::scenario {
namespace {

constexpr int patience = 4000;  // turns, most of them a millisecond apart

void make_quick(int fd) {
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

void reset_socket(UniqueFd& socket) {
  linger hard{1, 0};
  setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  socket.reset();
}

}  // namespace

UniqueFd listen_somewhere(SocketAddress& address, int backlog) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_storage storage{};
  SocketAddress any;
  any.ip = IpAddress::v4(127, 0, 0, 1);
  socklen_t size = any.to(storage);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), size), 0);
  EXPECT_EQ(::listen(fd.get(), backlog), 0);
  address = loop::local_address(fd.get());
  return fd;
}

UniqueFd connect_to(const SocketAddress& address) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  make_quick(fd.get());
  sockaddr_storage storage{};
  socklen_t size = address.to(storage);
  int rc = ::connect(fd.get(), reinterpret_cast<sockaddr*>(&storage), size);
  EXPECT_TRUE(rc == 0 || errno == EINPROGRESS);
  return fd;
}

// ── Peer ──────────────────────────────────────────────────────────────────────────────────────

void Peer::sends(std::string_view bytes) {
  bool sent = world_->until([&] {
    ssize_t n = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n > 0) bytes.remove_prefix(static_cast<size_t>(n));
    return bytes.empty() || (n < 0 && errno != EAGAIN && errno != ENOTCONN);
  });
  EXPECT_TRUE(sent) << "the proxy doesn't take the bytes";
}

size_t Peer::pours(size_t most) {
  std::string block(64 * 1024, 'x');
  size_t sent = 0;
  for (int stuck = 0; sent < most && stuck < 30;) {
    ssize_t n = ::send(socket_.get(), block.data(), std::min(block.size(), most - sent), MSG_NOSIGNAL);
    if (n > 0) sent += static_cast<size_t>(n);
    stuck = n > 0 ? 0 : stuck + 1;
    if (stuck > 0) world_->settle();
  }
  return sent;
}

bool Peer::pull() {
  char buffer[65536];
  ssize_t n = ::recv(socket_.get(), buffer, sizeof buffer, 0);
  if (n > 0) in_.append(buffer, static_cast<size_t>(n));
  if (n == 0) ended_ = true;
  if (n < 0 && errno == ECONNRESET) reset_ = true;
  return n > 0;
}

Message Peer::gets(Kind kind) {
  Message m;
  bool whole = false;
  world_->until([&] {
    while (pull()) {
    }
    whole = take_message(in_, kind, ended_, m);
    return whole || ended_ || reset_;
  });
  EXPECT_TRUE(whole) << "no whole message" << (ended_ ? ", but the end" : "") << (reset_ ? ", but a reset" : "")
                     << ". So far: " << in_.substr(0, 2000);
  return m;
}

Message Peer::gets_head() {
  Message m;
  EXPECT_TRUE(world_->until([&] {
    pull();
    return take_head(in_, m);
  })) << "no head; so far: "
      << in_.substr(0, 2000);
  return m;
}

std::string Peer::reads(size_t bytes) {
  EXPECT_TRUE(world_->until([&] {
    while (in_.size() < bytes && pull()) {
    }
    return in_.size() >= bytes;
  })) << "only "
      << in_.size() << " bytes of " << bytes;
  std::string got = in_.substr(0, bytes);
  in_.erase(0, got.size());
  return got;
}

std::string Peer::reads_to_the_end() {
  EXPECT_TRUE(world_->until([&] {
    pull();
    return ended_ || reset_;
  })) << "it doesn't end";
  return std::move(in_);
}

void Peer::gets_nothing() {
  world_->settle();
  pull();
  EXPECT_EQ(in_, "");
  EXPECT_FALSE(ended_) << "the connection was closed";
  EXPECT_FALSE(reset_) << "the connection was reset";
}

void Peer::is_closed() {
  EXPECT_EQ(reads_to_the_end(), "");
  EXPECT_TRUE(ended_) << "reset instead of closed";
}

void Peer::is_cut() {
  reads_to_the_end();
  EXPECT_TRUE(reset_) << "closed in good order, as if all was well";
}

void Peer::ends_its_side() {
  ::shutdown(socket_.get(), SHUT_WR);
}

void Peer::resets() {
  reset_socket(socket_);
}

// ── the ends ──────────────────────────────────────────────────────────────────────────────────

void Client::asks(const std::string& what, const std::string& fields, const std::string& body) {
  std::string length = body.empty() ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n";
  sends(what + " HTTP/1.1\r\nHost: a.example\r\n" + fields + length + "\r\n" + body);
}

Message Client::get(const std::string& path, const std::string& fields) {
  asks("GET " + path, fields);
  return gets();
}

void ServerEnd::answers(const std::string& body, const std::string& fields, const std::string& status) {
  std::string length = "Content-Length: " + std::to_string(body.size()) + "\r\n";
  sends("HTTP/1.1 " + status + "\r\n" + length + fields + "\r\n" + body);
}

Origin::Origin(World& world) : world_(world), listener_(listen_somewhere(address_)) {}

ServerEnd Origin::accepts() {
  UniqueFd socket;
  EXPECT_TRUE(world_.until([&] {
    socket.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    return static_cast<bool>(socket);
  })) << "the proxy doesn't connect";
  make_quick(socket.get());
  return {world_, std::move(socket), Kind::request};
}

void Origin::nobody_comes() {
  world_.settle();
  UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  EXPECT_FALSE(socket) << "the proxy connected";
}

void Origin::refuses() {
  ::shutdown(listener_.get(), SHUT_RDWR);  // stays bound: nobody else gets the port
}

void Origin::swallows() {
  listener_ = listen_somewhere(address_, 0);
  for (int i = 0; i < 3; ++i) fillers_.push_back(connect_to(address_));
  world_.publish_board();
}

void Origin::is(health::State s) {
  health.state = s;
  world_.publish_board();
}

// ── World ─────────────────────────────────────────────────────────────────────────────────────

World::World(Plan p) : plan(std::move(p)), worker(0, "scenario", clock, 1, registry.add_shard()) {
  log::set_sink([](std::string_view) {});
  shared.report_failure = [this](const std::string& pool, const SocketAddress&, const std::string& reason) {
    reports.push_back(pool + ": " + reason);
  };
  if (plan.cache) {
    plan.cache->name = "edge";
    cache = std::make_shared<edge::Cache>(*plan.cache, 7);
  }
  for (size_t i = 0; i < plan.servers; ++i) origins_.push_back(std::make_unique<Origin>(*this));
  proxy = std::make_unique<proxy::Proxy>(worker, shared);
  publish();
  publish_board();
  door_ = listen_somewhere(door_address_);
  proxy->listen("web", door_.get());
}

World::~World() {
  proxy->close_all();
  settle();
  for (auto& o : origins_) EXPECT_EQ(o->state->in_flight.load(), 0) << "a request was never counted out";
  proxy.reset();
  log::set_sink(nullptr);
}

void World::publish() {
  auto s = std::make_shared<proxy::Snapshot>();
  s->version = ++version_;
  s->node = "edge-1";
  s->timeouts = plan.timeouts;
  for (const std::string& network : plan.trusted) s->trusted.push_back(*IpNetwork::parse(network));
  s->routes = plan.routes;
  if (plan.route_all) {
    proxy::RouteConfig all;
    all.name = "all";
    all.pool = "app";
    if (cache) all.cache = "edge";
    if (plan.amend_route) plan.amend_route(all);
    s->routes.push_back(all);
  }
  for (auto& r : s->routes) r.mark = proxy::route_mark(r);
  for (const auto& r : s->routes) s->route_caches.push_back(r.cache.empty() ? nullptr : cache);
  proxy::PoolConfig pool = plan.pool;
  pool.name = "app";
  pool.retry = plan.retry;
  if (plan.amend_pool) plan.amend_pool(pool);
  s->pools["app"] = std::make_shared<proxy::PoolConfig>(pool);
  proxy::ListenerConfig listener;
  listener.name = "web";
  listener.proxy_protocol = plan.proxy_protocol;
  listener.limits = plan.limits;
  s->listeners["web"] = listener;
  s->router = std::make_unique<proxy::Router>(s->routes);
  if (plan.amend) plan.amend(*s);
  for (size_t i = 0; i < s->routes.size(); ++i)
    s->route_told.push_back(s->route_caches[i] ? proxy::told_fields(s->routes[i], s->user_headers, *s->route_caches[i])
                                               : "");
  proxy->set_snapshot(std::move(s));
}

void World::publish_board() {
  auto pool = std::make_shared<health::Pool>();
  pool->name = "app";
  pool->state = pool_state;
  pool->generation = ++version_;
  for (auto& o : origins_) {
    if (o->removed) continue;
    health::Member m;
    m.address = o->address();
    m.name = m.configured = m.address.to_string();
    m.max_connections = o->max_connections;
    m.backup = o->backup;
    m.health = o->health;
    m.state = o->state;
    m.keeps_clients = o->keeps_clients;
    pool->members.push_back(std::move(m));
  }
  auto board = std::make_shared<health::Board>();
  board->version = ++version_;
  board->pools["app"] = std::move(pool);
  proxy->set_board(std::move(board));
}

Client World::client() {
  Client c(*this, connect_to(door_address_), Kind::response);
  settle();
  return c;
}

ServerEnd World::asked(Client& client, const std::string& what, size_t of) {
  client.asks(what);
  ServerEnd server = origin(of).accepts();
  server.receives();
  return server;
}

void World::advance(int64_t ms) {
  settle();
  for (int64_t step; ms > 0; ms -= step) {
    step = std::min<int64_t>(ms, 100);
    clock.advance_ms(step);
    worker.turn(0);
  }
  clock.advance_ms(2 * loop::Wheel::tick_ms);  // a timer may be a tick late
  settle();
}

bool World::until(const std::function<bool()>& reached) {
  for (int i = 0; i < patience; ++i) {
    worker.turn(0);
    if (reached()) return true;
    if (i > 20) ::poll(nullptr, 0, 1);
  }
  return false;
}

void World::settle() {
  for (int i = 0; i < 12; ++i) worker.turn(0);
  ::poll(nullptr, 0, 1);
  for (int i = 0; i < 4; ++i) worker.turn(0);
}

uint64_t World::count(const std::string& metric, const std::string& part) {
  std::istringstream lines(registry.expose());
  uint64_t sum = 0;
  for (std::string line; std::getline(lines, line);) {
    bool named = line.starts_with(metric + "{") || line.starts_with(metric + " ");
    if (named && line.find(part) != std::string::npos) sum += std::stoull(line.substr(line.rfind(' ') + 1));
  }
  return sum;
}

}  // namespace portolan::scenario
