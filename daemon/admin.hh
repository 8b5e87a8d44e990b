#pragma once
// The HTTP server of the control worker. Four kinds of doors, each with its own part of one API:
//   control  the admin Unix socket: everything below
//   metrics  [server].metrics: GET /metrics /ready /health
//   peers    [server.peers].listen: GET /health, for the networks it allows
//   purge    [server.purge].listen: POST /purge and PURGE, for those with a token of its file (daemon/purge_access.hh):
//            "Authorization: Bearer TOKEN", else 401; 429 with Retry-After when it asks for too much
//
//   GET  /status           200, a StatusReport (daemon/status.hh)
//   GET  /metrics          200, Prometheus text
//   GET  /ready            200 "ready", or 503 and why not; with ?hold=DURATION a node that leaves lets connections that
//                          begin wait for so long and answers when no other is left (daemon/leave.hh)
//   GET  /health           200, a health::Report; with ?watch=1[&heartbeat_ms=N] one report a line:
//   at once, at every
//                          change, and every N ms (50 to 10,000; 1,000 when left out)
//   POST /reload           200 {"ok":true, "notes":[…]}, or 422 {"error":…, "errors":[…]}
//   POST /drain, /enable   {"server":{"pool":…,"address":…}} or {"datacenter":…} or {"node":true}:
//                          200 {"ok":true}
//   POST /purge            a PurgeOrder (daemon/purge_order.hh): 200 and its PurgeOutcome, once it is durable
//   PURGE /path?query      the URL of the request's Host, by http and https: the same
//   GET  /cache/urls       text: the URLs asked for most of every cache, or of ?cache=NAME; ?n=N of each (1,000)
//   GET  /cache            the counts of every cache; /cache/top: the keys of the most requests, ?n=N of each (10)
//   GET  /cache/segments   of what disk tiers are made
//   POST /cache/verify     begins to check what caches have on disks, or ?cache=NAME has: 200 and a VerifyState
//                          (daemon/cache_verify.hh); 404 without such a disk, 409 while another check runs
//   GET  /cache/verify     how far the last one is, or what it found; ?segments=1 with each segment
//   POST /cache/inspect    an ExplainRequest: the way to the cache it takes, and what is there for it (all four:
//                          daemon/cache_report.hh; JSON, or text with ?format=text)
//   POST /sign-urls        a SignOrder (daemon/signed_routes.hh): {"urls":[…]}, signed where their routes ask for it
//   POST /maintenance      {"on":true|false, "route":…}, without a route for all: 200 {"routes":[…]}
//   POST /explain          an ExplainRequest (daemon/explain.hh): 200 and its lines as text
//   POST /explain/dns      {"name":…, "type":"A", "from":…}: the same of a name (geodns/explain.hh)
// Every other answer is {"error": what is wrong} with a 4xx or 5xx. One request a connection.
// Bounded: 256 connections a door, ten seconds for a whole request, 64 KiB of body.
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/address.hh"
#include "core/base/result.hh"
#include "core/health/report.hh"
#include "core/loop/listener.hh"
#include "core/loop/worker.hh"
#include "daemon/cache_report.hh"
#include "daemon/cache_verify.hh"
#include "daemon/explain.hh"
#include "daemon/purge_access.hh"
#include "daemon/purge_order.hh"
#include "daemon/signed_routes.hh"
#include "daemon/status.hh"
#include "geodns/explain.hh"

namespace portolan::daemon {

struct ReloadResult {
  std::vector<std::string> errors;  // of the file; none when it is applied
  std::vector<std::string> notes;   // what of it waits for the next start
};

// What the daemon does for its operators. All called on the control worker.
class AdminBackend {
 public:
  virtual ~AdminBackend() = default;
  virtual StatusReport status() = 0;
  // `done` is called once, now or later, on the control worker.
  virtual void reload(std::function<void(const ReloadResult&)> done) = 0;
  virtual Status drain_server(const std::string& pool, const std::string& address, bool drain) = 0;
  virtual Status drain_datacenter(const std::string& name, bool drain) = 0;
  // Of one route, or with an empty name of all that have it; the routes that it changed.
  virtual Result<std::vector<std::string>> set_maintenance(const std::string& route, bool on) = 0;
  virtual Status drain_node(bool drain) = 0;
  // `done` is called once, now or later, on the control worker: when it is durable.
  virtual void purge(PurgeOrder order, std::function<void(Result<PurgeOutcome>)> done) = 0;
  virtual Result<std::string> explain(const ExplainRequest& request) = 0;
  virtual std::vector<std::string> sign_urls(const SignOrder& order) = 0;  // one for each
  virtual Result<std::string> explain_dns(const geodns::ExplainDnsRequest& request) = 0;
  virtual CacheCounts cache_counts() = 0;
  virtual CacheSegments cache_segments() = 0;
  // Of one cache's disk, or with an empty name of all; goes on by itself.
  virtual Status begin_check(const std::string& cache) = 0;
  virtual VerifyState check() = 0;  // the last one
  virtual CacheTops cache_top(size_t most) = 0;
  virtual Result<std::vector<std::string>> hot_urls(const std::string& cache, size_t most) = 0;  // empty: of all
  // `done` is called once, now or later, on the control worker: the cache's disk may have to be read.
  virtual void inspect(const ExplainRequest& request, std::function<void(Result<CacheInspections>)> done) = 0;
  virtual std::string metrics_text() = 0;
  // `done` is called once, now or later; the error says why not. hold_ms: see /ready; 0: nobody waits.
  virtual void ready(int64_t hold_ms, std::function<void(Status)> done) = 0;
  virtual health::Report health() = 0;
};

class AdminConnection;

class Admin {
 public:
  enum class Door : uint8_t { control, metrics, peers, purge };
  Admin(loop::Worker& control, AdminBackend& backend);
  ~Admin();

  // Accepts from a listening socket that stays the caller's. Asked again for the same socket it
  // takes the new list of networks. An empty list allows everybody.
  void listen(int fd, Door door, std::vector<IpNetwork> allow = {});
  void stop(int fd);  // no more from this socket, before it is closed; open connections live on
  PurgeAccess& purge_access() { return purge_access_; }
  void health_changed();  // after every new board: tells those who watch /health
  size_t connections() const { return connections_.size(); }

 private:
  friend class AdminConnection;
  void on_accept(Door door, const std::vector<IpNetwork>& allow, UniqueFd socket, const SocketAddress& peer);
  void closed(AdminConnection& connection);

  loop::Worker& worker_;
  AdminBackend& backend_;
  std::map<int, std::unique_ptr<loop::Listener>> listeners_;
  std::list<std::unique_ptr<AdminConnection>> connections_;
  health::Report told_;
  PurgeAccess purge_access_;
};

}  // namespace portolan::daemon
