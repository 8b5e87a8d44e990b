// Where askers are sent, against a model that looks at everything anew for every address; and the one thing that must
// never break: for all addresses inside a scope the answer is the same.
#include "geodns/plan.hh"

#include <cstdlib>

#include "core/geo/continent.hh"
#include "core/geo/embedded.hh"
#include "geodns/steering.hh"
#include "tests/unit/geodns/fixture.hh"

namespace portolan::geodns {
namespace {

using test::ip;

int random_tables() {
  const char* scale = std::getenv("PORTOLAN_SCALE");
  return scale && std::string_view(scale) == "full" ? 10'000 : 400;
}

// What a database says, network by network, in the order in which it is laid.
using Said = std::vector<std::pair<IpNetwork, geo::Location>>;

geo::Location location_at(const Said& said, const IpAddress& address) {
  geo::Location l;
  for (const auto& [network, what] : said)
    if (network.contains(address)) l = geo::combine(l, what);
  return l;
}

// A world of random networks, nested and side by side, of both families, with rules that override some of it.
class Random {
 public:
  explicit Random(uint64_t seed) : rng(seed) {
    for (auto count = rng.below(12); count > 0; count--) said.emplace_back(network(), location());
    for (const auto& [n, what] : said)
      if (!builder_.insert(n, what)) std::abort();
    table = builder_.finish();
    spec.policy = Registration<PolicyPart>::find(rng.below(2) ? "nearest" : "failover");
    if (rng.below(4) == 0) spec.policy = Registration<PolicyPart>::find("weighted");
    spec.accuracy_km = rng.below(2) ? 100 : 0;
    spec.has_fallback = rng.below(2) && spec.policy->policy->needs_location();
    const auto count = 1 + rng.below(5);
    for (uint16_t i = 0; i < count; i++) {
      Candidate c{i, i, static_cast<uint32_t>(rng.below(4)), static_cast<uint32_t>(rng.below(3)), rng.below(8) != 0,
                  {}};
      if (c.has_location) c.location = place();
      spec.candidates.push_back(c);
    }
    for (auto rules = rng.below(4); rules > 0; rules--) spec.rules.push_back(rule());
    for (const auto& r : spec.rules)
      for (const IpNetwork& n : r.networks) networks.push_back(n);
    for (const auto& [n, what] : said) networks.push_back(n);
  }

  IpAddress address() {
    if (rng.below(3)) {
      IpAddress a =
          IpAddress::v4(static_cast<uint8_t>(8 + rng.below(4)), static_cast<uint8_t>(rng.below(4) << 6), 0, 0);
      for (int i = 1; i < 4; i++)
        if (rng.below(2)) a.bytes[static_cast<size_t>(i)] = static_cast<uint8_t>(rng.next());
      return a;
    }
    IpAddress a = ip(rng.below(2) ? "2001:db8::" : "2a00::");
    for (size_t i = 4; i < 16; i++)
      if (rng.below(3) == 0) a.bytes[i] = static_cast<uint8_t>(rng.next());
    return a;
  }
  IpNetwork network() {
    IpAddress a = address();
    const auto length = static_cast<unsigned>(rng.below(a.bits() + 1));
    return {a.masked(length), length};
  }
  Point place() { return Point::from_degrees(rng.unit() * 120 - 60, rng.unit() * 360 - 180); }
  geo::Location location() {
    geo::Location l;
    const char* countries[] = {"DE", "FR", "US"};
    if (rng.below(2)) l.country = {countries[rng.below(3)][0], 'E'};
    if (rng.below(3) == 0) l.continent = {'E', 'U'};
    if (rng.below(3) == 0) l.region = {static_cast<char>('A' + rng.below(2))};
    if (rng.below(3) == 0) l.asn = static_cast<uint32_t>(1 + rng.below(3));
    if (rng.below(3)) {
      l.has_coordinates = true;
      l.latitude = rng.unit() * 120 - 60;
      l.longitude = rng.unit() * 360 - 180;
      l.accuracy_radius_km = static_cast<uint16_t>(rng.below(2) * 200);
    }
    return l;
  }
  Rule rule() {
    Rule r;
    if (rng.below(2)) r.networks.push_back(network());
    if (rng.below(2)) r.networks.push_back(network());
    if (rng.below(3) == 0) r.asns.push_back(static_cast<uint32_t>(1 + rng.below(3)));
    if (rng.below(3) == 0) r.countries.push_back("DE");
    if (rng.below(3) == 0) r.regions.push_back("FE-A");
    if (rng.below(3) == 0) r.continents.push_back("EU");
    r.imprecise = r.networks.empty() && rng.below(2);
    r.only = rng.below(4) == 0;
    r.ordered = spec.policy->policy->follows_order() && rng.below(2);
    for (uint16_t i = 0; i < spec.candidates.size(); i++)
      if (rng.below(2)) r.datacenters.push_back(i);
    if (r.datacenters.empty()) r.datacenters.push_back(0);
    if (r.ordered) std::reverse(r.datacenters.begin(), r.datacenters.end());
    return r;
  }

  // Every address of one cell is in the same networks: their first and last ones, and those beside them.
  std::vector<IpAddress> cells() const {
    std::vector<IpAddress> list = {ip("0.0.0.0"), ip("255.255.255.255"), ip("::"), ip("ffff::")};
    for (const IpNetwork& n : networks) {
      IpAddress last = n.address;
      for (unsigned b = n.length; b < last.bits(); b++) last.bytes[b / 8] |= static_cast<uint8_t>(0x80 >> b % 8);
      list.insert(list.end(), {n.address, last, step(n.address, -1), step(last, 1)});
    }
    const size_t plain = list.size();
    for (size_t i = 0; i < plain; i++)
      if (list[i].is_v4()) {
        const auto& b = list[i].bytes;
        IpAddress nat = ip("64:ff9b::"), six = ip("2002::"), teredo = ip("2001::"), mapped = ip("::ffff:0:0");
        for (size_t j = 0; j < 4; j++) {
          nat.bytes[12 + j] = mapped.bytes[12 + j] = six.bytes[2 + j] = b[j];
          teredo.bytes[12 + j] = static_cast<uint8_t>(~b[j]);
        }
        if (i % 3 == 0) list.insert(list.end(), {nat, six, teredo, mapped});
      }
    return list;
  }

  Rng rng;
  Said said;
  std::shared_ptr<const geo::Table> table;
  PlanSpec spec;
  std::vector<IpNetwork> networks;

 private:
  static IpAddress step(IpAddress a, int by) {
    for (size_t i = a.size(); i-- > 0;) {
      a.bytes[i] = static_cast<uint8_t>(a.bytes[i] + by);
      if (a.bytes[i] != (by > 0 ? 0 : 255)) break;
    }
    return a;
  }
  geo::Table::Builder builder_;
};

// The model: no table, no intervals, every list looked at from its front.
struct Model {
  const Random& world;

  const Rule* by_network(const IpAddress& a) const {
    const Rule* best = nullptr;
    unsigned longest = 0;
    for (const Rule& r : world.spec.rules)
      for (const IpNetwork& n : r.networks)
        if (n.contains(a) && (!best || n.length > longest)) {
          best = &r;
          longest = n.length;
        }
    return best;
  }
  const Rule* by_place(const geo::Location& l, bool precise) const {
    for (int kind = 0; kind < 5; kind++)
      for (const bool imprecise : {true, false})
        for (const Rule& r : world.spec.rules) {
          if (r.imprecise != imprecise || (imprecise && precise)) continue;
          const auto names = [](const auto& list, const auto& item) {
            return std::find(list.begin(), list.end(), item) != list.end();
          };
          const bool fits =
              kind == 0   ? l.asn && names(r.asns, l.asn)
              : kind == 1 ? l.country[0] && l.region[0] &&
                                names(r.regions, std::string(l.country_code()) + "-" + std::string(l.region_code()))
              : kind == 2 ? l.country[0] && names(r.countries, std::string(l.country_code()))
              : kind == 3 ? names(r.continents, std::string(geo::continent_of(l)))
                          : r.for_anybody();
          if (fits) return &r;
        }
    return nullptr;
  }
  // Groups of candidates, in order.
  std::vector<std::vector<int>> groups(const Rule* rule, const Point* from) const {
    std::vector<std::vector<int>> list;
    std::vector<bool> used(world.spec.candidates.size());
    const auto add = [&](std::vector<std::pair<double, int>> costs) {
      std::stable_sort(costs.begin(), costs.end());
      double opened = 0;
      bool any = false;
      for (const auto& [cost, c] : costs) {
        if (!any || cost - opened >= 1) {
          list.emplace_back();
          opened = cost;
          any = true;
        }
        list.back().push_back(c);
        used[static_cast<size_t>(c)] = true;
      }
      for (auto& g : list) std::sort(g.begin(), g.end());
    };
    const Policy& policy = *world.spec.policy->policy;
    if (rule) {
      std::vector<std::pair<double, int>> costs;
      for (size_t i = 0; i < rule->datacenters.size(); i++)
        costs.emplace_back(
            rule->ordered ? static_cast<double>(i) : policy.cost(world.spec.candidates[rule->datacenters[i]], from),
            rule->datacenters[i]);
      add(costs);
      if (rule->only) return list;
    }
    std::vector<std::pair<double, int>> costs;
    for (size_t i = 0; i < world.spec.candidates.size(); i++)
      if (!used[i]) costs.emplace_back(policy.cost(world.spec.candidates[i], from), static_cast<int>(i));
    add(costs);
    return list;
  }
  std::vector<std::vector<int>> order(const IpAddress& asker) const {
    const IpAddress a = geo::find_embedded(asker).address;
    const geo::Location l = location_at(world.said, a);
    const bool precise =
        l.has_coordinates && (world.spec.accuracy_km == 0 || l.accuracy_radius_km <= world.spec.accuracy_km);
    const Point point = Point::from_degrees(l.latitude, l.longitude);
    if (const Rule* network = by_network(a)) return groups(network, l.has_coordinates ? &point : nullptr);
    const Rule* rule = by_place(l, precise);
    const bool measured = l.has_coordinates && !(!rule && !precise && world.spec.has_fallback);
    return groups(rule, measured ? &point : nullptr);
  }
};

std::vector<std::vector<int>> groups_of(std::span<const Ranked> order) {
  std::vector<std::vector<int>> list;
  for (size_t i = 0; i < order.size(); i++) {
    if (i == 0 || order[i - 1].group_end == i) list.emplace_back();
    list.back().push_back(order[i].candidate);
  }
  return list;
}

bool within(const IpAddress& a, const IpAddress& b, unsigned bits) {
  return a.family == b.family && a.masked(bits) == b.masked(bits);
}

TEST(RandomTables, EveryAddressOfAScopeIsSentTheSameWay) {
  size_t pairs = 0, tailored = 0;
  for (int i = 0; i < random_tables(); i++) {
    const Random world(static_cast<uint64_t>(i));
    const Plan plan(world.spec, world.table);
    const auto cells = world.cells();
    std::vector<Plan::Found> found;
    for (const IpAddress& a : cells) {
      found.push_back(plan.find(a));
      ASSERT_LE(found.back().scope, a.bits());
      ASSERT_EQ(groups_of(plan.order(found.back().order)), Model{world}.order(a)) << a.to_string() << " of table " << i;
      tailored += found.back().scope > 0;
    }
    for (size_t a = 0; a < cells.size(); a++)
      for (size_t b = 0; b < cells.size(); b++) {
        if (!within(cells[a], cells[b], found[a].scope)) continue;
        ASSERT_EQ(found[a].order, found[b].order) << cells[b].to_string() << " is within /" << found[a].scope << " of "
                                                  << cells[a].to_string() << ", table " << i;
        pairs++;
      }
  }
  EXPECT_GT(tailored, 1000u) << "the test must have something to say";
  EXPECT_GT(pairs, 10'000u);
}

TEST(RandomTables, NoScopeOfIPv4IsLongerThanItMustBe) {
  for (int i = 0; i < random_tables() / 2; i++) {
    Random world(static_cast<uint64_t>(i) + 1'000'000);
    for (Rule& r : world.spec.rules) r.networks.clear();
    std::erase_if(world.spec.rules, [](const Rule& r) { return r.for_anybody() && r.only; });
    const Plan plan(world.spec, world.table);
    const auto cells = world.cells();
    for (const IpAddress& a : cells) {
      const Plan::Found found = plan.find(a);
      if (!a.is_v4() || found.scope == 0) continue;
      const bool needed = std::any_of(cells.begin(), cells.end(), [&](const IpAddress& b) {
        return within(a, b, found.scope - 1) && plan.find(b).order != found.order;
      });
      ASSERT_TRUE(needed) << a.to_string() << "/" << found.scope << ", table " << i;
    }
  }
}

// The whole way: health, room, last resort and what sticks on top of the orders.
TEST(RandomTables, EveryAddressOfAScopeGetsTheSameDatacentres) {
  for (int i = 0; i < random_tables() / 2; i++) {
    Random world(static_cast<uint64_t>(i) + 2'000'000);
    const bool sticks = world.rng.below(2);
    if (sticks) {
      world.spec.policy = Registration<PolicyPart>::find("sticky");
      world.spec.has_fallback = false;
      for (Rule& r : world.spec.rules) r.ordered = false;
    } else {
      world.spec.policy = Registration<PolicyPart>::find("nearest");
      for (uint16_t c = 0; c < world.spec.candidates.size(); c++) {  // no two equal: chance has no say
        world.spec.candidates[c].location = Point::from_degrees(c * 10 - 30, c * 40);
        world.spec.candidates[c].rank = c;
        world.spec.candidates[c].has_location = true;
      }
    }
    auto directory = std::make_shared<Directory>();
    directory->services.resize(1);
    const bool by_name = directory->services[0].by_name = world.rng.below(2);
    View view;
    view.directory = directory;
    view.plans = std::make_shared<Plans>(Plans{std::make_shared<Plan>(world.spec, world.table)});
    ServiceStates states;
    states.states.emplace_back();
    for (size_t c = 0; c < world.spec.candidates.size(); c++) {
      Condition& condition = states.states[0].emplace_back(static_cast<State>(world.rng.below(4)));
      if (sticks && world.rng.below(2)) condition.room = static_cast<uint16_t>(world.rng.below(65536));
    }
    const auto now = with_states(view, states);
    ServiceRecord record;
    record.plan[0] = record.plan[1] = 0;
    record.answers = static_cast<uint32_t>(1 + world.rng.below(2));
    record.last_resort = static_cast<LastResort>(world.rng.below(3));
    auto cells = world.cells();
    for (const IpAddress& a : world.cells()) {  // what sticks has borders of its own
      IpAddress b = a;
      b.bytes[2] ^= 1;
      b.bytes[6] ^= a.is_v6();
      cells.push_back(b);
    }
    const auto picked = [&](const IpAddress& a, unsigned& scope) {
      Steered steered;
      steer(record, *(*now->plans)[0], *now, a, (*now->plans)[0]->find(a), world.rng, steered);
      scope = steered.scope;
      std::vector<int> list(steered.picks.list, steered.picks.list + steered.picks.count);
      if (by_name && !list.empty()) list.resize(1);  // a CNAME is one
      std::sort(list.begin(), list.end());
      return list;
    };
    std::vector<std::vector<int>> picks(cells.size());
    std::vector<unsigned> scopes(cells.size());
    for (size_t a = 0; a < cells.size(); a++) picks[a] = picked(cells[a], scopes[a]);
    for (size_t a = 0; a < cells.size(); a++)
      for (size_t b = 0; b < cells.size(); b++)
        if (within(cells[a], cells[b], scopes[a])) {
          ASSERT_EQ(picks[a], picks[b]) << cells[a].to_string() << "/" << scopes[a] << " " << cells[b].to_string()
                                        << (sticks ? " sticky" : "") << ", table " << i;
        }
  }
}

TEST(Plans, AreKeptWhereNothingChanged) {
  Random world(1), other(2);
  world.spec.policy = Registration<PolicyPart>::find("nearest");
  PlanSpec far = world.spec, fixed = world.spec;
  while (world.spec.candidates.size() < 2)
    world.spec.candidates.push_back({1, 1, 1, 1, true, Point::from_degrees(3, 4)});
  fixed.policy = Registration<PolicyPart>::find("failover");
  fixed.rules.clear();
  const Plans first = make_plans({world.spec, fixed}, world.table, {});
  const Plans second = make_plans({fixed, world.spec}, world.table, first);
  EXPECT_EQ(second[1], first[0]);
  EXPECT_EQ(second[0], first[1]);
  const Plans third = make_plans({world.spec, fixed}, other.table, first);
  EXPECT_NE(third[0], first[0]) << "other places";
  EXPECT_EQ(third[1], first[1]) << "goes by none";
}

}  // namespace
}  // namespace portolan::geodns
