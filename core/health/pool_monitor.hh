#pragma once
// One configured pool on the control worker: its servers' addresses, their checks, what failed
// requests say of them, and what operators asked for; together they make the Pool of the next
// board. Logs every change of a server's state.
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/health/checker.hh"
#include "core/health/outlier.hh"
#include "core/health/source.hh"
#include "core/health/spec.hh"

namespace portolan::health {

// What operators took out of service. A server is named by its address or as its file writes it.
struct Drains {
  std::set<std::pair<std::string, std::string>> servers;    // pool, address
  std::map<std::string, int64_t, std::less<>> datacenters;  // name → wall clock of the drain
  bool has(const std::string& pool, const std::string& server) const { return servers.contains({pool, server}); }
};

// Counts that outlive reloads: one ServerState a (pool, address), one PoolState a pool.
class Counts {
 public:
  std::shared_ptr<ServerState> server(const std::string& pool, const SocketAddress& address);
  std::shared_ptr<PoolState> pool(const std::string& name);
  void forget_unused();  // those nobody holds any more

 private:
  std::map<std::pair<std::string, SocketAddress>, std::shared_ptr<ServerState>> servers_;
  std::map<std::string, std::shared_ptr<PoolState>> pools_;
};

// How an entry of `servers` is found: apart from the health of what it stands for.
struct SourceReport {
  std::string source;  // as written in the file
  Discovery discovery;
  size_t servers = 0;  // in use
};

class PoolMonitor {
 public:
  PoolMonitor(loop::Worker& worker, Checker& checker, Sources& sources, Counts& counts);
  void configure(const PoolSpec& spec);  // unchanged servers keep state, timing and counts
  void refresh_members();                // a source stands for others now

  // Requests failed at this server, the last of them so. True when that changed its state.
  bool report_failure(const SocketAddress& address, const std::string& reason);
  // A check's result, for servers that are ejected. True when it brought one back.
  bool on_check(const Target& target, bool good);
  int64_t expire_ejections();                        // when the next one ends; INT64_MAX: none
  int64_t next_warmth_ms() const;                    // when a slow start has its next step; INT64_MAX: none
  int64_t next_farewell_ms() const;                  // when a drained server's clients must go; INT64_MAX: never
  bool has_server(const std::string& server) const;  // by address or as written
  std::vector<std::string> server_names() const;

  // How the entries that are more than an address are found.
  std::vector<SourceReport> sources() const;
  std::string waits_for() const;  // the first that nobody answered for yet; empty: none

  // The pool as it is now; the previous object where nothing changed.
  std::shared_ptr<const Pool> publish(const Drains& drains);

 private:
  struct Entry {
    SocketAddress address;
    std::string name;                        // as text
    std::string configured;                  // as written in the file
    std::shared_ptr<const ServerSpec> spec;  // as configured, with what its source says of this one
    std::shared_ptr<ServerState> counts;
    std::shared_ptr<Target> target;  // empty without active checks
    Outlier outlier;
    std::string ejected_for;  // the reason
    int good_checks = 0;      // since it was ejected
    int64_t kept_ms = -1;     // it would be out, if others weren't: when that was logged
    int64_t back_ms = -1;     // when it came back, while it starts slowly
  };
  Entry make_entry(const ServerSpec& server, const Found& found, const std::map<SocketAddress, Entry>& previous);
  const Member* published_member(size_t place, const SocketAddress& address) const;
  bool may_eject(const Entry& entry) const;
  void log_kept(Entry& entry, const std::string& reason);
  Health health_of(const Entry& entry, const Drains& drains) const;
  bool keeps_clients(const Entry& entry, const Member& member) const;
  int evidence_of(const Entry& entry) const;
  uint8_t warm_up(Entry& entry, bool comes, bool serves) const;
  bool panics(const Pool& pool) const;
  void log_panic(const Pool& pool) const;
  void log_change(const Entry& entry, const Health& now, State was) const;

  loop::Worker& worker_;
  Checker& checker_;
  Sources& sources_;
  Counts& counts_;
  PoolSpec spec_;
  std::vector<std::shared_ptr<Source>> found_by_;  // of spec_.servers
  std::set<std::string> starting_;                 // of the first configuration, those that have had no address yet
  std::vector<Entry> entries_;
  std::shared_ptr<PoolState> state_;
  std::shared_ptr<const Pool> published_;
};

}  // namespace portolan::health
