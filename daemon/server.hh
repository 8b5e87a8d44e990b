#pragma once
// The process: opens sockets, drops privileges, builds the workers, publishes snapshots, reloads in place, drains. Runs on
// the control worker, in the main thread; the only place that knows everything.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/clock.hh"
#include "core/health/monitor.hh"
#include "core/loop/log_writer.hh"
#include "core/loop/resolver.hh"
#include "core/loop/thread_pool.hh"
#include "daemon/admin.hh"
#include "daemon/assembly.hh"
#include "daemon/config.hh"
#include "daemon/disk_keeper.hh"
#include "daemon/dns_keeper.hh"
#include "daemon/geo_watch.hh"
#include "daemon/gone_servers.hh"
#include "daemon/leave.hh"
#include "daemon/ocsp_keeper.hh"
#include "daemon/preparation.hh"
#include "daemon/retired.hh"
#include "daemon/signals.hh"
#include "daemon/sockets.hh"
#include "daemon/ticket_keeper.hh"
#include "geodns/alias.hh"
#include "geodns/server.hh"
#include "proxy/proxy.hh"

namespace portolan::daemon {

// `portolan run`: until SIGTERM or SIGINT. The exit status: 0, 1 (could not start), 2 (the file has mistakes).
int run_daemon(const std::string& config_path);

class Server final : public AdminBackend {
 public:
  explicit Server(std::string config_path);
  ~Server() override;
  // Everything up to serving. Errors are complete sentences for the operator.
  Status start(LoadResult loaded);
  void run();  // until drained or stopped

  // ── AdminBackend ──
  StatusReport status() override;
  void reload(std::function<void(const ReloadResult&)> done) override;
  Status drain_server(const std::string& pool, const std::string& address, bool drain) override;
  Status drain_datacenter(const std::string& name, bool drain) override;
  Result<std::vector<std::string>> set_maintenance(const std::string& route, bool on) override;
  Status drain_node(bool drain) override;
  void purge(PurgeOrder order, std::function<void(Result<PurgeOutcome>)> done) override;
  Result<std::string> explain(const ExplainRequest& request) override;
  std::vector<std::string> sign_urls(const SignOrder& order) override;
  Result<std::string> explain_dns(const geodns::ExplainDnsRequest& request) override;
  CacheCounts cache_counts() override;
  CacheSegments cache_segments() override;
  Status begin_check(const std::string& cache) override;
  VerifyState check() override;
  CacheTops cache_top(size_t most) override;
  Result<std::vector<std::string>> hot_urls(const std::string& cache, size_t most) override;
  void inspect(const ExplainRequest& request, std::function<void(Result<CacheInspections>)> done) override;
  std::string metrics_text() override;
  void ready(int64_t hold_ms, std::function<void(Status)> done) override;
  health::Report health() override;

 private:
  // One core's worth of traffic.
  struct Crew {
    std::unique_ptr<loop::Worker> worker;
    std::unique_ptr<proxy::Proxy> proxy;
    std::unique_ptr<geodns::Server> dns;
  };

  uint32_t unix_seconds() const;
  int64_t connection_limit(const Config& config) const;
  static int64_t buffer_limit(const Config& config);
  Status open_logs(const Config& config);
  void hire(size_t workers);
  void on_signal(int signal);
  void on_board(std::shared_ptr<const health::Board> board);
  void finish_reload(Preparation next, const std::function<void(const ReloadResult&)>& done);
  void apply(Preparation next);
  Executor* compressor(const Config& config);
  void lend_tls(health::MonitorSpec& spec);
  Result<std::vector<std::shared_ptr<edge::Cache>>> caches_named(const std::string& name);  // empty: all
  DnsKeeper::Hooks dns_hooks();
  GeoWatch::Hooks geo_hooks();
  // To the workers; with the board it follows from, where that is new.
  void post_view(std::shared_ptr<const geodns::View> view, std::shared_ptr<const health::Board> board);
  void take_places(GeoFiles files, std::shared_ptr<geodns::View> view);
  void publish(const std::vector<Sockets::Lent>& added, std::vector<Sockets::Lent> gone);
  void lend_to_control(const std::vector<Sockets::Lent>& gone);
  void add_dns(StatusReport& report) const;
  void add_dns(metrics::Exposition& out) const;
  geodns::ServerLimits dns_limits() const;
  std::vector<int> dns_sockets(Sockets::Use use, size_t worker) const;
  void reopen_logs();
  Leave::Hooks leave_hooks();
  void on_terminate();
  void begin_drain();
  ExplainWorld explain_world() const;
  std::vector<edge::Purge> as_cached(const std::vector<edge::Purge>& purges) const;
  Status readiness() const;
  void look_if_drained();
  void stop_now();
  void on_watchdog();
  std::shared_ptr<const geodns::View> view_with(const health::Board& board) const;
  void on_aliases();

  std::string config_path_;
  SystemClock clock_;
  metrics::Registry registry_;
  Config config_;
  ProcessConfig running_;  // as it was started: what a reload can't change goes by this
  int64_t started_ms_ = 0;
  uint64_t descriptors_ = 0;  // the limit of open files
  loop::Worker control_;
  std::unique_ptr<loop::LogWriter> log_writer_;
  std::unique_ptr<loop::LogWriter> query_log_writer_;
  std::unique_ptr<proxy::Shared> shared_;
  std::unique_ptr<loop::ThreadPool> pool_;
  std::unique_ptr<loop::ThreadPool> hasher_;      // of passwords
  std::unique_ptr<loop::ThreadPool> compressor_;  // of stored answers; null until a cache asks for one
  std::unique_ptr<DiskKeeper> disks_;             // outlives whoever has a cache
  std::unique_ptr<Sockets> sockets_;
  std::vector<Crew> crews_;
  std::unique_ptr<loop::Resolver> resolver_;
  std::unique_ptr<geodns::AliasKeeper> aliases_;
  std::unique_ptr<health::Monitor> monitor_;
  std::unique_ptr<DnsKeeper> dns_keeper_;
  std::unique_ptr<GeoWatch> geo_watch_;
  std::unique_ptr<Admin> admin_;
  std::unique_ptr<Signals> signals_;
  std::unique_ptr<Retired> retired_;
  std::unique_ptr<GoneServers> gone_servers_;
  Caches caches_;
  GeoFiles geo_;
  TlsFiles tls_;
  GateParts gates_;
  std::map<std::string, std::shared_ptr<loop::TlsConnector>> check_tls_;  // by pool or tls_key, for health checks
  std::unique_ptr<TicketKeeper> tickets_;
  crypto::MacKey sticky_key_{};  // of pools whose cookies name no key_file
  std::unique_ptr<OcspKeeper> ocsp_;
  std::shared_ptr<const proxy::Snapshot> snapshot_;
  std::shared_ptr<const health::Board> board_;
  std::shared_ptr<const geodns::CookieJar> cookies_;
  std::shared_ptr<const geodns::View> view_;  // states of the last board
  uint64_t version_ = 0;
  bool applying_ = false;  // boards wait for the snapshot they go with
  bool reloading_ = false;
  std::vector<std::function<void(const ReloadResult&)>> waiting_reloads_;
  std::unique_ptr<Leave> leave_;
  bool node_drained_ = false;   // by an operator
  bool shutting_down_ = false;  // draining_ follows
  bool draining_ = false;
  bool stopping_ = false;
  int64_t drain_until_ms_ = 0;
  loop::Timer shutdown_timer_;
  loop::Timer drain_timer_;
  loop::Timer watchdog_timer_;
  int64_t watchdog_ms_ = 0;
};

}  // namespace portolan::daemon
