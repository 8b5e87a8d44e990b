#pragma once
// One worker's proxy: its client connections, its view of the pools, its idle connections to servers, the fetches that
// fill the cache. Everything but the constructor runs on the worker's thread.
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "core/health/board.hh"
#include "core/loop/listener.hh"
#include "core/loop/log_writer.hh"
#include "proxy/access_log.hh"
#include "proxy/admit/client_counts.hh"
#include "proxy/admit/refusals.hh"
#include "proxy/admit/verifier.hh"
#include "proxy/cluster.hh"
#include "proxy/crowd.hh"
#include "proxy/pool.hh"
#include "proxy/request_meter.hh"
#include "proxy/server_series.hh"
#include "proxy/snapshot.hh"
#include "proxy/source/open_files.hh"
#include "proxy/source_counts.hh"

namespace portolan::proxy {

class Connection;
class Fetch;
class Mirror;
struct Conversation;
struct ListenerView;

// What the workers of one process share.
struct Shared {
  loop::LogWriter& log_writer;
  // Any thread: tells control that a request failed at a server.
  std::function<void(const std::string& pool, const SocketAddress& server, const std::string& reason)> report_failure;
  std::atomic<int64_t> connections{0};  // of clients, all workers
  std::atomic<int64_t> most_connections{INT64_MAX};
  std::atomic<int64_t> most_buffered{INT64_MAX};  // bytes of blocks, those of the caches included
  // Those of each client, where a listener limits them. Room for so many in all.
  std::unique_ptr<ClientCounts> client_connections = std::make_unique<ClientCounts>(4096);
  ClientCounts checked_passwords{1024};
  Executor* hasher = nullptr;  // checks passwords, which takes its time
};

extern const metrics::Family connections_open;  // listener; other rooms sum it up

class Proxy {
 public:
  Proxy(loop::Worker& worker, Shared& shared);
  ~Proxy();
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  // ── what control sends ──
  void set_snapshot(std::shared_ptr<const Snapshot> snapshot);
  // Another location database than the snapshot's, which is what set_snapshot() begins with.
  void set_places(std::shared_ptr<const geo::Table> places) { places_ = std::move(places); }
  void set_board(std::shared_ptr<const health::Board> board);
  void fold_gone_servers(const ServerSeries& kept);  // the series of all others
  void set_ticket_keys(std::shared_ptr<const crypto::TicketKeys> keys);
  void set_staples(std::shared_ptr<const crypto::Staples> staples);
  void listen(const std::string& listener, int fd);       // fd belongs to the Server
  void stop_listening(int fd);                            // connections that came through it end after their request
  void drain();                                           // accepts no more; every connection ends after its request
  void set_leaving(bool leaving) { leaving_ = leaving; }  // every answer ends its connection; new ones are taken
  void end_connections();                                 // idle ones at once, others after their request
  size_t connections() const { return crowd_.size(); }
  void close_all();

  // ── for connections, exchanges and fetches ──
  loop::Worker& worker() { return worker_; }
  const std::shared_ptr<const Snapshot>& snapshot() const { return snapshot_; }
  const geo::Table* places() const { return places_.get(); }  // for this turn; null: no databases
  Pool& pool() { return pool_; }
  // Those of the snapshot that serves now; null for one before it, whose routes are about to go.
  OpenFiles* open_files(const Snapshot& snapshot) { return &snapshot == snapshot_.get() ? &open_files_ : nullptr; }
  // The pool of one of the snapshot's routes, or another that it names; nullptr: the board doesn't know it (yet).
  std::shared_ptr<Cluster> cluster(const Snapshot& snapshot, const RouteConfig& route, const std::string& pool);
  // The pool as it is now, for a request that has asked nobody yet; the same where it is spoken to otherwise by now.
  std::shared_ptr<Cluster> newest(std::shared_ptr<Cluster> cluster);
  // Whether a connection that began under `cluster` may carry requests of those that come now.
  bool serves(const Cluster& cluster, const health::ServerState& server);
  bool draining() const { return draining_; }
  bool leaving() const { return leaving_; }
  void remove(Connection& connection);  // destroyed when the current callback ends
  void begins_to_idle(Connection& connection) { crowd_.begins_to_idle(connection, worker_.now_ms()); }
  // ── when it gets tight ──
  // Up to half of server.max_connections a client may have all that is configured; from there on less and less, down to
  // nothing at the limit.
  int64_t share_left(int64_t of) const;
  int64_t idle_ms(int64_t keepalive_ms) const {  // a second in any case
    return std::max(share_left(keepalive_ms), std::min<int64_t>(keepalive_ms, 1000));
  }
  // Half of server.buffers is in use: windows are small from here on.
  bool memory_tight() const {
    int64_t most = shared_.most_buffered.load(std::memory_order_relaxed);
    return blocks_held() > most / 2;
  }
  bool memory_full() const { return blocks_held() > shared_.most_buffered.load(std::memory_order_relaxed); }
  // False: a request may not begin, and is a 503. Where memory is full, the readers that hold it up go first.
  bool may_begin(const Connection& asking) { return !memory_full() || make_memory(asking); }
  // A handshake with a client begins; false: it may not, its address has too many. True: handshake_over() must follow.
  bool handshake_begins(const IpAddress& peer, const ListenerView& listener);
  void handshake_over(const IpAddress& peer) { handshakes_.sub(peer); }
  std::unique_ptr<Conversation> take_conversation();
  void give_back(std::unique_ptr<Conversation> talk);  // blank
  void begin_fetch(std::unique_ptr<Fetch> fetch);
  void end_fetch(Fetch& fetch);
  size_t mirrors() const { return mirrors_.size(); }  // under way
  void begin_mirror(std::unique_ptr<Mirror> mirror);
  void end_mirror(Mirror& mirror);
  void count_mirrored(const std::string& pool, std::string_view result);
  std::string_view date();  // IMF-fixdate of now

  bool logs() const { return shared_.log_writer.enabled(); }
  void log(const LogEntry& entry, LogFormat format);
  RequestMeter& meter() { return meter_; }
  http::H2SharedBudget& h2_waste() { return h2_waste_; }
  Verifier& verifier() { return verifier_; }
  RefusalMeter& refusals() { return refusals_; }
  // Counts one more connection of a client. `refused`: it has as many as the listener allows, close this one at once.
  ClientCounts::Entry count_client(const ListenerView& listener, const IpAddress& peer);
  void count_retry(const std::string& pool);
  void count_stale(const std::string& pool);
  // `failure`: "", or why it came to nothing.
  void count_handshake(const std::string& listener, const loop::TlsSession& session, std::string_view failure);
  void count_grpc(std::string_view route, std::string_view pool, std::string_view status);  // "": none came
  void count_tunnel(const std::string& listener, int change);                               // 1: one more, -1: one less
  void count_http2_error(const std::string& listener, std::string_view reason);
  void count_cut(std::string_view route, std::string_view pool);
  void count_slow(const std::string& listener, std::string_view body);
  void report_failure(const std::string& pool, const health::Member& server, const char* kind,
                      const std::string& reason);
  void report_no_server(const health::Pool& pool, int answering, const std::string& reason);

 private:
  struct Door {  // a listening socket
    std::string listener;
    std::unique_ptr<loop::Listener> accepting;
  };
  void accept(int door, UniqueFd socket, const SocketAddress& peer);
  std::shared_ptr<const ListenerView> listener_view(const std::string& listener);
  bool make_room(const std::string& listener);  // one connection less; false: all are at work
  bool make_memory(const Connection& asking);   // a little; false: nothing can be given up
  std::shared_ptr<loop::TlsAcceptor> acceptor(const std::string& listener);
  std::shared_ptr<loop::TlsConnector> connector(const std::string& pool);
  void retire_changed_tls();
  std::shared_ptr<Cluster> cluster_named(const std::string& pool);
  void retire_changed_clusters();

  loop::Worker& worker_;
  Shared& shared_;
  loop::LogRing& log_ring_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::shared_ptr<const geo::Table> places_;
  std::shared_ptr<const health::Board> board_;
  // By pool, and by route of snapshot_; made as they are asked for, so that a reload costs a worker only what it uses.
  std::unordered_map<std::string, std::shared_ptr<Cluster>> clusters_;
  std::vector<std::shared_ptr<Cluster>> route_clusters_;
  std::unordered_map<std::string, std::shared_ptr<const ListenerView>> listener_views_;
  std::unordered_map<std::string, std::shared_ptr<loop::TlsAcceptor>> acceptors_;    // by listener
  std::unordered_map<std::string, std::shared_ptr<loop::TlsConnector>> connectors_;  // by pool
  std::shared_ptr<const crypto::TicketKeys> ticket_keys_;
  std::shared_ptr<const crypto::Staples> staples_;
  uint64_t last_id_ = 0;
  Pool pool_;
  OpenFiles open_files_;
  http::H2SharedBudget h2_waste_;
  std::unordered_map<int, Door> doors_;
  Crowd crowd_;
  SourceCounts handshakes_;
  std::vector<std::unique_ptr<Conversation>> spare_conversations_;
  std::unordered_map<const Fetch*, std::unique_ptr<Fetch>> fetches_;
  std::unordered_map<const Mirror*, std::unique_ptr<Mirror>> mirrors_;
  RequestMeter meter_;
  Verifier verifier_;
  RefusalMeter refusals_;
  BlockWriter log_line_;
  char date_[29];
  int64_t date_s_ = -1;
  bool draining_ = false;
  bool leaving_ = false;
};

}  // namespace portolan::proxy
