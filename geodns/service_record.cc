#include "geodns/service_record.hh"

#include <algorithm>
#include <array>
#include <set>

#include "core/geo/embedded.hh"

namespace portolan::geodns {
namespace {

constexpr uint32_t default_ttl_s = 30;
constexpr size_t most_rules = 4000;
constexpr std::array<std::string_view, 7> continents = {"AF", "AN", "AS", "EU", "NA", "OC", "SA"};

std::string policy_names() {
  std::string text;
  for (const PolicyPart* part : Registration<PolicyPart>::all())
    text += (text.empty() ? "" : ", ") + std::string(part->name);
  return text;
}

bool is_code(std::string_view text, size_t shortest, size_t longest) {
  return text.size() >= shortest && text.size() <= longest &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); });
}
bool is_region(std::string_view text) {
  return text.size() > 3 && text[2] == '-' && is_code(text.substr(0, 2), 2, 2) && is_code(text.substr(3), 1, 3);
}

// From one record as written to its plans.
class Maker {
 public:
  Maker(const RecordConfig& config, const Service& service, const Directory& directory, std::vector<Mistake>& mistakes)
      : config_(config), service_(service), directory_(directory), mistakes_(mistakes) {}

  ServiceRecord make(uint32_t service, PlanSpecs& specs) {
    ServiceRecord record;
    record.service = service;
    const std::string policy = config_.policy.empty() ? "nearest" : config_.policy;
    record.policy = Registration<PolicyPart>::find(policy);
    if (!record.policy) {
      complain("policy \"" + policy + "\" is not one of " + policy_names());
      return record;
    }
    follows_order_ = record.policy->policy->follows_order();
    record.ttl_s = config_.ttl_s.value_or(default_ttl_s);
    record.answers = config_.answers.value_or(policy == "all" ? Slate::every : 1);
    record.last_resort = config_.last_resort == "none"    ? LastResort::none
                         : config_.last_resort == "first" ? LastResort::first
                                                          : LastResort::all;
    check_keys(policy);
    const std::vector<Preference> sites = preferences();
    check_rules();
    for (bool v6 : {false, true}) {
      PlanSpec spec;
      spec.policy = record.policy;
      spec.accuracy_km = config_.accuracy_km;
      spec.has_fallback = record.policy->policy->needs_location() && !config_.order.empty();
      spec.candidates = candidates(sites, v6);
      if (spec.candidates.empty()) continue;
      for (const RuleConfig& rule : config_.rules) {
        spec.rules.push_back(rule_of(rule, spec.candidates));
        spec.rules.back().number = static_cast<uint16_t>(spec.rules.size());
      }
      std::erase_if(spec.rules, [](const Rule& r) { return r.datacenters.empty(); });
      if (record.policy->policy->needs_location()) find_unlocated(spec);
      record.plan[v6] = specs.add(std::move(spec));
      record.flow[v6] = specs.add_flow(service, record.plan[v6]);
    }
    for (const std::string& name : unlocated_)
      complain("policy \"" + policy + "\" needs a location in [datacenter." + name +
               "]; set it, or say the order with policy = \"failover\"");
    return record;
  }

 private:
  struct Preference {
    uint32_t weight = 1;
    uint32_t rank = 0;
  };

  void complain(std::string text) { mistakes_.push_back({config_.where, std::move(text)}); }

  void check_keys(const std::string& policy) {
    const bool weighs = policy != "failover" && policy != "nearest";
    if (!config_.weights.empty() && !weighs) complain("weights belong to policy = \"weighted\", \"sticky\" or \"all\"");
    if (!config_.order.empty() && weighs) complain("order belongs to policy = \"failover\" or \"nearest\"");
    if (config_.rules.size() > most_rules) complain("more than " + std::to_string(most_rules) + " rules");
  }

  // The index of the service's site in that datacentre, or -1.
  int site_in(const std::string& name, const std::string& where) {
    const int datacenter = directory_.find_datacenter(name);
    for (size_t i = 0; datacenter >= 0 && i < service_.sites.size(); i++)
      if (service_.sites[i].datacenter == datacenter) return static_cast<int>(i);
    mistakes_.push_back({where, "service \"" + service_.name + "\" does not stand in \"" + name + "\""});
    return -1;
  }

  std::vector<Preference> preferences() {
    std::vector<Preference> list(service_.sites.size());
    const auto last = static_cast<uint32_t>(config_.order.size());
    // Those that the order doesn't name come behind it in their own.
    for (uint32_t i = 0; i < list.size(); i++)
      list[i] = {config_.weights.empty() ? 1u : 0u, follows_order_ ? last + i : last};
    uint64_t total = 0;
    for (const auto& [name, weight] : config_.weights) {
      total += weight;
      if (const int i = site_in(name, config_.where); i >= 0) list[static_cast<size_t>(i)].weight = weight;
    }
    if (!config_.weights.empty() && total == 0) complain("all weights are 0");
    for (uint32_t i = 0; i < last; i++) {
      const int site = site_in(config_.order[i], config_.where);
      if (site < 0) continue;
      auto& rank = list[static_cast<size_t>(site)].rank;
      if (rank < last) complain("order names \"" + config_.order[i] + "\" twice");
      rank = i;
    }
    return list;
  }

  std::vector<Candidate> candidates(const std::vector<Preference>& preferences, bool v6) {
    std::vector<Candidate> list;
    for (size_t i = 0; i < service_.sites.size(); i++) {
      const Site& site = service_.sites[i];
      if (site.of(v6).empty() && !(service_.by_name && !v6)) continue;
      const Datacenter& datacenter = directory_.datacenters[site.datacenter];
      list.push_back({static_cast<uint16_t>(i), site.datacenter, preferences[i].weight, preferences[i].rank,
                      datacenter.has_location, datacenter.location});
    }
    return list;
  }

  // Datacentres of no location that would be compared by distance with another. Not those that an order of a rule names:
  // who is sent there is said, and for all others they are the last.
  void find_unlocated(const PlanSpec& spec) {
    const auto is_named = [&](uint16_t i) {
      return std::any_of(spec.rules.begin(), spec.rules.end(), [i](const Rule& r) {
        return r.ordered && std::find(r.datacenters.begin(), r.datacenters.end(), i) != r.datacenters.end();
      });
    };
    const auto compare = [&](const auto& wanted) {
      std::vector<std::string> without;
      size_t compared = 0;
      for (uint16_t i = 0; i < spec.candidates.size(); i++) {
        if (!wanted(i)) continue;
        compared++;
        if (!spec.candidates[i].has_location && !is_named(i))
          without.push_back(directory_.datacenters[spec.candidates[i].datacenter].name);
      }
      if (compared > 1) unlocated_.insert(without.begin(), without.end());
    };
    bool policy_decides = true;
    for (const Rule& rule : spec.rules) {
      const auto names = [&](uint16_t i) {
        return std::find(rule.datacenters.begin(), rule.datacenters.end(), i) != rule.datacenters.end();
      };
      if (rule.for_anybody() && !rule.imprecise) policy_decides = false;
      if (!rule.ordered) compare(names);
      if (!rule.only) compare([&](uint16_t i) { return !names(i); });
    }
    if (policy_decides) compare([](uint16_t) { return true; });
  }

  // Only what isn't there twice, and only with a meaning.
  void check_rules() {
    std::set<std::string> said;
    for (const RuleConfig& rule : config_.rules) {
      const auto wrong = [&](std::string text) { mistakes_.push_back({rule.where, std::move(text)}); };
      const auto once = [&](const std::string& what) {
        if (!said.insert(what + (rule.imprecise ? " imprecise" : "")).second)
          wrong("a rule before this one names " + what);
      };
      for (const IpNetwork& n : rule.networks) {
        once(n.to_string());
        if (geo::is_embedded(n))
          wrong(n.to_string() + " names nobody: its addresses hold IPv4 addresses, and go by those");
      }
      for (uint32_t asn : rule.asns) once("AS" + std::to_string(asn));
      for (const std::string& c : rule.countries)
        is_code(c, 2, 2) ? once(c) : wrong("\"" + c + "\" is not a country's code of two letters, \"DE\"");
      for (const std::string& r : rule.regions)
        is_region(r) ? once(r) : wrong("\"" + r + "\" is not a region's code, \"US-CA\"");
      for (const std::string& c : rule.continents)
        std::count(continents.begin(), continents.end(), c)
            ? once("continent " + c)
            : wrong("\"" + c + "\" is not one of AF, AN, AS, EU, NA, OC, SA");
      if (rule.networks.empty() && rule.asns.empty() && rule.countries.empty() && rule.regions.empty() &&
          rule.continents.empty())
        once("anybody");
      if (rule.imprecise && !rule.networks.empty())
        wrong("networks are precise: when = \"imprecise\" has no meaning for them");
      if (rule.order.empty() == rule.datacenters.empty()) wrong("a rule has an order or datacenters, one of the two");
      if (!rule.order.empty() && !follows_order_)
        wrong("order belongs to policy = \"failover\" or \"nearest\"; name datacenters");
      if (!rule.weights.empty() && follows_order_)
        wrong("weights belong to policy = \"weighted\", \"sticky\" or \"all\"");
      check_names(rule);
    }
  }

  void check_names(const RuleConfig& rule) {
    std::set<std::string> named;
    for (const auto* names : {&rule.order, &rule.datacenters})
      for (const std::string& name : *names) {
        site_in(name, rule.where);
        if (!named.insert(name).second) mistakes_.push_back({rule.where, "the rule names \"" + name + "\" twice"});
      }
    uint64_t total = 0;
    for (const auto& [name, weight] : rule.weights) {
      total += weight;
      if (!named.contains(name))
        mistakes_.push_back({rule.where, "weights name \"" + name + "\", which datacenters do not"});
    }
    if (!rule.weights.empty() && total == 0) mistakes_.push_back({rule.where, "all weights are 0"});
  }

  Rule rule_of(const RuleConfig& config, const std::vector<Candidate>& candidates) {
    Rule rule{config.networks,
              config.asns,
              config.countries,
              config.regions,
              config.continents,
              config.imprecise,
              config.only,
              !config.order.empty(),
              0,
              {},
              {}};
    for (const std::string& name : config.order.empty() ? config.datacenters : config.order)
      for (size_t i = 0; i < candidates.size(); i++) {
        if (directory_.datacenters[candidates[i].datacenter].name != name) continue;
        rule.datacenters.push_back(static_cast<uint16_t>(i));
        if (config.weights.empty()) continue;
        const auto weight =
            std::find_if(config.weights.begin(), config.weights.end(), [&](const auto& w) { return w.first == name; });
        rule.weights.push_back(weight == config.weights.end() ? 0 : weight->second);
      }
    return rule;
  }

  const RecordConfig& config_;
  const Service& service_;
  const Directory& directory_;
  std::vector<Mistake>& mistakes_;
  bool follows_order_ = false;
  std::set<std::string> unlocated_;
};

}  // namespace

int PlanSpecs::add(PlanSpec spec) {
  auto [at, fresh] = known_.emplace(spec.key(), static_cast<int>(list_.size()));
  if (fresh) list_.push_back(std::move(spec));
  return at->second;
}

int PlanSpecs::add_flow(uint32_t service, int plan) {
  auto [at, fresh] = known_flows_.emplace(std::pair(service, plan), static_cast<int>(flows_.size()));
  if (fresh) flows_.push_back({service, plan});
  return at->second;
}

ServiceRecord make_service_record(const RecordConfig& config, uint32_t service, const Directory& directory,
                                  PlanSpecs& specs, std::vector<Mistake>& mistakes) {
  return Maker(config, directory.services[service], directory, mistakes).make(service, specs);
}

}  // namespace portolan::geodns
