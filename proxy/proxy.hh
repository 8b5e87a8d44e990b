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
#include "proxy/cluster.hh"
#include "proxy/pool.hh"
#include "proxy/snapshot.hh"

namespace portolan::proxy {

class Connection;
class Fetch;

// What the workers of one process share.
struct Shared {
  loop::LogWriter& log_writer;
  // Any thread: tells control that a request failed at a server.
  std::function<void(const std::string& pool, const SocketAddress& server, const std::string& reason)> report_failure;
  std::atomic<int64_t> connections{0};  // of clients, all workers
  std::atomic<int64_t> most_connections{INT64_MAX};
};

// Families other rooms sum up.
extern const metrics::Family requests_total;    // listener, route, pool, server, status
extern const metrics::Family connections_open;  // listener

struct RequestLabels {
  std::string_view listener, route, pool, server;
  int status = 0;
};

class Proxy {
 public:
  Proxy(loop::Worker& worker, Shared& shared);
  ~Proxy();
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  // ── what control sends ──
  void set_snapshot(std::shared_ptr<const Snapshot> snapshot);
  void set_board(std::shared_ptr<const health::Board> board);
  void listen(const std::string& listener, int fd);  // fd belongs to the Server
  void stop_listening(int fd);                       // connections that came through it end after their request
  void drain();                                      // accepts no more; every connection ends after its request
  size_t connections() const { return connections_.size(); }
  void close_all();

  // ── for connections, exchanges and fetches ──
  loop::Worker& worker() { return worker_; }
  const std::shared_ptr<const Snapshot>& snapshot() const { return snapshot_; }
  Pool& pool() { return pool_; }
  std::shared_ptr<Cluster> cluster(std::string_view pool);  // nullptr: the board doesn't know it (yet)
  bool serves(const std::string& pool, const health::ServerState& server) const;  // by the latest board
  bool draining() const { return draining_; }
  void remove(Connection& connection);  // destroyed when the current callback ends
  void begin_fetch(std::unique_ptr<Fetch> fetch);
  void end_fetch(Fetch& fetch);
  std::string_view date();                     // IMF-fixdate of now
  std::string& scratch() { return scratch_; }  // empty it before use

  void log(const LogEntry& entry, LogFormat format);
  void count_request(const RequestLabels& labels, int64_t duration_us, uint64_t bytes_in, uint64_t bytes_out);
  void count_retry(const std::string& pool);
  void count_cut(std::string_view route, std::string_view pool);
  void report_failure(const std::string& pool, const health::Member& server, const char* kind,
                      const std::string& reason);
  void report_no_server(const health::Pool& pool, int answering);

 private:
  struct Door {  // a listening socket
    std::string listener;
    std::unique_ptr<loop::Listener> accepting;
  };
  struct RequestSeries {
    metrics::Counter* requests;
    metrics::Histogram* seconds;
    metrics::Counter* bytes_in;
    metrics::Counter* bytes_out;
  };
  void accept(int door, UniqueFd socket, const SocketAddress& peer);

  loop::Worker& worker_;
  Shared& shared_;
  loop::LogRing& log_ring_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::shared_ptr<const health::Board> board_;
  std::unordered_map<std::string, std::shared_ptr<Cluster>> clusters_;
  Pool pool_;
  std::unordered_map<int, Door> doors_;
  std::unordered_map<const Connection*, std::unique_ptr<Connection>> connections_;
  std::unordered_map<const Fetch*, std::unique_ptr<Fetch>> fetches_;
  std::unordered_map<std::string, RequestSeries> series_;
  std::string series_key_;
  std::string scratch_;
  std::string log_line_;
  char date_[29];
  int64_t date_s_ = -1;
  bool draining_ = false;
};

}  // namespace portolan::proxy
