#include "core/health/probe.hh"

#include <cassert>

namespace portolan::health {

StartProbe start_registered_probe() {
  return [](loop::Worker& worker, const SocketAddress& server, const CheckConfig& check, Probe::Done done) {
    const Probe* probe = Registration<Probe>::find(check.protocol);
    assert(probe && "the configuration names registered probes only");
    return probe->start(worker, server, check, std::move(done));
  };
}

}  // namespace portolan::health
