#pragma once
// How a service record picks datacentres. A policy is one .cc: a stateless class and its registration; the contract test
// in tests/unit/geodns/policy_test.cc runs over all of them.
//
// It speaks twice. Where a plan is made (plan.hh) it says how good each candidate is for an asker: that gives an order of
// groups, whose members are equally good. Where a query is answered it goes down an order that was made.
#include <cstdint>
#include <span>
#include <string_view>

#include "core/base/clock.hh"
#include "core/base/registry.hh"
#include "geodns/directory.hh"

namespace portolan::geodns {

// A datacentre that has addresses of the asked family.
struct Candidate {
  uint16_t site = 0;  // index into Service::sites
  uint16_t datacenter = 0;
  uint32_t weight = 1;
  uint32_t rank = 0;  // in the record's `order`, least first
  bool has_location = false;
  Point location;
  bool operator==(const Candidate&) const = default;
};

// A candidate at its place in an order.
struct Ranked {
  uint8_t candidate = 0;   // index into the plan's
  uint8_t datacenter = 0;  // its own
  uint16_t group_end = 0;  // index into the order behind the last of its group
  uint32_t weight = 1;     // within its group; where all of a group have 0 they are equal
  bool operator==(const Ranked&) const = default;
};

// A query's view of an order.
struct Slate {
  static constexpr uint32_t every = UINT32_MAX;
  std::span<const Ranked> order;          // not empty
  std::span<const Condition> conditions;  // by datacentre; what is missing is unknown
  uint32_t answers = 1;                   // how many datacentres are wanted; `every`: the record does not say
  uint64_t network = 0;                   // the asker's, mixed: what sticks goes by it
  bool by_network = false;                // spills go by it as well; else by chance
  std::span<const uint64_t> name_hashes;  // by datacentre: what sticks goes by names, not by how many come before
  const Condition& of(const Ranked& r) const {
    return r.datacenter < conditions.size() ? conditions.data()[r.datacenter] : unknown;
  }
  uint64_t name_hash(const Ranked& r) const {
    return r.datacenter < name_hashes.size() ? name_hashes.data()[r.datacenter] : r.datacenter;
  }
  static constexpr Condition unknown{};
};

struct Picks {
  static constexpr size_t most = Directory::max_datacenters;
  uint16_t count = 0;
  bool last_resort = false;              // none was usable
  uint32_t horizon_s = Condition::ever;  // what was looked at stays as it is for so long at least
  uint8_t list[most];                    // indices into the plan's candidates; beyond `count` never written
  void add(const Ranked& r) { list[count++] = r.candidate; }
  void look_at(const Condition& c) { horizon_s = c.horizon_s < horizon_s ? c.horizon_s : horizon_s; }
};

// The contract: no allocation, any thread.
class Policy {
 public:
  virtual ~Policy() = default;
  // How far `c` is from being the best for an asker at `asker` (null: nobody knows where): least first; less than 1 apart
  // they are equally good.
  virtual double cost(const Candidate& c, const Point* asker) const = 0;
  // Costs differ by asker.
  virtual bool needs_location() const { return false; }
  // A rule's list of datacentres may say which is better; else it is a set.
  virtual bool follows_order() const { return false; }
  // The asker's network decides among equals.
  virtual bool sticks() const { return false; }
  // Usable candidates alone, the best that have room; at least one where one is usable, at most slate.answers of them
  // unless the policy is to answer all. Of a group the weights decide.
  virtual void pick(const Slate& slate, Rng& rng, Picks& picks) const = 0;
};

// Group by group, within one at random by weight: what most policies do. One without room passes to the next as often as it
// lacks room; where fewer are left than are wanted, the rest is picked by room.
void pick_by_weight(const Slate& slate, Rng& rng, Picks& picks);
// The same, but within a group each network has a candidate of its own (weighted rendezvous), and as long as that is
// usable keeps it: one that goes moves only its own networks, and gets them back.
void pick_by_network(const Slate& slate, Rng& rng, Picks& picks);

struct PolicyPart {
  std::string_view name;
  const Policy* policy = nullptr;
};

}  // namespace portolan::geodns
