#pragma once
// Servers that left their pools for good: their series don't stay for ever. Some minutes after one left, the series of all
// that are not there any more are to be folded into one a pool (proxy/server_series): what was counted stays in the sums.
// On the control worker.
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "core/health/board.hh"
#include "core/loop/worker.hh"
#include "proxy/server_series.hh"

namespace portolan::daemon {

class GoneServers {
 public:
  // `fold` is called with the servers whose series stay.
  using Fold = std::function<void(std::shared_ptr<const proxy::ServerSeries>)>;
  GoneServers(loop::Worker& control, Fold fold);
  void note(const health::Board& now);  // every new one

 private:
  static constexpr int64_t kept_ms = 300'000;  // one that is back sooner goes on counting where it was
  static constexpr size_t most_kept = 10'000;  // where so many come and go, none waits
  void on_time();

  loop::Worker& control_;
  Fold fold_;
  std::map<std::pair<std::string, std::string>, int64_t> gone_;                    // pool, server → when
  std::map<std::string, std::shared_ptr<const health::Pool>, std::less<>> pools_;  // of the last board
  loop::Timer timer_;
};

}  // namespace portolan::daemon
