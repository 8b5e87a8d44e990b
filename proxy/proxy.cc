#include "proxy/proxy.hh"

#include "core/base/log.hh"
#include "core/http/semantics.hh"
#include "proxy/connection.hh"
#include "proxy/fetch.hh"

namespace portolan::proxy {

using metrics::Family;
using metrics::Type;

const Family requests_total{
    "portolan_requests_total", "Requests answered.", Type::counter, {"listener", "route", "pool", "server", "status"}};
const Family connections_open{"portolan_connections", "Client connections open.", Type::gauge, {"listener"}};

namespace {

const Family request_seconds{"portolan_request_duration_seconds",
                             "From a request's first byte to the last byte of its answer.",
                             Type::histogram,
                             {"listener", "route"}};
const Family request_bytes{
    "portolan_request_bytes_total", "Body bytes received from clients.", Type::counter, {"listener", "route"}};
const Family response_bytes{
    "portolan_response_bytes_total", "Body bytes sent to clients.", Type::counter, {"listener", "route"}};
const Family connections_total{
    "portolan_connections_total", "Client connections accepted.", Type::counter, {"listener"}};
const Family connections_refused{"portolan_connections_refused_total",
                                 "Client connections closed at once because server.max_connections is reached.",
                                 Type::counter,
                                 {"listener"}};
const Family retries_total{"portolan_retries_total", "Requests sent again to another server.", Type::counter, {"pool"}};
const Family cut_total{"portolan_responses_cut_total",
                       "Answers that broke off after they had begun: the server failed amid the body.",
                       Type::counter,
                       {"route", "pool"}};
const Family failures_total{
    "portolan_server_failures_total", "Requests that failed at a server.", Type::counter, {"pool", "server", "reason"}};

}  // namespace

Proxy::Proxy(loop::Worker& worker, Shared& shared)
    : worker_(worker),
      shared_(shared),
      log_ring_(shared.log_writer.add_ring()),
      snapshot_(std::make_shared<Snapshot>()),
      board_(std::make_shared<health::Board>()),
      pool_(worker) {}

Proxy::~Proxy() {
  doors_.clear();
  connections_.clear();
  fetches_.clear();
}

// ── what control sends ────────────────────────────────────────────────────────────────────────────────────────────

void Proxy::set_snapshot(std::shared_ptr<const Snapshot> snapshot) {
  snapshot_ = std::move(snapshot);
  series_.clear();
  set_board(board_);
}

void Proxy::set_board(std::shared_ptr<const health::Board> board) {
  auto before = std::move(clusters_);
  clusters_.clear();
  board_ = std::move(board);
  for (const auto& [name, pool] : board_->pools) {
    auto config = snapshot_->pools.find(name);
    if (config == snapshot_->pools.end()) continue;
    auto old = before.find(name);
    if (old != before.end() && old->second->shared_pool() == pool && old->second->config() == config->second) {
      clusters_[name] = old->second;
      before.erase(old);
    } else {
      clusters_[name] = std::make_shared<Cluster>(pool, config->second);
    }
  }
  for (auto& [name, old] : before) {
    old->retire();
    for (const health::Member& m : old->pool().members)
      if (!serves(name, *m.state)) pool_.close_idle(*m.state);
  }
}

bool Proxy::serves(const std::string& pool, const health::ServerState& server) const {
  auto found = clusters_.find(pool);
  if (found == clusters_.end()) return false;
  for (const health::Member& m : found->second->pool().members)
    if (m.state.get() == &server) return health::serves(m.health.state);
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
  for (auto& [key, connection] : connections_)
    if (connection->door() == fd) connection->drain();
}

void Proxy::drain() {
  draining_ = true;
  doors_.clear();
  for (auto& [key, connection] : connections_) connection->drain();
}

void Proxy::close_all() {
  std::vector<Connection*> all;
  for (auto& [key, connection] : connections_) all.push_back(connection.get());
  for (Connection* connection : all) connection->abort();
}

void Proxy::accept(int door, UniqueFd socket, const SocketAddress& peer) {
  const std::string& listener = doors_[door].listener;
  auto config = snapshot_->listeners.find(listener);
  if (config == snapshot_->listeners.end()) return;
  if (shared_.connections.load(std::memory_order_relaxed) >= shared_.most_connections.load(std::memory_order_relaxed)) {
    static log::Limit limit;
    if (limit.pass(worker_.now_ms()))
      log::warning("shedding new connections",
                   {{"reason", "server.max_connections is reached"}, {"listener", listener}});
    worker_.metrics().counter(connections_refused, {listener}).add();
    return;
  }
  shared_.connections.fetch_add(1, std::memory_order_relaxed);
  worker_.metrics().counter(connections_total, {listener}).add();
  worker_.metrics().counter(connections_open, {listener}).add();
  auto connection = std::make_unique<Connection>(*this, config->second, door, std::move(socket), peer);
  Connection& c = *connection;
  connections_.emplace(&c, std::move(connection));
  c.run();
}

void Proxy::remove(Connection& connection) {
  auto found = connections_.find(&connection);
  if (found == connections_.end()) return;
  worker_.bury(std::move(found->second));
  connections_.erase(found);
  shared_.connections.fetch_sub(1, std::memory_order_relaxed);
  worker_.metrics().counter(connections_open, {connection.listener()}).sub();
}

// ── for exchanges and fetches ─────────────────────────────────────────────────────────────────────────────────────

std::shared_ptr<Cluster> Proxy::cluster(std::string_view pool) {
  auto found = clusters_.find(std::string(pool));
  return found == clusters_.end() ? nullptr : found->second;
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

std::string_view Proxy::date() {
  int64_t now_s = worker_.wall_ms() / 1000;
  if (now_s != date_s_) {
    http::write_date(date_, now_s);
    date_s_ = now_s;
  }
  return {date_, sizeof date_};
}

void Proxy::log(const LogEntry& entry, LogFormat format) {
  if (!shared_.log_writer.enabled()) return;
  log_line_.clear();
  write_log_line(log_line_, entry, format);
  log_ring_.append(log_line_);
  shared_.log_writer.wake();
}

void Proxy::count_request(const RequestLabels& labels, int64_t duration_us, uint64_t bytes_in, uint64_t bytes_out) {
  series_key_.assign(labels.listener).append(1, '\0').append(labels.route).append(1, '\0');
  series_key_.append(labels.server).append(1, '\0').append(labels.pool);
  series_key_.append(reinterpret_cast<const char*>(&labels.status), sizeof labels.status);
  auto found = series_.find(series_key_);
  if (found == series_.end()) {
    metrics::Shard& shard = worker_.metrics();
    std::string status = std::to_string(labels.status);
    RequestSeries s{&shard.counter(requests_total, {labels.listener, labels.route, labels.pool, labels.server, status}),
                    &shard.histogram(request_seconds, {labels.listener, labels.route}),
                    &shard.counter(request_bytes, {labels.listener, labels.route}),
                    &shard.counter(response_bytes, {labels.listener, labels.route})};
    found = series_.emplace(series_key_, s).first;
  }
  found->second.requests->add();
  found->second.seconds->observe_us(static_cast<uint64_t>(duration_us));
  if (bytes_in) found->second.bytes_in->add(bytes_in);
  if (bytes_out) found->second.bytes_out->add(bytes_out);
}

void Proxy::count_retry(const std::string& pool) {
  worker_.metrics().counter(retries_total, {pool}).add();
}

void Proxy::count_cut(std::string_view route, std::string_view pool) {
  worker_.metrics().counter(cut_total, {route, pool}).add();
}

void Proxy::report_failure(const std::string& pool, const health::Member& server, const char* kind,
                           const std::string& reason) {
  worker_.metrics().counter(failures_total, {pool, server.address.to_string(), kind}).add();
  if (shared_.report_failure) shared_.report_failure(pool, server.address, reason);
}

void Proxy::report_no_server(const health::Pool& pool, int answering) {
  static log::Limit limit;
  if (!limit.pass(worker_.now_ms())) return;
  log::error(
      "no server left",
      {{"pool", pool.name}, {"answering", answering}, {"servers", pool.members.size()}, {"serving", pool.serving()}});
}

}  // namespace portolan::proxy
