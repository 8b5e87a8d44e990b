#include "daemon/server.hh"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sched.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "core/base/log.hh"
#include "daemon/config_check.hh"
#include "daemon/cores.hh"
#include "daemon/error_pages.hh"
#include "daemon/private_file.hh"
#include "daemon/privileges.hh"

namespace portolan::daemon {
namespace {

constexpr int64_t drain_look_ms = 50;
constexpr int64_t stop_limit_ms = 1000;
constexpr int64_t names_wait_ms = 2'000;  // a reload, for the servers behind new names
constexpr size_t file_threads = 2;
constexpr int64_t most_counted = 1 << 20;  // connections with a client each: 32 MiB of addresses, used as they come
constexpr size_t most_hash_threads = 4;
constexpr size_t most_hashes_waiting = 128;
constexpr int hash_niceness = 10;
constexpr size_t most_compress_threads = 4;
constexpr size_t most_compressions_waiting = 256;
constexpr int compress_niceness = 5;

uint64_t any_seed() {
  uint64_t seed;
  system_entropy(&seed, sizeof seed);
  return seed;
}

void log_errors(std::string_view event, const std::vector<std::string>& errors) {
  for (const std::string& e : errors) log::error(event, {{"reason", e}});
}

void make_state_directory(const ProcessConfig& config) {
  if (config.state.empty()) return;
  if (auto made = make_private_directory(config.state, config.user); !made)
    log::warning("nothing is kept over a restart", {{"setting", "server.state"}, {"reason", made.error().text}});
}

std::vector<std::string> files_read_on_reload(const Config& config, const std::string& path) {
  std::vector<std::string> files{path};
  for (const geo::Database& d : config.geo_databases) files.push_back(d.path);
  for (const proxy::RouteConfig& r : config.routes)
    if (r.files) files.push_back(r.files->root);
  if (!config.geodns.cookie_secrets.empty()) files.push_back(config.geodns.cookie_secrets);
  for (std::string& file : tls_files_of(config)) files.push_back(std::move(file));
  for (const proxy::PoolConfig& p : config.pools)
    if (p.sticky && !p.sticky->key_file.empty()) files.push_back(p.sticky->key_file);
  for (std::string& file : gate_files_of(config)) files.push_back(std::move(file));
  if (!config.server.purge.tokens_file.empty()) files.push_back(config.server.purge.tokens_file);
  for (std::string& file : error_page_files_of(config)) files.push_back(std::move(file));
  return files;
}

}  // namespace

int run_daemon(const std::string& config_path) {
  LoadResult loaded = load(config_path, static_cast<uint32_t>(SystemClock().wall_ms() / 1000));
  check_machine(loaded.config, loaded.errors);
  if (!loaded.errors.empty()) {
    for (const std::string& e : loaded.errors) fmt::print(stderr, "{}\n", e);
    return 2;
  }
  Signals::block();
  Server server(config_path);
  if (Status started = server.start(std::move(loaded)); !started) {
    fmt::print(stderr, "portolan: {}\n", started.error().text);
    return 1;
  }
  server.run();
  return 0;
}

Server::Server(std::string config_path)
    : config_path_(std::move(config_path)),
      started_ms_(clock_.wall_ms()),
      control_(-1, "control", clock_, any_seed(), registry_.add_shard()),
      board_(std::make_shared<health::Board>()),
      shutdown_timer_(control_, this, &loop::Calls<&Server::begin_drain>::call),
      drain_timer_(control_, this, &loop::Calls<&Server::look_if_drained>::call),
      watchdog_timer_(control_, this, &loop::Calls<&Server::on_watchdog>::call) {}

Server::~Server() {
  for (Crew& c : crews_) c.worker->stop();
  for (Crew& c : crews_) c.worker->join();
  admin_.reset();
  monitor_.reset();
  aliases_.reset();
  ocsp_.reset();
  resolver_.reset();
  gone_servers_.reset();
  retired_.reset();
  tickets_.reset();
  pool_.reset();
  hasher_.reset();
  compressor_.reset();
  for (Crew& c : crews_) {
    c.dns.reset();
    c.proxy.reset();
  }
  for (const Sockets::Lent& lent : sockets_ ? sockets_->all() : std::vector<Sockets::Lent>())
    if (lent.key.address.is_unix()) ::unlink(lent.key.address.path.c_str());
}

// ── start ─────────────────────────────────────────────────────────────────────────────────────────────────────────

Status Server::start(LoadResult loaded) {
  Config& config = loaded.config;
  log::Level level = log::Level::info;
  log::parse_level(config.log.level, level);
  log::set_level(level);
  descriptors_ = raise_descriptor_limit();
  size_t workers = config.server.workers > 0 ? static_cast<size_t>(config.server.workers) : usable_cores();
  running_ = config.server;
  sockets_ = std::make_unique<Sockets>(workers);
  if (auto opened = sockets_->prepare(config); !opened) return opened;
  make_state_directory(config.server);
  if (auto dropped = drop_privileges(config.server.user); !dropped) return dropped;
  // No thread has been started until here: capabilities and users are a thread's own.
  for (const std::string& problem : unreadable(files_read_on_reload(config, config_path_)))
    log::warning("a reload will fail", {{"reason", problem}});
  log_writer_ = std::make_unique<loop::LogWriter>();
  query_log_writer_ = std::make_unique<loop::LogWriter>();
  if (auto opened = open_logs(config); !opened) return opened;
  pool_ = std::make_unique<loop::ThreadPool>(file_threads);
  retired_ = std::make_unique<Retired>(control_, *pool_);
  disks_ = std::make_unique<DiskKeeper>(control_, clock_);
  shared_.reset(new proxy::Shared{*log_writer_, {}});  // clang 14 knows no such make_unique
  shared_->most_connections = connection_limit(config);
  shared_->most_buffered = buffer_limit(config);
  shared_->client_connections =
      std::make_unique<proxy::ClientCounts>(static_cast<size_t>(std::min(connection_limit(config), most_counted)));
  hasher_ = std::make_unique<loop::ThreadPool>(std::clamp<size_t>(usable_cores() / 2, 1, most_hash_threads),
                                               most_hashes_waiting, hash_niceness);
  shared_->hasher = hasher_.get();
  shared_->report_failure = [this](const std::string& pool, const SocketAddress& server, const std::string& reason) {
    control_.post([this, pool, server, reason] { monitor_->report_failure(pool, server, reason); });
  };
  hire(workers);
  gone_servers_ = std::make_unique<GoneServers>(control_, [this](const auto& kept) {
    for (Crew& c : crews_) c.worker->post([proxy = c.proxy.get(), kept] { proxy->fold_gone_servers(*kept); });
  });
  resolver_ = std::make_unique<loop::Resolver>(control_, config.resolver);
  aliases_ = std::make_unique<geodns::AliasKeeper>(control_, *resolver_, [this] { on_aliases(); });
  health::Lookups lookups{health::resolve_with(*resolver_), health::resolve_services_with(*resolver_),
                          health::read_lists_with(control_, *pool_)};
  monitor_ = std::make_unique<health::Monitor>(control_, std::move(lookups),
                                               [this](auto board) { on_board(std::move(board)); });
  dns_keeper_ = std::make_unique<DnsKeeper>(control_, dns_hooks());
  ocsp_ = std::make_unique<OcspKeeper>(control_, *resolver_, [this](const auto& staples) {
    for (Crew& c : crews_)
      c.worker->post([proxy = c.proxy.get(), dns = c.dns.get(), staples] {
        proxy->set_staples(staples);
        dns->set_staples(staples);
      });
  });
  leave_ = std::make_unique<Leave>(control_, leave_hooks());
  admin_ = std::make_unique<Admin>(control_, *this);
  sticky_key_ = keep_key(config.server.state, "sticky-key");
  const uint32_t serial = loaded.serial;
  Preparation first = prepare(std::move(loaded), geo_, tls_, serial, gates_, sticky_key_);
  if (!first.errors.empty()) return Error{fmt::format("{}", fmt::join(first.errors, "\n"))};
  apply(std::move(first));
  geo_watch_ = std::make_unique<GeoWatch>(control_, *pool_, geo_hooks());
  tickets_ = std::make_unique<TicketKeeper>(control_, *pool_, config_.server.state,
                                            [this](const std::shared_ptr<const crypto::TicketKeys>& keys) {
                                              for (Crew& c : crews_)
                                                c.worker->post([proxy = c.proxy.get(), dns = c.dns.get(), keys] {
                                                  proxy->set_ticket_keys(keys);
                                                  dns->set_ticket_keys(keys);
                                                });
                                            });
  signals_ = std::make_unique<Signals>(control_, [this](int signal) { on_signal(signal); });
  for (Crew& c : crews_) c.worker->start();
  return {};
}

uint32_t Server::unix_seconds() const {
  return static_cast<uint32_t>(clock_.wall_ms() / 1000);
}

// Half of the descriptors are for clients: the other half reaches the servers.
int64_t Server::connection_limit(const Config& config) const {
  if (config.server.max_connections > 0) return config.server.max_connections;
  return std::max<int64_t>(64, static_cast<int64_t>(descriptors_ / 2) - 64);
}

// Stored bodies may be blocks as well.
int64_t Server::buffer_limit(const Config& config) {
  uint64_t bytes = config.server.buffers;
  for (const edge::CacheConfig& cache : config.caches) bytes += cache.memory_bytes;
  return static_cast<int64_t>(bytes);
}

Status Server::open_logs(const Config& config) {
  auto opened = log_writer_->open(config.log.access_path);
  if (opened) opened = query_log_writer_->open(config.log.queries_path);
  if (!opened && opened.error().code == EACCES && !config.server.user.empty())
    return Error{opened.error().text + "; the directory must belong to user " + config.server.user};
  return opened;
}

void Server::hire(size_t workers) {
  for (size_t i = 0; i < workers; ++i) {
    Crew crew;
    crew.worker = std::make_unique<loop::Worker>(static_cast<int>(i), "worker-" + std::to_string(i), clock_, any_seed(),
                                                 registry_.add_shard());
    crew.proxy = std::make_unique<proxy::Proxy>(*crew.worker, *shared_);
    crew.dns = std::make_unique<geodns::Server>(*crew.worker, std::make_shared<geodns::View>(), geodns::ServerLimits{},
                                                query_log_writer_.get());
    crews_.push_back(std::move(crew));
  }
}

void Server::run() {
  uint64_t watchdog_us = 0;
  if (sd_watchdog_enabled(0, &watchdog_us) > 0) {
    watchdog_ms_ = static_cast<int64_t>(watchdog_us / 1000);
    watchdog_timer_.set(watchdog_ms_ / 3);
  }
  log::info("serving", {{"node", config_.server.name}, {"workers", crews_.size()}, {"pid", getpid()}});
  sd_notify(0, "READY=1");
  control_.run();
  for (Crew& c : crews_) c.worker->stop();
  for (Crew& c : crews_) c.worker->join();
  log::info("stopped", {{"node", config_.server.name}});
}

// ── publishing ────────────────────────────────────────────────────────────────────────────────────────────────────

void Server::on_board(std::shared_ptr<const health::Board> board) {
  gone_servers_->note(*board);
  retired_->add(std::exchange(board_, std::move(board)));
  dns_keeper_->note(*board_);
  if (applying_) return;
  post_view(view_with(*board_), board_);
  admin_->health_changed();
}

// From here on nothing can fail.
Executor* Server::compressor(const Config& config) {
  bool asked_for = std::any_of(config.caches.begin(), config.caches.end(),
                               [](const edge::CacheConfig& c) { return !c.compress.codings.empty(); });
  if (asked_for && !compressor_)
    compressor_ = std::make_unique<loop::ThreadPool>(std::clamp<size_t>(usable_cores() / 2, 1, most_compress_threads),
                                                     most_compressions_waiting, compress_niceness);
  return compressor_.get();
}

void Server::apply(Preparation next) {
  applying_ = true;
  retired_->add(std::make_shared<Config>(std::exchange(config_, std::move(next.config))));
  geo_ = std::move(next.geo);
  for (auto& [listener, identity] : tls_.listeners) {
    auto now = next.tls.listeners.find(listener);
    if (now == next.tls.listeners.end() || now->second != identity) retired_->add(std::move(identity));
  }
  tls_ = std::move(next.tls);
  gates_ = std::move(next.gates);
  admin_->purge_access().use(std::move(next.purge_tokens), config_.server.purge);
  ocsp_->watch(tls_);
  lend_tls(next.monitor);
  caches_ = assemble_caches(config_, caches_, compressor(config_));
  disks_->apply(config_, caches_);
  assemble_route_caches(*next.snapshot, caches_);
  next.snapshot->version = ++version_;
  retired_->add(std::exchange(snapshot_, std::move(next.snapshot)));
  resolver_->configure(config_.resolver);
  monitor_->set_ttl_bounds({config_.resolver.min_ttl_ms, config_.resolver.max_ttl_ms});
  monitor_->apply(next.monitor);
  retired_->add(std::exchange(view_, std::move(next.view)));
  cookies_ = std::move(next.cookies);
  aliases_->follow(view_->zones->aliases());
  dns_keeper_->set_view(view_);
  view_ = geodns::with_aliases(*view_with(*board_), aliases_->table());
  applying_ = false;
  std::vector<Sockets::Lent> added;
  std::vector<Sockets::Lent> gone;
  sockets_->commit(config_, added, gone);
  publish(added, std::move(gone));
}

// Board and snapshot travel together, so that no worker ever sees a route without its pool. Sockets that are gone are
// closed when the last worker has let go of them.
void Server::publish(const std::vector<Sockets::Lent>& added, std::vector<Sockets::Lent> gone) {
  lend_to_control(gone);
  auto left = std::make_shared<std::atomic<size_t>>(crews_.size());
  auto closing = std::make_shared<std::vector<Sockets::Lent>>(std::move(gone));
  const geodns::ServerLimits limits = dns_limits();
  for (size_t i = 0; i < crews_.size(); ++i) {
    proxy::Proxy* proxy = crews_[i].proxy.get();
    geodns::Server* dns = crews_[i].dns.get();
    crews_[i].worker->post([this, i, proxy, dns, limits, added, left, closing, snapshot = snapshot_, board = board_,
                            places = geo_.table, view = view_, udp = dns_sockets(Sockets::Use::dns_udp, i),
                            tcp = dns_sockets(Sockets::Use::dns_tcp, i), tls = dns_sockets(Sockets::Use::dns_tls, i)] {
      proxy->set_board(board);
      proxy->set_snapshot(snapshot);
      proxy->set_places(places);
      for (const Sockets::Lent& lent : *closing)
        if (lent.key.use == Sockets::Use::http) proxy->stop_listening(lent.fds[i]);
      for (const Sockets::Lent& lent : added)
        if (lent.key.use == Sockets::Use::http) proxy->listen(lent.listener, lent.fds[i]);
      dns->set_view(view);
      dns->set_limits(limits);
      if (auto set = dns->set_sockets(udp, tcp, tls); !set)
        log::error("DNS can't use its sockets", {{"reason", set.error().text}});
      if (left->fetch_sub(1) == 1) control_.post([this, closing] { sockets_->close(*closing); });
    });
  }
  admin_->health_changed();
}

void Server::lend_to_control(const std::vector<Sockets::Lent>& gone) {
  for (const Sockets::Lent& lent : gone) admin_->stop(lent.fds.front());
  for (const Sockets::Lent& lent : sockets_->all()) {
    int fd = lent.fds.front();
    if (lent.key.use == Sockets::Use::admin) admin_->listen(fd, Admin::Door::control);
    if (lent.key.use == Sockets::Use::metrics) admin_->listen(fd, Admin::Door::metrics);
    if (lent.key.use == Sockets::Use::peers) admin_->listen(fd, Admin::Door::peers, config_.server.peers.allow);
    if (lent.key.use == Sockets::Use::purge) admin_->listen(fd, Admin::Door::purge, config_.server.purge.allow);
  }
}

// ── reload ────────────────────────────────────────────────────────────────────────────────────────────────────────

void Server::reload(std::function<void(const ReloadResult&)> done) {
  if (reloading_) {
    waiting_reloads_.push_back(std::move(done));
    return;
  }
  reloading_ = true;
  sd_notify(0, fmt::format("RELOADING=1\nMONOTONIC_USEC={}", clock_.now_us()).c_str());
  auto shared_done = std::make_shared<decltype(done)>(std::move(done));
  bool taken = pool_->submit([this, path = config_path_, geo = geo_, tls = tls_, gates = gates_,
                              serial = unix_seconds(), key = sticky_key_, view = view_, shared_done] {
    auto next = std::make_shared<Preparation>(prepare(load(path, serial), geo, tls, serial, gates, key, view.get()));
    check_machine(next->config, next->errors);
    control_.post([this, next, shared_done] {
      auto finish = [this, next, shared_done] { finish_reload(std::move(*next), *shared_done); };
      if (!next->errors.empty()) return finish();
      monitor_->foresee(next->monitor, names_wait_ms, finish);
    });
  });
  if (taken) return;
  Preparation none;
  none.errors = {"the process is too busy to reload"};
  finish_reload(std::move(none), *shared_done);
}

void Server::finish_reload(Preparation prepared, const std::function<void(const ReloadResult&)>& done) {
  std::vector<std::string> errors = std::move(prepared.errors);
  if (shutting_down_) errors.emplace_back("the process is stopping");
  const Config& next = prepared.config;
  if (errors.empty())
    if (auto opened = sockets_->prepare(next); !opened) errors.push_back(opened.error().text);
  if (errors.empty() &&
      (next.log.access_path != config_.log.access_path || next.log.queries_path != config_.log.queries_path))
    if (auto opened = open_logs(next); !opened) errors.push_back(opened.error().text);
  int64_t most = connection_limit(next);
  std::vector<std::string> notes;
  if (errors.empty()) {
    notes = waits_for_restart(running_, crews_.size(), next.server);
    for (const std::string& note : notes) log::warning("a change waits for a restart", {{"reason", note}});
    log::Level level = log::Level::info;
    log::parse_level(next.log.level, level);
    log::set_level(level);
    std::vector<std::string> kept = std::move(prepared.kept);
    apply(std::move(prepared));
    log_errors("a file can't be used any more, what was read of it stays", kept);
    errors = std::move(kept);  // told to who asked, though all else took effect
    shared_->most_connections = most;
    shared_->most_buffered = buffer_limit(config_);
    log::info("reloaded", {{"file", config_path_}, {"version", version_}});
  } else {
    sockets_->discard();
    log_errors("a mistake in the configuration", errors);
    log::error("the reload was refused, the old configuration goes on", {{"mistakes", errors.size()}});
  }
  sd_notify(0, "READY=1");
  reloading_ = false;
  done({errors, notes});
  if (waiting_reloads_.empty()) return;
  // One more reload serves everybody who asked meanwhile.
  reload([waiting = std::exchange(waiting_reloads_, {})](const ReloadResult& result) {
    for (const auto& w : waiting) w(result);
  });
}

// ── signals, drain, watchdog ──────────────────────────────────────────────────────────────────────────────────────

void Server::on_signal(int signal) {
  switch (signal) {
    case SIGHUP:
      return reload([](const ReloadResult&) {});
    case SIGUSR1:
      return reopen_logs();
    default:
      if (draining_) return stop_now();
      on_terminate();
  }
}

Leave::Hooks Server::leave_hooks() {
  auto on_workers = [this](auto what) {
    for (Crew& c : crews_) c.worker->post([proxy = c.proxy.get(), what] { what(*proxy); });
  };
  return {[on_workers](bool leaving) { on_workers([leaving](proxy::Proxy& p) { p.set_leaving(leaving); }); },
          [on_workers] { on_workers([](proxy::Proxy& p) { p.end_connections(); }); },
          [this](bool hold) {
            if (auto held = sockets_->hold_clients(hold); !held)
              log::error("new connections can't be held", {{"reason", held.error().text}});
          },
          [this] { return shared_->connections.load(); }};
}

// First it is said, then it is done: who looks at /ready has the delay to send clients elsewhere.
void Server::on_terminate() {
  if (std::exchange(shutting_down_, true) || config_.server.shutdown_delay_ms == 0) return begin_drain();
  log::info("shutting down", {{"serving_for_ms", config_.server.shutdown_delay_ms}});
  sd_notify(0, "STOPPING=1\nSTATUS=not ready any more, still serving");
  leave_->begin();
  admin_->health_changed();
  shutdown_timer_.set(config_.server.shutdown_delay_ms);
}

void Server::begin_drain() {
  shutdown_timer_.cancel();
  draining_ = true;
  drain_until_ms_ = control_.now_ms() + config_.server.drain_ms;
  log::info("draining", {{"connections", shared_->connections.load()}, {"at_most_ms", config_.server.drain_ms}});
  sd_notify(0, "STOPPING=1\nSTATUS=draining");
  auto left = std::make_shared<std::atomic<size_t>>(crews_.size());
  for (Crew& c : crews_) {
    proxy::Proxy* proxy = c.proxy.get();
    c.worker->post([this, proxy, left] {
      proxy->drain();
      if (left->fetch_sub(1) == 1) control_.post([this] { sockets_->close_clients(); });
    });
  }
  admin_->health_changed();
  drain_timer_.set(drain_look_ms);
}

void Server::look_if_drained() {
  if (stopping_) return control_.stop();
  bool late = control_.now_ms() >= drain_until_ms_;
  if (shared_->connections.load() > 0 && !late) return drain_timer_.set(drain_look_ms);
  if (late)
    log::warning("closing connections that did not end in time", {{"connections", shared_->connections.load()}});
  stop_now();
}

// What is still under way is cut, logged and counted before the process ends.
void Server::stop_now() {
  if (std::exchange(stopping_, true)) return control_.stop();
  drain_timer_.set(stop_limit_ms);  // a worker that doesn't turn can't hold the process
  auto left = std::make_shared<std::atomic<size_t>>(crews_.size());
  for (Crew& c : crews_) {
    proxy::Proxy* proxy = c.proxy.get();
    c.worker->post([this, proxy, left] {
      proxy->close_all();
      if (left->fetch_sub(1) == 1) control_.stop();
    });
  }
}

void Server::on_watchdog() {
  bool alive = true;
  for (Crew& c : crews_) {
    int64_t silent = clock_.now_ms() - c.worker->last_turn_ms();
    if (silent > watchdog_ms_ / 2) {
      alive = false;
      log::error("a worker does not turn", {{"worker", c.worker->name()}, {"silent_ms", silent}});
    }
    c.worker->post([] {});
  }
  if (alive) sd_notify(0, "WATCHDOG=1");
  watchdog_timer_.set(watchdog_ms_ / 6);
}

}  // namespace portolan::daemon
