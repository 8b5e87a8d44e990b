#pragma once
// Everything about health on the control worker: checks, names, peers, failed requests and
// operators' wishes come in, boards go out. All members are called on that worker's thread; other
// threads post to it. Reloads apply in place: what did not change keeps its state, its timing and
// its counts.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.hh"
#include "core/health/board.hh"
#include "core/health/checker.hh"
#include "core/health/peer.hh"
#include "core/health/pool_monitor.hh"
#include "core/health/site_monitor.hh"
#include "core/health/source.hh"
#include "core/health/spec.hh"

namespace portolan::health {

class Monitor final : private CheckObserver {
 public:
  // Called with every new board, at most once a turn of the loop, and once inside each apply() that
  // changes something.
  using OnBoard = std::function<void(std::shared_ptr<const Board>)>;
  Monitor(loop::Worker& control, Lookups lookups, OnBoard on_board, StartProbe start_probe = start_registered_probe());
  ~Monitor();

  void apply(const MonitorSpec& spec);
  // Looks for the servers `spec` names before it is applied, so that no pool is empty then: `done` runs once, now or
  // when all were asked for or `at_most_ms` are over. One at a time.
  void foresee(const MonitorSpec& spec, int64_t at_most_ms, std::function<void()> done);
  std::shared_ptr<const Board> board() const { return board_; }  // never nullptr

  // How the servers of a pool are found; nothing of one that isn't there.
  std::vector<SourceReport> sources(const std::string& pool) const;
  // The first source that nobody had answered for when the last board was made, "app.internal:8080 of pool app"; empty:
  // none.
  const std::string& waits_for() const { return waits_for_; }
  // How much of a service is in use in a datacentre, where the pool it goes by says so.
  std::optional<double> utilization(const std::string& service, const std::string& datacenter) const;
  // The other nodes that are listened to.
  std::vector<std::shared_ptr<const Peer>> peers() const { return peers_.all(); }
  void set_ttl_bounds(const TtlBounds& bounds) { sources_.names().set_bounds(bounds); }

  // A worker saw requests fail at a server (refused, reset, timed out, a status that counts) and has
  // counted them in the ServerState. Enough of them (EjectConfig) eject it for a while, checked or
  // not, as long as not too many are out already and another server is left. Where it is checked,
  // `rise` good checks end a first ejection early; a second soon after runs its time: the checks
  // don't see what the requests see.
  void report_failure(const std::string& pool, const SocketAddress& server, const std::string& reason);

  // Operators. A drained server keeps what it has and gets nothing new, until enabled, but from clients that stick to it
  // (PoolSpec::keep_clients_ms); kept over reloads while the server is configured. Errors name what exists.
  Status drain_server(const std::string& pool, const std::string& server, bool drain);
  Status drain_datacenter(const std::string& name, bool drain);

 private:
  struct PublishSoon final : loop::Runnable {
    explicit PublishSoon(Monitor& m) : monitor(m) {}
    void run() override { monitor.publish(); }
    Monitor& monitor;
  };
  struct Foreseen {
    std::vector<std::shared_ptr<Source>> sources;
    std::function<void()> done;
    bool settled() const;
  };
  void end_foreseen();
  std::string first_waiting() const;
  void on_check(const Target& target, bool good, bool changed) override;
  void on_sources_changed();
  void on_ejection_over();
  void apply_pools(const std::vector<PoolSpec>& specs);
  void apply_services(const std::vector<ServiceSpec>& specs);
  void forget_gone_drains();
  void changed() { worker_.run_next_turn(publish_soon_); }
  void publish();
  bool publish_pools(Board& next);
  bool publish_services(Board& next);

  loop::Worker& worker_;
  OnBoard on_board_;
  Checker checker_;
  Sources sources_;
  Peers peers_;
  Counts counts_;
  std::function<void()> site_changed_ = [this] { changed(); };
  Drains drains_;
  std::vector<std::shared_ptr<Peer>> listened_to_;
  std::vector<std::string> datacenters_;
  std::map<std::string, std::unique_ptr<PoolMonitor>> pools_;
  std::map<std::string, std::vector<SiteMonitor>> services_;
  std::shared_ptr<const Board> board_ = std::make_shared<Board>();
  bool sources_changed_ = false;
  std::string waits_for_;
  loop::Timer ejection_over_;
  std::optional<Foreseen> foreseen_;
  loop::Timer foreseen_over_;
  PublishSoon publish_soon_{*this};
};

}  // namespace portolan::health
