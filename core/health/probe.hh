#pragma once
// One health check of one server. A protocol is one .cc with a Registration<Probe>; the checker
// keeps the time: it destroys a run that has not answered within the timeout.
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/address.hh"
#include "core/base/registry.hh"
#include "core/health/config.hh"
#include "core/loop/worker.hh"

namespace portolan::health {

struct Verdict {
  bool good = false;
  std::string reason;  // "HTTP 503", "connection refused", "connected"
};

// A check under way; destroying it cancels it, and its callback does not run.
class ProbeRun {
 public:
  virtual ~ProbeRun() = default;
};

struct Probe {
  // Called once, from the loop and never from within start(); may destroy the run.
  using Done = std::function<void(Verdict)>;
  using Start = std::unique_ptr<ProbeRun> (*)(loop::Worker& worker, const SocketAddress& server,
                                              const CheckConfig& check, Done done);
  std::string_view name;  // the key of `health = { NAME = … }`
  Start start;
};

// How runs are started: by the registered probe of the check's protocol, or as a test likes.
using StartProbe =
    std::function<std::unique_ptr<ProbeRun>(loop::Worker&, const SocketAddress&, const CheckConfig&, Probe::Done)>;
StartProbe start_registered_probe();

}  // namespace portolan::health
