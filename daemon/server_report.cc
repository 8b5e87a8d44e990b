// What the server tells of itself: status, metrics, readiness, health.
#include "core/health/utilization.hh"
#include "daemon/server.hh"
#include "daemon/version.hh"

namespace portolan::daemon {
namespace {

using health::State;

constexpr int64_t names_wait_ms = 5'000;

void add_servers(metrics::Exposition& out, const health::Board& board) {
  out.family("portolan_server_state", "1 for the state a server is in.", "gauge");
  static constexpr State states[] = {State::unknown, State::up, State::down, State::draining, State::ejected};
  for (const auto& [name, pool] : board.pools)
    for (const health::Member& m : pool->members)
      for (State s : states)
        out.sample("portolan_server_state",
                   {{"pool", name}, {"server", m.address.to_string()}, {"state", health::to_string(s)}},
                   m.health.state == s);
  out.family("portolan_server_in_flight", "Requests a server is answering now.", "gauge");
  for (const auto& [name, pool] : board.pools)
    for (const health::Member& m : pool->members)
      out.sample("portolan_server_in_flight", {{"pool", name}, {"server", m.address.to_string()}},
                 static_cast<double>(m.state->in_flight.load()));
  out.family("portolan_server_latency_seconds", "To the first byte, as balance = \"fastest\" remembers it.", "gauge");
  for (const auto& [name, pool] : board.pools)
    for (const health::Member& m : pool->members)
      if (int64_t us = m.state->latency_us.load(std::memory_order_relaxed); us > 0)
        out.sample("portolan_server_latency_seconds", {{"pool", name}, {"server", m.address.to_string()}},
                   static_cast<double>(us) / 1e6);
  out.family("portolan_pool_panic", "1 while too few servers of a pool serve, so that all of them are used.", "gauge");
  for (const auto& [name, pool] : board.pools) out.sample("portolan_pool_panic", {{"pool", name}}, pool->panic);
  out.family("portolan_pool_utilization", "Requests in flight by what the servers that serve take (max_connections).",
             "gauge");
  for (const auto& [name, pool] : board.pools)
    if (auto share = health::utilization(*pool)) out.sample("portolan_pool_utilization", {{"pool", name}}, *share);
  out.family("portolan_server_ejections_total", "How often failed requests took a server out.", "counter");
  for (const auto& [name, pool] : board.pools)
    for (const health::Member& m : pool->members)
      out.sample("portolan_server_ejections_total", {{"pool", name}, {"server", m.address.to_string()}},
                 static_cast<double>(m.state->ejections.load()));
  out.family("portolan_queue_length", "Requests that wait for a server with room.", "gauge");
  for (const auto& [name, pool] : board.pools)
    out.sample("portolan_queue_length", {{"pool", name}}, static_cast<double>(pool->state->queue.size()));
  out.family("portolan_service_up", "1 where a service is healthy in a datacentre.", "gauge");
  for (const auto& [name, sites] : board.services)
    for (const health::Site& site : sites)
      out.sample("portolan_service_up", {{"service", name}, {"datacenter", site.datacenter}},
                 health::serves(site.health.state));
}

struct CacheFigure {
  const char* name;
  const char* help;
  const char* type;
  uint64_t edge::Stats::*value;
};

constexpr CacheFigure cache_figures[] = {
    {"portolan_cache_objects", "Objects stored.", "gauge", &edge::Stats::objects},
    {"portolan_cache_bytes", "Memory in use, overhead and fills included.", "gauge", &edge::Stats::bytes},
    {"portolan_cache_budget_bytes", "Memory allowed.", "gauge", &edge::Stats::budget},
    {"portolan_cache_hits_total", "Requests answered from the store.", "counter", &edge::Stats::hits},
    {"portolan_cache_misses_total", "Requests that began a fetch.", "counter", &edge::Stats::misses},
    {"portolan_cache_collapsed_total", "Requests that followed another's fetch.", "counter", &edge::Stats::collapsed},
    {"portolan_cache_bypassed_total", "Requests that passed untouched.", "counter", &edge::Stats::bypasses},
    {"portolan_cache_stale_total", "Requests that met a stale object.", "counter", &edge::Stats::stale},
    {"portolan_cache_validated_total", "Stored objects refreshed by a 304.", "counter", &edge::Stats::validated},
    {"portolan_cache_stored_total", "Objects stored since the start.", "counter", &edge::Stats::fills},
    {"portolan_cache_evictions_total", "Objects pushed out for want of room.", "counter", &edge::Stats::evictions},
    {"portolan_cache_fetches", "Fetches in progress.", "gauge", &edge::Stats::filling},
    {"portolan_cache_passing_bytes", "In the windows of bodies that aren't stored.", "gauge",
     &edge::Stats::passing_bytes},
    {"portolan_cache_too_large_total", "Bodies above max_object, which streamed through.", "counter",
     &edge::Stats::too_large},
    {"portolan_cache_purged_total", "Objects purged or invalidated.", "counter", &edge::Stats::purged},
    {"portolan_cache_purges_total", "Purges, whatever they reached.", "counter", &edge::Stats::purges},
    {"portolan_cache_purge_entries", "Purges that are remembered.", "gauge", &edge::Stats::purge_entries},
    {"portolan_cache_purges_merged_total", "Times that purge_memory was full and all that was older counted as purged.",
     "counter", &edge::Stats::purges_merged},
    {"portolan_cache_purge_log_errors_total", "Purges that couldn't be written down at once.", "counter",
     &edge::Stats::purge_log_errors},
};

using DiskStats = edge::disk::Stats;
struct DiskFigure {
  const char* name;
  const char* help;
  const char* type;
  uint64_t DiskStats::*value;
};

constexpr DiskFigure disk_figures[] = {
    {"portolan_cache_disk_objects", "Objects on the disk.", "gauge", &DiskStats::objects},
    {"portolan_cache_disk_bytes", "Bytes in use of the disk.", "gauge", &DiskStats::bytes},
    {"portolan_cache_disk_size_bytes", "Bytes that may be used.", "gauge", &DiskStats::budget},
    {"portolan_cache_disk_index_bytes", "Memory of the index.", "gauge", &DiskStats::index_bytes},
    {"portolan_cache_disk_segments", "Segments of the store.", "gauge", &DiskStats::segments},
    {"portolan_cache_disk_segments_free", "Segments without anything stored.", "gauge", &DiskStats::segments_free},
    {"portolan_cache_disk_segments_without_room", "Segments that the file system has no space for.", "gauge",
     &DiskStats::segments_without_room},
    {"portolan_cache_disk_reads_total", "Records read.", "counter", &DiskStats::reads},
    {"portolan_cache_disk_writes_total", "Records written.", "counter", &DiskStats::writes},
    {"portolan_cache_disk_written_bytes_total", "Bytes written.", "counter", &DiskStats::written_bytes},
    {"portolan_cache_disk_moved_bytes_total", "Bytes written again when a segment was reclaimed.", "counter",
     &DiskStats::rewritten_bytes},
    {"portolan_cache_disk_refused_total", "Records not written: too much waited, or the disk was aside.", "counter",
     &DiskStats::refused},
    {"portolan_cache_disk_damaged_total", "Records dropped because a checksum was wrong.", "counter",
     &DiskStats::damaged},
    {"portolan_cache_disk_evicted_total", "Records that went for want of room.", "counter", &DiskStats::evicted},
    {"portolan_cache_disk_reclaimed_total", "Segments made free.", "counter", &DiskStats::reclaimed},
    {"portolan_cache_disk_syncs_total", "Times that writes were flushed.", "counter", &DiskStats::syncs},
    {"portolan_cache_disk_errors_total", "Errors of the disk.", "counter", &DiskStats::errors},
};

void add_disks(metrics::Exposition& out, const CacheCounts& counts) {
  std::vector<std::pair<std::string, edge::Stats>> with;
  for (const auto& cache : counts.caches)
    if (cache.second.disk) with.push_back(cache);
  if (with.empty()) return;
  out.family("portolan_cache_disk_serving", "1 while the disk tier serves; 0 while it starts or is aside.", "gauge");
  for (const auto& [name, stats] : with)
    out.sample("portolan_cache_disk_serving", {{"cache", name}}, stats.disk->state == DiskStats::State::serving);
  out.family("portolan_cache_disk_promoted_total", "Objects that came back from the disk to memory.", "counter");
  for (const auto& [name, stats] : with)
    out.sample("portolan_cache_disk_promoted_total", {{"cache", name}}, static_cast<double>(stats.promoted));
  for (const DiskFigure& f : disk_figures) {
    out.family(f.name, f.help, f.type);
    for (const auto& [name, stats] : with)
      out.sample(f.name, {{"cache", name}}, static_cast<double>((*stats.disk).*f.value));
  }
}

void add_caches(metrics::Exposition& out, const CacheCounts& counts) {
  if (counts.caches.empty()) return;
  for (const CacheFigure& f : cache_figures) {
    out.family(f.name, f.help, f.type);
    for (const auto& [name, stats] : counts.caches)
      out.sample(f.name, {{"cache", name}}, static_cast<double>(stats.*f.value));
  }
  add_disks(out, counts);
}

void add_maintenance(metrics::Exposition& out, const proxy::Snapshot& snapshot) {
  bool any = false;
  for (size_t i = 0; i < snapshot.route_gates.size(); ++i) {
    const auto& gate = snapshot.route_gates[i];
    if (!gate || !gate->maintenance) continue;
    if (!std::exchange(any, true))
      out.family("portolan_maintenance", "1 while a route answers with its maintenance page.", "gauge");
    out.sample("portolan_maintenance", {{"route", snapshot.routes[i].name}}, gate->maintenance->on());
  }
}

}  // namespace

std::string Server::metrics_text() {
  metrics::Exposition out;
  out.family("portolan_info", "The version that runs.", "gauge");
  out.sample("portolan_info",
             {{"version", version}, {"node", config_.server.name}, {"datacenter", config_.server.datacenter}}, 1);
  out.family("portolan_start_time_seconds", "When the process started, in seconds since 1970.", "gauge");
  out.sample("portolan_start_time_seconds", {}, static_cast<double>(started_ms_) / 1000);
  out.family("portolan_configuration_version", "Grows with every reload that was applied.", "gauge");
  out.sample("portolan_configuration_version", {}, static_cast<double>(version_));
  out.family("portolan_access_log_lines_total", "Lines written to the access log.", "counter");
  out.sample("portolan_access_log_lines_total", {}, static_cast<double>(log_writer_->written()));
  out.family("portolan_access_log_dropped_total", "Lines lost to a slow or full disk.", "counter");
  out.sample("portolan_access_log_dropped_total", {}, static_cast<double>(log_writer_->dropped()));
  out.family("portolan_query_log_lines_total", "Lines written to the log of DNS queries.", "counter");
  out.sample("portolan_query_log_lines_total", {}, static_cast<double>(query_log_writer_->written()));
  out.family("portolan_query_log_dropped_total", "Lines of it lost to a slow or full disk.", "counter");
  out.sample("portolan_query_log_dropped_total", {}, static_cast<double>(query_log_writer_->dropped()));
  out.family("portolan_buffer_bytes", "Bytes of requests, answers and stored bodies in blocks of memory.", "gauge");
  out.sample("portolan_buffer_bytes", {}, static_cast<double>(blocks_held()));
  out.family("portolan_buffer_limit_bytes", "server.buffers and the memory of all caches.", "gauge");
  out.sample("portolan_buffer_limit_bytes", {}, static_cast<double>(buffer_limit(config_)));
  add_servers(out, *board_);
  out.family("portolan_source_failing", "1 while the last answer about a name, a SRV set or a list was no good.",
             "gauge");
  for (const auto& [name, pool] : board_->pools)
    for (const health::SourceReport& s : monitor_->sources(name))
      out.sample("portolan_source_failing", {{"pool", name}, {"source", s.source}},
                 s.discovery.state == health::Discovery::State::failing);
  add_dns(out);
  add_caches(out, cache_counts());
  add_maintenance(out, *snapshot_);
  return registry_.expose() + out.take();
}

StatusReport Server::status() {
  StatusReport r;
  r.server = config_.server.name;
  r.datacenter = config_.server.datacenter;
  r.version = version;
  r.now_ms = clock_.wall_ms();
  r.uptime_s = (r.now_ms - started_ms_) / 1000;
  r.workers = static_cast<int>(crews_.size());
  for (const Sockets::Lent& lent : sockets_->all()) {
    if (lent.key.use != Sockets::Use::http) continue;
    std::string label = "listener=\"" + metrics::escape_label(lent.listener) + "\"";
    r.listeners.push_back({lent.listener, lent.key.address.to_string(), registry_.total(proxy::connections_open, label),
                           registry_.total(proxy::requests_total, label)});
    auto config = snapshot_->listeners.find(lent.listener);
    if (config == snapshot_->listeners.end()) continue;
    r.listeners.back().tls = config->second.tls.has_value();
    r.listeners.back().proxy_protocol = config->second.proxy_protocol;
  }
  add_board(r, *board_);
  add_dns(r);
  for (StatusReport::Pool& pool : r.pools)
    if (auto config = snapshot_->pools.find(pool.name); config != snapshot_->pools.end())
      pool.balance = config->second->balance;
  for (StatusReport::Pool& pool : r.pools)
    for (const health::SourceReport& s : monitor_->sources(pool.name))
      pool.sources.push_back({s.source, std::string(health::to_string(s.discovery.state)), s.discovery.reason,
                              s.discovery.since_ms, s.servers});
  for (const auto& peer : monitor_->peers()) {
    auto& p = r.peers.emplace_back();
    p.url = "http://" + peer->url().authority;
    p.server = peer->report().server;
    p.state = health::to_string(peer->state());
    p.reason = peer->reason();
    for (const auto& [service, sites] : peer->report().services) p.services[service] = sites;
  }
  for (const auto& [name, cache] : caches_) {
    edge::Stats s = cache->stats();
    r.caches.push_back({name, s.objects, s.bytes, s.budget, s.hits, s.misses});
  }
  for (size_t i = 0; i < snapshot_->route_gates.size(); ++i)
    if (const auto& gate = snapshot_->route_gates[i]; gate && gate->maintenance && gate->maintenance->on())
      r.maintenance.push_back(snapshot_->routes[i].name);
  r.draining = r.draining || draining_ || leave_->leaving();
  return r;
}

Result<std::string> Server::explain(const ExplainRequest& request) {
  return daemon::explain(request, explain_world());
}

ExplainWorld Server::explain_world() const {
  return {*snapshot_, *board_, config_.caches, clock_.now_us(), geo_.table.get(), clock_.wall_ms()};
}

Status Server::readiness() const {
  if (shutting_down_) return Error{"shutting down"};
  if (node_drained_) return Error{"drained by an operator"};
  for (const auto& [name, config] : snapshot_->pools) {
    if (!config->required) continue;
    auto pool = board_->pools.find(name);
    if (pool == board_->pools.end() || pool->second->serving() == 0)
      return Error{"no server of pool " + name + " serves"};
  }
  // A start without a name server is a start all the same.
  if (clock_.wall_ms() - started_ms_ < names_wait_ms)
    if (std::string name = monitor_->waits_for(); !name.empty()) return Error{"nobody answered yet for " + name};
  return {};
}

void Server::ready(int64_t hold_ms, std::function<void(Status)> done) {
  Status ready = readiness();
  if (ready || hold_ms == 0) return done(ready);
  leave_->hold(hold_ms, [done = std::move(done), ready] { done(ready); });
}

health::Report Server::health() {
  health::Report report = health::report_of(*board_, config_.server.name, config_.server.datacenter);
  report.draining = report.draining || draining_ || leave_->leaving();
  return report;
}

}  // namespace portolan::daemon
