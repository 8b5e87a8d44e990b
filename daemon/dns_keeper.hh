#pragma once
// What control does for DNS beside publishing views: it waits for the first checks before anybody is answered, gathers what
// was asked for, and works out who spills. Control worker only.
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "core/health/monitor.hh"
#include "geodns/server.hh"
#include "geodns/spill.hh"

namespace portolan::daemon {

class DnsKeeper {
 public:
  struct Hooks {
    std::function<void(std::function<void(geodns::Server&)>)> on_workers;  // posted to each
    std::function<void()> rooms_changed;                                   // perhaps: apply() says
    std::function<void()> checked;  // every service was, or has had its time: questions may be answered
    std::function<std::optional<double>(const std::string& service, const std::string& datacenter)> utilization;
  };
  DnsKeeper(loop::Worker& control, Hooks hooks);
  ~DnsKeeper();

  void set_view(const std::shared_ptr<const geodns::View>& view);
  void note(const health::Board& board);      // every board
  void apply(geodns::ServiceStates& states);  // sets rooms, and how long they hold at least
  // Logs where spilling began or ended since it was told last.
  void tell_rooms(const geodns::ServiceStates& states);
  bool limited() const { return spill_.wanted(); }  // some room may be less than full
  bool checked() const { return checked_; }

 private:
  void on_gather();
  void on_tick();
  void on_pass();
  void on_patience_over();
  std::vector<std::vector<double>> utilizations() const;
  loop::Worker& control_;
  Hooks hooks_;
  geodns::Spill spill_;
  std::shared_ptr<const geodns::Directory> directory_;
  std::set<std::pair<std::string, std::string>> spilling_;  // service and datacentre
  bool checked_ = false;
  loop::Timer gather_;
  loop::Timer tick_;
  loop::Timer pass_;        // what holds until the next tick holds for a second less
  int64_t tick_at_us_ = 0;  // the next
  loop::Timer patience_;
  std::shared_ptr<DnsKeeper*> alive_;
};

}  // namespace portolan::daemon
