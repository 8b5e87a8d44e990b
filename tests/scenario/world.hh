#pragma once
// A small world: one worker on a clock that moves only when told to, a proxy between clients and the servers of one
// pool, all on the loopback interface and all in this thread. Nothing happens but in the calls made here; each of them
// lets the proxy do what it can and fails the test when what it waits for doesn't come.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "message.hh"
#include "proxy/proxy.hh"

namespace portolan::scenario {

class World;

// One end of a connection.
class Peer {
 public:
  Peer(World& world, UniqueFd socket, Kind reads) : world_(&world), socket_(std::move(socket)), reads_(reads) {}
  void sends(std::string_view bytes);
  // Sends up to `most` bytes, as many as are taken; how many.
  size_t pours(size_t most);
  Message gets() { return gets(reads_); }  // the next whole message
  Message gets(Kind kind);
  Message gets_head();  // its body stays for reads()
  std::string reads(size_t bytes);
  std::string reads_to_the_end();
  void gets_nothing();  // no byte, no end
  void is_closed();     // nothing more comes, then the end, orderly
  void is_cut();        // whatever still comes, it ends by a reset
  void closes() { socket_.reset(); }
  void ends_its_side();  // FIN, still reading
  void resets();
  int fd() const { return socket_.get(); }

 private:
  bool pull();  // reads what is there; true: something changed
  World* world_;
  UniqueFd socket_;
  Kind reads_;
  std::string in_;
  bool ended_ = false;
  bool reset_ = false;
};

class Client : public Peer {
 public:
  using Peer::Peer;
  // "GET /path", with more fields as "Name: value\r\n".
  void asks(const std::string& what, const std::string& fields = "", const std::string& body = "");
  Message get(const std::string& path, const std::string& fields = "");  // asks and gets
};

class ServerEnd : public Peer {
 public:
  using Peer::Peer;
  void answers(const std::string& body, const std::string& fields = "", const std::string& status = "200 OK");
  Message receives() { return gets(Kind::request); }
};

class Origin {
 public:
  explicit Origin(World& world);
  ServerEnd accepts();  // the next connection of the proxy
  void nobody_comes();
  void refuses();                // from now on connections are refused
  void swallows();               // …or never answered at all
  void is(health::State state);  // what the board says of it
  SocketAddress address() const { return address_; }

  int max_connections = 0;
  bool backup = false;
  bool removed = false;  // no longer in the pool
  bool keeps_clients = false;
  std::shared_ptr<health::ServerState> state = std::make_shared<health::ServerState>();
  health::Health health;

 private:
  World& world_;
  SocketAddress address_;
  UniqueFd listener_;  // listens at address_, and says so there: stands behind it
  std::vector<UniqueFd> fillers_;
};

// What the world is made of; change it later and publish().
struct Plan {
  size_t servers = 1;
  proxy::Timeouts timeouts{};
  std::vector<std::string> trusted{};
  bool proxy_protocol = false;
  http::Limits limits{};
  std::optional<edge::CacheConfig> cache{};
  proxy::RetryConfig retry{};
  proxy::PoolConfig pool{};                  // its retry apart
  std::vector<proxy::RouteConfig> routes{};  // besides the one that sends everything to the pool
  bool route_all = true;
  std::function<void(proxy::Snapshot&)> amend{};           // the last word on it
  std::function<void(proxy::PoolConfig&)> amend_pool{};    // what else is said of the pool
  std::function<void(proxy::RouteConfig&)> amend_route{};  // … and of the route that sends everything there
};

class World {
 public:
  explicit World(Plan plan = {});
  ~World();
  Client client();
  // The client asks, and the request has come to this origin by a new connection: its server's end.
  ServerEnd asked(Client& client, const std::string& what = "GET /", size_t of = 0);
  int door() const { return door_.get(); }
  Origin& origin(size_t i = 0) { return *origins_[i]; }
  void publish();  // the plan, as a new snapshot
  void publish_board();
  void advance(int64_t ms);
  bool until(const std::function<bool()>& reached);  // runs the proxy; false: it never came
  void settle();                                     // runs the proxy until it has nothing more to do
  // The sum of a metric's series whose labels contain `part`.
  uint64_t count(const std::string& metric, const std::string& part = "");

  Plan plan;
  FakeClock clock;
  metrics::Registry registry;
  loop::LogWriter log_writer;
  proxy::Shared shared{log_writer, {}};
  std::vector<std::string> reports;  // failures told to control
  loop::Worker worker;
  std::shared_ptr<health::PoolState> pool_state = std::make_shared<health::PoolState>();
  std::shared_ptr<edge::Cache> cache;
  std::unique_ptr<proxy::Proxy> proxy;

 private:
  std::vector<std::unique_ptr<Origin>> origins_;
  UniqueFd door_;
  SocketAddress door_address_;
  uint64_t version_ = 0;
};

// 127.0.0.1 with a port of the kernel's choice, listening.
UniqueFd listen_somewhere(SocketAddress& address, int backlog = 128);
UniqueFd connect_to(const SocketAddress& address);  // non-blocking, under way

}  // namespace portolan::scenario
