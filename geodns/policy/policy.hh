#pragma once
// How a service record picks a datacentre. A policy is one .cc: a stateless class and its
// registration; the contract test in tests/unit/geodns/policy_test.cc runs over all of them.
#include <cstdint>
#include <span>
#include <string_view>

#include "core/base/clock.hh"
#include "core/base/registry.hh"
#include "geodns/directory.hh"

namespace portolan::geodns {

// A datacentre that has addresses of the asked family. Without defaults: an array of them costs
// nothing.
struct Candidate {
  uint16_t site;          // index into Service::sites
  State state;            // where nothing else is known
  uint32_t weight;        // 0: only when nothing else is usable
  uint32_t rank;          // failover's order, least first
  const Point* location;  // where the datacentre stands; null: not known
  uint32_t datacenter;    // Site::datacenter
};

// What is known of a service's sites, by datacentre.
struct States {
  std::span<const State> known;
  bool usable(const Candidate& c) const {
    return geodns::usable(c.datacenter < known.size() ? known[c.datacenter] : c.state);
  }
};

struct Choice {
  static constexpr int all = -1;
  int candidate = all;       // index into the candidates, or all of them
  bool by_location = false;  // where the asker is decided (or would have, had it been known)
};

// The contract: no allocation, any thread. Candidates are in configuration order and at least one.
// A usable one is chosen if there is one (never a down or draining one); otherwise `all`. Random
// only through `rng`.
class Policy {
 public:
  virtual ~Policy() = default;
  // `asker`: where the question comes from; null when the database doesn't say.
  virtual Choice choose(std::span<const Candidate> candidates, States states, const Point* asker, Rng& rng) const = 0;
  // The asker's place decides, and else only the candidates' states and locations: chosen once for a place, it stays so
  // as long as the View.
  virtual bool needs_location() const { return false; }
  // Two calls may choose differently though nothing else differs.
  virtual bool is_random() const { return false; }
};

struct PolicyPart {
  std::string_view name;
  const Policy* policy = nullptr;
};

}  // namespace portolan::geodns
