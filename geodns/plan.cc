#include "geodns/plan.hh"

#include <algorithm>
#include <map>
#include <tuple>

#include "core/geo/continent.hh"
#include "core/geo/embedded.hh"
#include "core/geo/interner.hh"
#include "core/geo/remap.hh"

namespace portolan::geodns {
namespace {

constexpr uint32_t rule_bits = 12;

template <class List, class Item>
bool has(const List& list, const Item& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

// How closely a rule names a place; 0: not at all.
unsigned closeness(const Rule& rule, const geo::Location& at) {
  if (at.asn && has(rule.asns, at.asn)) return 5;
  if (!rule.regions.empty() && at.country[0] && at.region[0] &&
      has(rule.regions, std::string(at.country_code()) + "-" + std::string(at.region_code())))
    return 4;
  if (at.country[0] && has(rule.countries, at.country_code())) return 3;
  if (!rule.continents.empty() && has(rule.continents, geo::continent_of(at))) return 2;
  return rule.for_anybody() ? 1 : 0;
}

void append(std::string& key, const void* bytes, size_t size) {
  key.append(static_cast<const char*>(bytes), size);
}
template <class Number>
void append(std::string& key, Number n) {
  append(key, &n, sizeof n);
}
template <class Numbers>
void append_all(std::string& key, const Numbers& list) {
  append(key, list.size());
  for (const auto& n : list) append(key, n);
}
void append_texts(std::string& key, const std::vector<std::string>& list) {
  append(key, list.size());
  for (const std::string& text : list) (key += text) += '\0';
}

}  // namespace

std::string PlanSpec::key() const {
  std::string key(policy->name);
  append(key, accuracy_km);
  append(key, has_fallback);
  for (const Candidate& c : candidates) {
    append(key, uint32_t{c.site} << 16 | c.datacenter);
    append(key, uint64_t{c.weight} << 32 | c.rank);
    append(key, c.has_location);
    for (double d : {c.location.x, c.location.y, c.location.z}) append(key, d);
  }
  append(key, candidates.size());
  for (const Rule& r : rules) {
    for (const IpNetwork& n : r.networks) key += n.to_string() + ' ';
    append_all(key, r.asns);
    for (const auto* texts : {&r.countries, &r.regions, &r.continents}) append_texts(key, *texts);
    append(key, static_cast<uint8_t>(r.imprecise | r.only << 1 | r.ordered << 2));
    append(key, r.number);
    append_all(key, r.datacenters);
    append_all(key, r.weights);
  }
  return key;
}

bool PlanSpec::looks_at_places() const {
  return (policy->policy->needs_location() && candidates.size() > 1) ||
         std::any_of(rules.begin(), rules.end(), [](const Rule& r) { return r.names_places() || r.imprecise; });
}

// Makes one plan.
class PlanBuilder {
 public:
  explicit PlanBuilder(Plan& plan) : plan_(plan), spec_(plan.spec_), policy_(plan.policy()) {}

  void build() {
    plan_.elsewhere_ = order_at(geo::Location{});
    if (plan_.places_ && spec_.looks_at_places()) place_all(*plan_.places_);
    std::vector<std::pair<IpNetwork, uint32_t>> networks;
    for (size_t i = 0; i < spec_.rules.size(); i++) {
      const Rule& rule = spec_.rules[i];
      if (rule.networks.empty()) continue;
      const uint32_t value = order_by(&rule, nullptr) << rule_bits | static_cast<uint32_t>(i);
      for (const IpNetwork& network : rule.networks) networks.emplace_back(network, value);
      if (plan_.places_ && goes_by_place(rule)) order_by_place(i);
    }
    plan_.networks_ = geo::Networks(std::move(networks));
    plan_.tailored_ = plan_.orders_.size() > 1;
    if (!plan_.tailored_) plan_.networks_ = {};
    plan_.by_places_alone_ = plan_.table_ && plan_.networks_.empty();
    plan_.sticks_ = policy_.sticks();
    for (const auto& order : plan_.orders_) plan_.whole_ &= order.count == spec_.candidates.size();
    plan_.ranked_.shrink_to_fit();
  }

 private:
  void place_all(const geo::Table& places) {
    std::vector<uint32_t> order_of_place(places.location_count() + 1);
    for (uint32_t p = 0; p < order_of_place.size(); p++) order_of_place[p] = order_at(places.location(p));
    if (plan_.orders_.size() > 1)
      plan_.table_ = geo::remap(places, order_of_place, static_cast<uint32_t>(plan_.orders_.size()));
  }

  // Where the rule leaves something to the policy: which of its datacentres, or which of the others when none serves.
  bool goes_by_place(const Rule& rule) const {
    const size_t named = rule.datacenters.size(), others = rule.only ? 0 : spec_.candidates.size() - named;
    return policy_.needs_location() && ((!rule.ordered && named > 1) || others > 1);
  }

  // Who is in the rule's networks goes to the best of its datacentres for his place, and then to the best of the others.
  void order_by_place(size_t index) {
    const Rule& rule = spec_.rules[index];
    auto [same, fresh] = orders_of_rules_.try_emplace({rule.datacenters, rule.only, rule.ordered});
    if (fresh) {
      same->second = std::make_shared<std::vector<uint32_t>>(plan_.places_->location_count() + 1);
      for (uint32_t p = 0; p < same->second->size(); p++) {
        const geo::Location at = plan_.places_->location(p);
        const Point point = Point::from_degrees(at.latitude, at.longitude);
        (*same->second)[p] = order_by(&rule, at.has_coordinates ? &point : nullptr);
      }
    }
    plan_.rule_orders_.resize(spec_.rules.size());
    plan_.rule_orders_[index] = same->second;
  }

  uint32_t order_at(const geo::Location& location) {
    const Plan::Match match = plan_.match(location);
    const Point point = Point::from_degrees(location.latitude, location.longitude);
    const bool known = location.has_coordinates && !match.by_fallback;
    return order_by(match.rule == Plan::no_rule ? nullptr : &spec_.rules[static_cast<size_t>(match.rule)],
                    known ? &point : nullptr);
  }

  struct Costly {
    double cost;
    uint16_t candidate;
    uint32_t weight;
  };

  uint32_t order_by(const Rule* rule, const Point* asker) {
    order_.clear();
    std::vector<Costly>& list = costly_;
    list.clear();
    const size_t named = rule ? rule->datacenters.size() : 0;
    for (size_t i = 0; i < named; i++) {
      Candidate c = spec_.candidates[rule->datacenters[i]];
      if (!rule->weights.empty()) c.weight = rule->weights[i];
      list.push_back({rule->ordered ? static_cast<double>(i) : policy_.cost(c, asker), rule->datacenters[i], c.weight});
    }
    const bool by_distance = asker && policy_.needs_location();
    add_groups(list, by_distance && !(rule && rule->ordered));
    if (named > 0 && rule->only) return intern();
    list.clear();
    for (size_t i = 0; i < spec_.candidates.size(); i++)
      if (!named || !has(rule->datacenters, static_cast<uint16_t>(i)))
        list.push_back(
            {policy_.cost(spec_.candidates[i], asker), static_cast<uint16_t>(i), spec_.candidates[i].weight});
    add_groups(list, by_distance);
    return intern();
  }

  // Distances are as many as askers: with `few` of them told apart, orders are fewer than that.
  void add_groups(std::vector<Costly>& list, bool few) {
    const ptrdiff_t ranked = few ? std::min<ptrdiff_t>(std::ssize(list), Plan::most_ranked) : std::ssize(list);
    std::partial_sort(list.begin(), list.begin() + ranked, list.end(),
                      [](const Costly& a, const Costly& b) { return a.cost < b.cost; });
    auto at = list.begin(), rest = at + ranked;
    while (at != list.end()) {
      const auto opener = at;
      const auto as_good = [best = opener->cost](const Costly& c) { return c.cost - best < 1; };
      if (at == rest) {
        at = list.end();  // the rest, by weight
      } else {
        at = std::find_if_not(at, rest, as_good);
        if (at == rest) at = rest = std::partition(rest, list.end(), as_good);
      }
      add_group(opener, at);
    }
  }

  void add_group(std::vector<Costly>::const_iterator at, std::vector<Costly>::const_iterator end) {
    const size_t begin = order_.size();
    for (; at != end; ++at)
      order_.push_back({static_cast<uint8_t>(at->candidate),
                        static_cast<uint8_t>(spec_.candidates[at->candidate].datacenter), 0, at->weight});
    close(begin);
  }

  // Within a group their order means nothing: equal ones shall be equal.
  void close(size_t begin) {
    std::sort(order_.begin() + static_cast<ptrdiff_t>(begin), order_.end(),
              [](const Ranked& a, const Ranked& b) { return a.candidate < b.candidate; });
    for (size_t i = begin; i < order_.size(); i++) order_[i].group_end = static_cast<uint16_t>(order_.size());
  }

  uint32_t intern() {
    uint64_t hash = order_.size();
    for (const Ranked& r : order_)
      hash = geo::stir(hash, uint64_t{r.weight} << 32 | uint64_t{r.group_end} << 16 | uint64_t{r.candidate});
    const auto fresh = static_cast<uint32_t>(plan_.orders_.size());
    const uint32_t index = interner_.number_of(hash, fresh, [&](uint32_t known) {
      const auto same = plan_.order(known);
      return std::equal(same.begin(), same.end(), order_.begin(), order_.end());
    });
    if (index != fresh) return index;
    plan_.orders_.push_back({static_cast<uint32_t>(plan_.ranked_.size()), static_cast<uint32_t>(order_.size())});
    plan_.ranked_.insert(plan_.ranked_.end(), order_.begin(), order_.end());
    return index;
  }

  Plan& plan_;
  const PlanSpec& spec_;
  const Policy& policy_;
  geo::Interner interner_;
  // By datacentres, `only`, `ordered`: rules of the same share one.
  std::map<std::tuple<std::vector<uint16_t>, bool, bool>, std::shared_ptr<std::vector<uint32_t>>> orders_of_rules_;
  std::vector<Ranked> order_;
  std::vector<Costly> costly_;
};

Plan::Plan(PlanSpec spec, std::shared_ptr<const geo::Table> places)
    : spec_(std::move(spec)), policy_(spec_.policy->policy), key_(spec_.key()), places_(std::move(places)) {
  PlanBuilder(*this).build();
}

bool Plan::is_precise(const geo::Location& location) const {
  return location.has_coordinates && (spec_.accuracy_km == 0 || location.accuracy_radius_km <= spec_.accuracy_km);
}

Plan::Match Plan::match(const geo::Location& location) const {
  Match best;
  best.precise = is_precise(location);
  unsigned closest = 0;
  for (size_t i = 0; i < spec_.rules.size(); i++) {
    const Rule& rule = spec_.rules[i];
    if (rule.imprecise && best.precise) continue;
    // Of two that name the place as closely, the one for imprecise locations is the one meant.
    const unsigned close = closeness(rule, location) * 2;
    const unsigned rank = close ? close + rule.imprecise : 0;
    if (rank <= closest) continue;
    closest = rank;
    best.rule = static_cast<int>(i);
  }
  best.by_fallback = best.rule == no_rule && !best.precise && spec_.has_fallback;
  return best;
}

int Plan::rule_for(const IpAddress& asker) const {
  const auto found = networks_.find(geo::find_embedded(asker).address);
  return found.value == geo::Networks::none ? no_rule : static_cast<int>(found.value & ((1u << rule_bits) - 1));
}

Plan::Found Plan::find_by_rules(const IpAddress& asker) const {
  Found found{elsewhere_, 0};
  if (!networks_.empty()) {
    const geo::Embedded inside = geo::find_embedded(asker);
    const auto in = networks_.find(inside.address);
    found.scope = std::max(in.prefix_length + inside.offset, inside.apart);
    if (in.value != geo::Networks::none) {
      const uint32_t rule = in.value & ((1u << rule_bits) - 1);
      if (rule >= rule_orders_.size() || !rule_orders_[rule]) return {in.value >> rule_bits, found.scope};
      const geo::Found place = places_->find(asker);
      return {rule_orders_[rule]->data()[place.place], std::max(place.prefix_length, found.scope)};
    }
  }
  if (!table_) return found;
  const geo::Found place = table_->find(asker);
  return {place.place, std::max(place.prefix_length, found.scope)};
}

bool Plan::goes_by(const std::shared_ptr<const geo::Table>& places) const {
  return places == places_ || !spec_.looks_at_places();
}

size_t Plan::memory_bytes() const {
  return sizeof *this + networks_.memory_bytes() + (table_ ? table_->memory_bytes() : 0) +
         rule_orders_.capacity() * sizeof rule_orders_[0] + orders_.capacity() * sizeof orders_[0] +
         ranked_.capacity() * sizeof ranked_[0];
}

Plans make_plans(const std::vector<PlanSpec>& specs, const std::shared_ptr<const geo::Table>& places,
                 const Plans& before) {
  std::map<std::string_view, const std::shared_ptr<const Plan>*> known;
  for (const auto& plan : before)
    if (plan->goes_by(places)) known.emplace(plan->key(), &plan);
  Plans plans;
  plans.reserve(specs.size());
  for (const PlanSpec& spec : specs) {
    const std::string key = spec.key();
    const auto old = known.find(key);
    if (old != known.end())
      plans.push_back(*old->second);
    else
      plans.push_back(std::make_shared<const Plan>(spec, places));
  }
  return plans;
}

}  // namespace portolan::geodns
