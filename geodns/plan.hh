#pragma once
// Where askers are sent, worked out for the whole address space before anybody asks: from a service's datacentres, a policy
// and rules to an order of datacentres for every address, with the longest prefix that the order depended on. What is well
// and who has room is not in it: an order is gone down when a query is answered (steering.hh).
//
// A rule is for whom any of its lists names. Networks of rules come first, the longest; then a rule for the network's
// number (ASN), for the region, the country, the continent, for anybody; then the policy itself. A location whose accuracy
// radius is over the record's `accuracy` is imprecise: rules for imprecise ones count for it, and without one the record's
// own order where it has one, so that nobody is sent to what is near the middle of a country.
#include <memory>
#include <string>
#include <vector>

#include "core/geo/networks.hh"
#include "core/geo/table.hh"
#include "geodns/policy/policy.hh"

namespace portolan::geodns {

// As configured, with datacentres as indices into the plan's candidates.
struct Rule {
  std::vector<IpNetwork> networks;
  std::vector<uint32_t> asns;
  std::vector<std::string> countries;   // "DE"
  std::vector<std::string> regions;     // "US-CA"
  std::vector<std::string> continents;  // "EU"
  bool imprecise = false;               // only for askers whose location is not precise, or not known
  bool only = false;                    // the other datacentres are not even a last choice
  bool ordered = false;               // the datacentres are in the order of choice; else the policy chooses among them
  uint16_t number = 0;                // of the record's rules, from 1
  std::vector<uint16_t> datacenters;  // the rule's
  std::vector<uint32_t> weights;      // of each of them; empty: the record's
  bool for_anybody() const { return networks.empty() && !names_places(); }
  bool names_places() const { return !asns.empty() || !countries.empty() || !regions.empty() || !continents.empty(); }
};

struct PlanSpec {
  const PolicyPart* policy = nullptr;
  std::vector<Candidate> candidates;  // at least one
  std::vector<Rule> rules;
  uint32_t accuracy_km = 0;      // 0: every location is precise
  bool has_fallback = false;     // candidates' ranks are an order for askers whose place isn't known precisely
  std::string key() const;       // equal for equal ones
  bool looks_at_places() const;  // a database of locations makes a difference
};

class Plan {
 public:
  static constexpr unsigned most_ranked = 16;  // by distance; the others share the end of an order by weight
  static constexpr int no_rule = -1;
  // `places` may be null: nobody's place is known.
  Plan(PlanSpec spec, std::shared_ptr<const geo::Table> places);

  struct Found {
    uint32_t order = 0;
    unsigned scope = 0;  // leading bits of the asker's address that decided; of its family
  };
  Found find(const IpAddress& asker) const {  // no allocation
    if (!tailored_) return {elsewhere_, 0};
    if (!by_places_alone_) return find_by_rules(asker);
    const geo::Found place = table_->find(asker);
    return {place.place, place.prefix_length};
  }
  void prefetch(const IpAddress& asker) const {
    if (table_) table_->prefetch(asker);
  }
  bool tailored() const { return tailored_; }  // not every asker gets the same order

  size_t order_count() const { return orders_.size(); }
  std::span<const Ranked> order(uint32_t index) const {
    const Order& o = orders_.data()[index];
    return {ranked_.data() + o.first, o.count};
  }
  bool sticks() const { return sticks_; }  // its policy does
  // Every order has all candidates.
  bool orders_are_whole() const { return whole_; }

  const PlanSpec& spec() const { return spec_; }
  const Policy& policy() const { return *policy_; }
  const std::string& key() const { return key_; }  // the spec's
  // Made anew with these places, it would be the same.
  bool goes_by(const std::shared_ptr<const geo::Table>& places) const;
  size_t memory_bytes() const;

  // For explain: what decides for a place, the way the orders were made.
  struct Match {
    int rule = no_rule;  // index into the spec's rules
    bool precise = false;
    bool by_fallback = false;  // the record's own order
  };
  Match match(const geo::Location& location) const;
  int rule_for(const IpAddress& asker) const;  // by its networks

 private:
  friend class PlanBuilder;
  struct Order {
    uint32_t first = 0;
    uint32_t count = 0;
  };
  Found find_by_rules(const IpAddress& asker) const;
  bool is_precise(const geo::Location& location) const;
  PlanSpec spec_;
  const Policy* policy_;
  std::string key_;
  std::shared_ptr<const geo::Table> places_;
  geo::Networks networks_;  // of rules → order << 12 | rule
  // By rule whose networks choose by place: place → order. Null for others; rules with the same datacentres share one.
  std::vector<std::shared_ptr<const std::vector<uint32_t>>> rule_orders_;
  std::shared_ptr<const geo::Table> table_;  // address → order; null: `elsewhere_` for all
  uint32_t elsewhere_ = 0;
  std::vector<Order> orders_;
  std::vector<Ranked> ranked_;
  bool tailored_ = false;
  bool whole_ = true;
  bool sticks_ = false;
  bool by_places_alone_ = false;  // there is a table, and no networks of rules
};

// The plans of a View: one for each distinct spec; those of `before` whose spec and places are the same are kept.
using Plans = std::vector<std::shared_ptr<const Plan>>;
Plans make_plans(const std::vector<PlanSpec>& specs, const std::shared_ptr<const geo::Table>& places,
                 const Plans& before);

}  // namespace portolan::geodns
