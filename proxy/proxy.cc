#include "proxy/proxy.hh"

#include <unordered_set>

#include "core/base/log.hh"
#include "core/http/semantics.hh"
#include "proxy/connection.hh"
#include "proxy/fetch.hh"
#include "proxy/mirror.hh"

namespace portolan::proxy {

template <class Visit>
void Crowd::each(Visit visit) {
  for (Connection* c = newest_; c; c = c->next_) visit(*c);
}

using metrics::Family;
using metrics::Type;

const Family connections_open{"portolan_connections", "Client connections open.", Type::gauge, {"listener"}};

namespace {

const Family connections_total{
    "portolan_connections_total", "Client connections accepted.", Type::counter, {"listener"}};
const Family connections_refused{"portolan_connections_refused_total",
                                 "Client connections closed at once because server.max_connections is reached.",
                                 Type::counter,
                                 {"listener"}};
const Family connections_evicted{
    "portolan_connections_evicted_total",
    "Client connections closed for new ones because server.max_connections is near: idle, or "
    "with no whole request yet.",
    Type::counter,
    {"listener", "state"}};
const Family readers_cut{"portolan_slow_readers_cut_total",
                         "Answers cut because their clients took them too slowly while memory was full.",
                         Type::counter,
                         {"listener"}};
const Family requests_shed{
    "portolan_requests_shed_total", "Requests answered 503 because memory was full.", Type::counter, {"listener"}};
const Family client_connections_refused{
    "portolan_client_connections_refused_total",
    "Client connections closed at once because the client has listener.max_connections_per_client of them.",
    Type::counter,
    {"listener"}};
const Family retries_total{"portolan_retries_total", "Requests sent again to another server.", Type::counter, {"pool"}};
const Family stale_total{"portolan_stale_connections_total",
                         "Requests sent on an idle connection that its server closed just then.",
                         Type::counter,
                         {"pool"}};
const Family cut_total{"portolan_responses_cut_total",
                       "Answers that broke off after they had begun: the server failed amid the body.",
                       Type::counter,
                       {"route", "pool"}};
const Family handshakes_total{
    "portolan_tls_handshakes_total", "TLS handshakes with clients.", Type::counter, {"listener", "version", "resumed"}};
const Family handshake_failures_total{"portolan_tls_handshake_failures_total",
                                      "TLS handshakes with clients that came to nothing.",
                                      Type::counter,
                                      {"listener", "reason"}};
const Family grpc_total{
    "portolan_grpc_responses_total", "gRPC answers, by their status.", Type::counter, {"route", "pool", "grpc_status"}};
const Family tunnels_open{"portolan_tunnels", "Tunnels (WebSocket) open.", Type::gauge, {"listener"}};
const Family tunnels_total{"portolan_tunnels_total", "Tunnels (WebSocket) opened.", Type::counter, {"listener"}};
const Family http2_errors_total{"portolan_http2_connections_broken_total",
                                "HTTP/2 connections ended for what the client did.",
                                Type::counter,
                                {"listener", "reason"}};
const Family slow_total{"portolan_slow_clients_total",
                        "Requests ended because the client sent its body, or took the answer, slower than min_rate.",
                        Type::counter,
                        {"listener", "body"}};
const Family failures_total{
    "portolan_server_failures_total", "Requests that failed at a server.", Type::counter, {"pool", "server", "reason"}};

constexpr size_t most_spares = 256;        // conversations kept for reuse
constexpr size_t beyond_head = 16 * 1024;  // room for what comes with the longest head

}  // namespace

Proxy::Proxy(loop::Worker& worker, Shared& shared)
    : worker_(worker),
      shared_(shared),
      log_ring_(shared.log_writer.add_ring()),
      snapshot_(std::make_shared<Snapshot>()),
      board_(std::make_shared<health::Board>()),
      pool_(worker),
      open_files_(worker),
      handshakes_(worker.rng().next()),
      meter_(worker.metrics()),
      verifier_(worker, shared.hasher, shared.checked_passwords),
      refusals_(worker.metrics()) {}

Proxy::~Proxy() {
  doors_.clear();
  mirrors_.clear();  // before what feeds them
  crowd_.destroy_all();
  fetches_.clear();
}

// ── what control sends ────────────────────────────────────────────────────────────────────────────────────────────

void Proxy::set_snapshot(std::shared_ptr<const Snapshot> snapshot) {
  // With a count of its own: exchanges hold it, and the workers' cores should not have to share one count.
  const Snapshot* plain = snapshot.get();
  places_ = snapshot->geo;
  snapshot_ = std::shared_ptr<const Snapshot>(plain, [kept = std::move(snapshot)](const Snapshot*) {});
  listener_views_.clear();
  open_files_.clear();
  retire_changed_tls();
  retire_changed_clusters();
}

void Proxy::set_board(std::shared_ptr<const health::Board> board) {
  board_ = std::move(board);
  retire_changed_clusters();
}

void Proxy::fold_gone_servers(const ServerSeries& kept) {
  meter_.forget();
  for (const Family* family : {&requests_total, &failures_total})
    worker_.metrics().fold(*family, [&](std::string_view labels) { return kept.fold(labels); });
}

void Proxy::set_ticket_keys(std::shared_ptr<const crypto::TicketKeys> keys) {
  ticket_keys_ = std::move(keys);
  for (auto& [listener, acceptor] : acceptors_) acceptor->set_ticket_keys(ticket_keys_);
}

void Proxy::set_staples(std::shared_ptr<const crypto::Staples> staples) {
  staples_ = std::move(staples);
  for (auto& [listener, acceptor] : acceptors_) acceptor->set_staples(staples_);
}

void Proxy::retire_changed_tls() {
  std::erase_if(acceptors_, [this](const auto& entry) {
    auto now = snapshot_->listener_tls.find(entry.first);
    return now == snapshot_->listener_tls.end() || now->second != entry.second->identity();
  });
  std::erase_if(connectors_, [this](const auto& entry) {
    auto now = snapshot_->pool_tls.find(entry.first);
    return now == snapshot_->pool_tls.end() || now->second != entry.second->trust();
  });
}

std::shared_ptr<loop::TlsAcceptor> Proxy::acceptor(const std::string& listener) {
  auto identity = snapshot_->listener_tls.find(listener);
  if (identity == snapshot_->listener_tls.end()) return nullptr;
  auto& made = acceptors_[listener];
  if (!made) {
    made = std::make_shared<loop::TlsAcceptor>(identity->second);
    made->set_ticket_keys(ticket_keys_);
    made->set_staples(staples_);
  }
  return made;
}

std::shared_ptr<loop::TlsConnector> Proxy::connector(const std::string& pool) {
  auto trust = snapshot_->pool_tls.find(pool);
  if (trust == snapshot_->pool_tls.end()) return nullptr;
  auto& made = connectors_[pool];
  if (!made) made = std::make_shared<loop::TlsConnector>(trust->second);
  return made;
}

void Proxy::retire_changed_clusters() {
  meter_.forget();
  refusals_.forget();
  route_clusters_.clear();
  std::erase_if(clusters_, [this](const auto& entry) {
    const auto& [name, cluster] = entry;
    auto pool = board_->pools.find(name);
    auto config = snapshot_->pools.find(name);
    bool known = pool != board_->pools.end() && config != snapshot_->pools.end();
    auto tls = known ? connector(name) : nullptr;
    if (known && cluster->is_of(pool->second, config->second, tls)) return false;
    cluster->retire();
    if (auto& queue = cluster->pool().state->queue; !queue.empty()) queue.wake_all();
    std::unordered_set<const health::ServerState*> serving;
    if (known && cluster->tls() == tls)
      for (const health::Member& m : pool->second->members)
        if (health::serves(m.health.state) || m.keeps_clients) serving.insert(m.state.get());
    for (const health::Member& m : cluster->pool().members)
      if (!serving.contains(m.state.get())) pool_.close_idle(*m.state);
    return true;
  });
}

bool Proxy::serves(const Cluster& cluster, const health::ServerState& server) {
  const std::string& pool = cluster.pool().name;
  auto found = board_->pools.find(pool);
  if (found == board_->pools.end() || !snapshot_->pools.contains(pool) || connector(pool) != cluster.tls())
    return false;
  for (const health::Member& m : found->second->members)
    if (m.state.get() == &server) return health::serves(m.health.state) || m.keeps_clients;
  return false;
}

void Proxy::listen(const std::string& listener, int fd) {
  Door& door = doors_[fd];
  door.listener = listener;
  door.accepting = std::make_unique<loop::Listener>(
      worker_, fd, [this, fd](UniqueFd socket, const SocketAddress& peer) { accept(fd, std::move(socket), peer); });
}

void Proxy::stop_listening(int fd) {
  doors_.erase(fd);
  crowd_.each([fd](Connection& c) {
    if (c.door() == fd) c.drain();
  });
}

void Proxy::drain() {
  draining_ = true;
  doors_.clear();
  end_connections();
}

void Proxy::end_connections() {
  crowd_.each([](Connection& c) { c.drain(); });
}

void Proxy::close_all() {
  while (Connection* c = crowd_.newest()) c->abort();
}

std::shared_ptr<const ListenerView> Proxy::listener_view(const std::string& listener) {
  auto& view = listener_views_[listener];
  if (view) return view;
  auto config = snapshot_->listeners.find(listener);
  if (config == snapshot_->listeners.end()) return nullptr;
  Timeouts timeouts = snapshot_->timeouts_of(config->second);
  int64_t look_ms = timeouts.min_rate > 0 ? std::min(timeouts.idle, timeouts.min_rate_after) : timeouts.idle;
  view = std::make_shared<ListenerView>(
      ListenerView{++last_id_, config->second, timeouts, &worker_.metrics().counter(connections_open, {listener}),
                   &worker_.metrics().counter(connections_total, {listener}), acceptor(listener),
                   config->second.hsts ? config->second.hsts->field() : "",
                   config->second.limits.head_bytes + beyond_head, look_ms});
  return view;
}

void Proxy::accept(int door, UniqueFd socket, const SocketAddress& peer) {
  const std::string& listener = doors_[door].listener;
  auto view = listener_view(listener);
  if (!view) return;
  int64_t most = shared_.most_connections.load(std::memory_order_relaxed);
  auto open = [this] { return shared_.connections.load(std::memory_order_relaxed); };
  // The last sixteenth is for workers all of whose connections are at work.
  if (open() >= most - most / 16 && !make_room(listener) && open() >= most) {
    static log::Limit limit;
    if (limit.pass(worker_.now_ms()))
      log::warning("shedding new connections",
                   {{"reason", "server.max_connections is reached"}, {"listener", listener}});
    worker_.metrics().counter(connections_refused, {listener}).add();
    return;
  }
  // Who comes by the PROXY protocol is known, and counted, when its header is there.
  auto counted = view->config.proxy_protocol ? ClientCounts::uncounted : count_client(*view, peer.ip);
  if (counted == ClientCounts::refused) return;
  shared_.connections.fetch_add(1, std::memory_order_relaxed);
  view->accepted->add();
  view->open->add();
  auto* c = new Connection(*this, std::move(view), door, std::move(socket), peer);
  c->counted_ = counted;
  crowd_.add(*c, worker_.now_ms());
  c->run();
}

ClientCounts::Entry Proxy::count_client(const ListenerView& listener, const IpAddress& peer) {
  const std::string& name = listener.config.name;
  const auto most = static_cast<uint64_t>(listener.config.max_connections_per_client);
  IpAddress client = peer.unmapped();
  // A trusted proxy brings those of many clients, and what has no address is of this machine.
  if (most == 0 || client.family == IpAddress::Family::none || contains(snapshot_->trusted, client))
    return ClientCounts::uncounted;
  auto entry = shared_.client_connections->acquire(name, client, most);
  if (entry != ClientCounts::refused) return entry;
  static log::Limit limit;
  if (limit.pass(worker_.now_ms()))
    log::warning("connection refused", {{"reason", "the client has listener.max_connections_per_client of them"},
                                        {"listener", name},
                                        {"client", client.to_string()}});
  worker_.metrics().counter(client_connections_refused, {name}).add();
  return entry;
}

void Proxy::remove(Connection& connection) {
  crowd_.remove(connection);
  shared_.connections.fetch_sub(1, std::memory_order_relaxed);
  shared_.client_connections->release(connection.counted_);
  connection.listener().open->sub();
  worker_.bury(std::unique_ptr<loop::Mortal>(&connection));
}

// ── when it gets tight ────────────────────────────────────────────────────────────────────────────────────────────

bool Proxy::make_room(const std::string& listener) {
  Connection* c = crowd_.least_needed(worker_.now_ms());
  if (!c) return false;
  bool idle = c->standing() == Connection::Standing::idle;
  static log::Limit limit;
  if (limit.pass(worker_.now_ms()))
    log::warning("closing the oldest idle connections for new ones",
                 {{"reason", "server.max_connections is near"}, {"listener", listener}});
  worker_.metrics().counter(connections_evicted, {c->listener().config.name, idle ? "idle" : "incomplete"}).add();
  c->give_way();
  return true;
}

int64_t Proxy::share_left(int64_t of) const {
  int64_t open = shared_.connections.load(std::memory_order_relaxed);
  int64_t most = shared_.most_connections.load(std::memory_order_relaxed);
  if (open <= most / 2) return of;
  return of * std::max<int64_t>(most - open, 0) / (most - most / 2);
}

bool Proxy::make_memory(const Connection& asking) {
  static log::Limit limit;
  if (limit.pass(worker_.now_ms()))
    log::warning("memory is short: cutting the slowest readers",
                 {{"reason", "server.buffers is reached"}, {"held_bytes", blocks_held()}});
  // More than a request needs while memory is tight.
  int cut = 0;
  for (Connection* c; cut < 2 && (c = crowd_.slowest_reader(asking, worker_.now_ms())); ++cut) {
    worker_.metrics().counter(readers_cut, {c->listener().config.name}).add();
    c->cut_off();
  }
  if (cut > 0) return true;
  worker_.metrics().counter(requests_shed, {asking.listener().config.name}).add();
  return false;
}

bool Proxy::handshake_begins(const IpAddress& peer, const ListenerView& listener) {
  int most = listener.config.tls->handshakes_per_source;
  if (handshakes_.add(peer) <= most || most == 0 || contains(snapshot_->trusted, peer.unmapped())) return true;
  handshakes_.sub(peer);
  worker_.metrics().counter(handshake_failures_total, {listener.config.name, "too many of its source"}).add();
  return false;
}

// ── for exchanges and fetches ─────────────────────────────────────────────────────────────────────────────────────

std::shared_ptr<Cluster> Proxy::cluster(const Snapshot& snapshot, const RouteConfig& route, const std::string& pool) {
  if (&snapshot != snapshot_.get() || &pool != &route.pool) return cluster_named(pool);
  if (route_clusters_.empty()) route_clusters_.resize(snapshot.routes.size());
  auto& cluster = route_clusters_[static_cast<size_t>(&route - snapshot.routes.data())];
  if (!cluster) cluster = cluster_named(pool);
  return cluster;
}

std::shared_ptr<Cluster> Proxy::cluster_named(const std::string& name) {
  auto found = clusters_.find(name);
  if (found != clusters_.end()) return found->second;
  auto pool = board_->pools.find(name);
  auto config = snapshot_->pools.find(name);
  if (pool == board_->pools.end() || config == snapshot_->pools.end()) return nullptr;
  return clusters_[name] = std::make_shared<Cluster>(pool->second, config->second, ++last_id_, connector(name));
}

std::shared_ptr<Cluster> Proxy::newest(std::shared_ptr<Cluster> cluster) {
  if (!cluster->retired()) return cluster;
  auto now = cluster_named(cluster->pool().name);
  bool alike = now && now->tls() == cluster->tls() && now->config().http2 == cluster->config().http2;
  return alike ? now : cluster;
}

std::unique_ptr<Conversation> Proxy::take_conversation() {
  if (spare_conversations_.empty()) return std::make_unique<Conversation>();
  auto talk = std::move(spare_conversations_.back());
  spare_conversations_.pop_back();
  return talk;
}

void Proxy::give_back(std::unique_ptr<Conversation> talk) {
  if (spare_conversations_.size() < most_spares) spare_conversations_.push_back(std::move(talk));
}

void Proxy::begin_fetch(std::unique_ptr<Fetch> fetch) {
  Fetch& f = *fetch;
  fetches_.emplace(&f, std::move(fetch));
  f.start();
}

void Proxy::end_fetch(Fetch& fetch) {
  auto found = fetches_.find(&fetch);
  if (found == fetches_.end()) return;
  worker_.bury(std::move(found->second));
  fetches_.erase(found);
}

void Proxy::begin_mirror(std::unique_ptr<Mirror> mirror) {
  Mirror& m = *mirror;
  mirrors_.emplace(&m, std::move(mirror));
  m.start();
}

void Proxy::end_mirror(Mirror& mirror) {
  auto found = mirrors_.find(&mirror);
  if (found == mirrors_.end()) return;
  worker_.bury(std::move(found->second));
  mirrors_.erase(found);
}

void Proxy::count_mirrored(const std::string& pool, std::string_view result) {
  worker_.metrics().counter(mirrored_total, {pool, result}).add();
}

std::string_view Proxy::date() {
  int64_t now_s = worker_.wall_ms() / 1000;
  if (now_s != date_s_) {
    http::write_date(date_, now_s);
    date_s_ = now_s;
  }
  return {date_, sizeof date_};
}

void Proxy::log(const LogEntry& entry, LogFormat format) {
  log_line_.clear();
  write_log_line(log_line_, entry, format);
  log_ring_.append(log_line_.view());
  shared_.log_writer.wake(log_ring_);
}

void Proxy::count_retry(const std::string& pool) {
  worker_.metrics().counter(retries_total, {pool}).add();
}

void Proxy::count_stale(const std::string& pool) {
  worker_.metrics().counter(stale_total, {pool}).add();
}

void Proxy::count_handshake(const std::string& listener, const loop::TlsSession& session, std::string_view failure) {
  if (failure.empty()) {
    worker_.metrics().counter(handshakes_total, {listener, session.version(), session.resumed() ? "yes" : "no"}).add();
    return;
  }
  worker_.metrics().counter(handshake_failures_total, {listener, failure}).add();
  log::debug("handshake failed", {{"listener", listener}, {"reason", session.failure()}});
}

void Proxy::count_grpc(std::string_view route, std::string_view pool, std::string_view status) {
  worker_.metrics().counter(grpc_total, {route, pool, status.empty() ? "none" : status}).add();
}

void Proxy::count_tunnel(const std::string& listener, int change) {
  metrics::Counter& open = worker_.metrics().counter(tunnels_open, {listener});
  if (change < 0) return open.sub();
  open.add();
  worker_.metrics().counter(tunnels_total, {listener}).add();
}

void Proxy::count_http2_error(const std::string& listener, std::string_view reason) {
  worker_.metrics().counter(http2_errors_total, {listener, reason}).add();
}

void Proxy::count_cut(std::string_view route, std::string_view pool) {
  worker_.metrics().counter(cut_total, {route, pool}).add();
}

void Proxy::count_slow(const std::string& listener, std::string_view body) {
  worker_.metrics().counter(slow_total, {listener, body}).add();
}

void Proxy::report_failure(const std::string& pool, const health::Member& server, const char* kind,
                           const std::string& reason) {
  worker_.metrics().counter(failures_total, {pool, server.address.to_string(), kind}).add();
  // Once until control has looked: it reads the counts, and a dead server's requests would fill its mailbox.
  if (shared_.report_failure && !server.state->failure_told.exchange(true))
    shared_.report_failure(pool, server.address, reason);
}

void Proxy::report_no_server(const health::Pool& pool, int answering, const std::string& reason) {
  static log::Limit limit;
  if (!limit.pass(worker_.now_ms())) return;
  log::error("no server left", {{"pool", pool.name},
                                {"answering", answering},
                                {"reason", reason},
                                {"servers", pool.members.size()},
                                {"serving", pool.serving()}});
}

}  // namespace portolan::proxy
