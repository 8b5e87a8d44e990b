// An Internet over twelve datacentres: how far everybody goes, where they go when one and then two fail, and that nobody is
// asked for more than he can bear while another has room. By default an invented Internet; of a real database with
//   PORTOLAN_CITY_DATABASE=GeoLite2-City.mmdb   its addresses, drawn evenly from those that have a place
//   PORTOLAN_REPORT=DIRECTORY                   leaves simulation.md and simulation.svg there
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <set>

#include "core/geo/database.hh"
#include "core/geo/demo.hh"
#include "geodns/spill.hh"
#include "geodns/steering.hh"
#include "tests/unit/geodns/fixture.hh"

namespace portolan::geodns {
namespace {

struct City {
  const char* name;
  double latitude, longitude;
};
constexpr City cities[] = {{"ashburn", 39.04, -77.49},    {"san-jose", 37.34, -121.89},    {"dallas", 32.78, -96.80},
                           {"sao-paulo", -23.55, -46.63}, {"london", 51.51, -0.13},        {"frankfurt", 50.11, 8.68},
                           {"stockholm", 59.33, 18.07},   {"johannesburg", -26.20, 28.05}, {"mumbai", 19.08, 72.88},
                           {"singapore", 1.35, 103.82},   {"tokyo", 35.68, 139.65},        {"sydney", -33.87, 151.21}};
constexpr size_t count = std::size(cities);
constexpr double capacity = 0.22;  // of all queries, each
constexpr size_t askers = 200'000;

// Thirty cities with as many networks as their number says, some of them known to a country only.
std::shared_ptr<const geo::Table> invented() {
  geo::Table::Builder builder;
  Rng rng(30);
  for (unsigned block = 1; block < 220; block++)
    for (unsigned second = 0; second < 256; second += 8) {
      const auto& city = geo::demo_cities()[std::min(rng.below(30), rng.below(30))];
      geo::Location l;
      l.has_coordinates = true;
      l.latitude = std::clamp(city.latitude + rng.unit() * 10 - 5, -90.0, 90.0);
      l.longitude = std::clamp(city.longitude + rng.unit() * 10 - 5, -180.0, 180.0);
      l.accuracy_radius_km = rng.below(2) ? 1000 : 20;
      l.country = {city.country[0], city.country[1]};
      if (!builder.insert({IpAddress::v4(static_cast<uint8_t>(block), static_cast<uint8_t>(second), 0, 0), 13}, l))
        std::abort();
    }
  return builder.finish();
}

std::shared_ptr<const geo::Table> internet() {
  const char* path = std::getenv("PORTOLAN_CITY_DATABASE");
  if (!path) return invented();
  std::vector<geo::Flaw> flaws;
  auto table = geo::load({{path, "city", {}}}, flaws).table;
  for (const geo::Flaw& flaw : flaws) ADD_FAILURE() << flaw.error.text;
  return table ? table : invented();
}

struct Asker {
  IpAddress address;
  geo::Location place;
  Point point;
};

std::vector<Asker> draw(const geo::Table& table) {
  std::vector<Asker> list;
  Rng rng(2026);
  while (list.size() < askers) {
    Asker a;
    a.address = IpAddress::v4(static_cast<uint8_t>(1 + rng.below(223)), static_cast<uint8_t>(rng.next()),
                              static_cast<uint8_t>(rng.next()), static_cast<uint8_t>(rng.next()));
    a.place = table.location(table.find(a.address).place);
    if (!a.place.has_coordinates) continue;
    a.point = Point::from_degrees(a.place.latitude, a.place.longitude);
    list.push_back(a);
  }
  return list;
}

GeodnsConfig config() {
  GeodnsConfig c;
  ServiceConfig web{"t", "web", {}};
  for (uint8_t i = 0; i < count; i++) {
    c.datacenters.push_back({"t", cities[i].name, true, cities[i].latitude, cities[i].longitude, capacity});
    web.sites[cities[i].name].addresses = {IpAddress::v4(192, 0, 2, i)};
  }
  c.services = {web};
  ZoneConfig z = test::zone("example.com");
  z.nameservers = {"ns.elsewhere.org"};
  z.records = {test::service("plain", "web", "nearest"), test::service("careful", "web", "nearest")};
  z.records[0].accuracy_km = 0;
  z.records[1].accuracy_km = 200;
  // Whoever is known to a country only goes where its rule says: here to where most of it is.
  const auto rule = [&](std::vector<std::string> countries, std::vector<std::string> order) {
    RuleConfig r;
    r.where = "t";
    r.countries = std::move(countries);
    r.imprecise = true;
    r.order = std::move(order);
    z.records[1].rules.push_back(std::move(r));
  };
  rule({"US"}, {"ashburn", "dallas"});
  rule({"GB", "IE"}, {"london"});
  rule({"DE", "FR", "IT", "CH"}, {"frankfurt", "london"});
  rule({"JP", "KR"}, {"tokyo"});
  rule({"BR"}, {"sao-paulo"});
  rule({"CN"}, {"singapore", "tokyo"});
  c.zones = {z};
  return c;
}

struct Outcome {
  double mean_km = 0;
  std::vector<double> share = std::vector<double>(count);
  std::vector<uint8_t> where;  // of each asker
};

class Simulation : public testing::Test {
 protected:
  void SetUp() override {
    std::vector<Mistake> mistakes;
    auto built = build_view(config(), 1, mistakes);
    ASSERT_TRUE(built) << mistakes.front().text;
    const auto table = internet();
    using Clock = std::chrono::steady_clock;
    const auto began = Clock::now();
    give_places(*built, table, nullptr);
    plans_ms = std::chrono::duration<double, std::milli>(Clock::now() - began).count();
    view = built;
    everybody = draw(*view->geo);
    spill.set_view(*view);
    states.states = {std::vector<Condition>(count, State::up)};
  }

  const ServiceRecord& record(const char* name) {
    const auto wire = dns::Name::parse(std::string(name) + ".example.com");
    return *view->zones->at(0).find(wire->wire())->service;
  }

  Outcome ask(const char* name, Demand* demand = nullptr) {
    const auto now = with_states(*view, states);
    const ServiceRecord& r = record(name);
    const Plan& plan = *(*now->plans)[static_cast<size_t>(r.plan[0])];
    Outcome o;
    Rng rng(4);
    Steered steered;
    if (demand) demand->set_view(*now);
    for (const Asker& a : everybody) {
      steer(r, plan, *now, a.address, plan.find(a.address), rng, steered);
      const Candidate& c = steered.candidates()[steered.picks.list[0]];
      o.where.push_back(static_cast<uint8_t>(c.datacenter));
      o.share[c.datacenter] += 1.0 / askers;
      o.mean_km += a.point.distance_km(c.location) / askers;
      if (demand) demand->count(r.flow[0], steered.order);
    }
    return o;
  }

  double least_km(std::set<size_t> without = {}) {
    double sum = 0;
    for (const Asker& a : everybody) {
      double least = 1e9;
      for (size_t d = 0; d < count; d++)
        if (!without.contains(d))
          least = std::min(
              least, geo::distance_km(a.place.latitude, a.place.longitude, cities[d].latitude, cities[d].longitude));
      sum += least / askers;
    }
    return sum;
  }

  // With what is known of the demand, as control does when a board changes.
  void apply() {
    for (Condition& c : states.states[0]) c.room = Condition::full_room;
    spill.tick({});
    spill.apply(states);
  }
  void expect_nobody_above(const Outcome& o) {
    for (size_t d = 0; d < count; d++) EXPECT_LE(o.share[d], capacity * 1.03) << cities[d].name;
  }

  double plans_ms = 0;  // to make both plans
  std::shared_ptr<const View> view;
  std::vector<Asker> everybody;
  Spill spill;
  ServiceStates states;
};

std::string row(const char* title, const Outcome& o, double least) {
  std::string text = fmt::format("| {} | {:.0f} | {:.0f} |", title, o.mean_km, least);
  for (double share : o.share) text += share > 0 ? fmt::format(" {:.1f} |", share * 100) : " – |";
  return text + "\n";
}

std::string table(const std::string& rows) {
  std::string head = "| | mean km | least possible |", line = "|---|---:|---:|";
  for (const City& c : cities) {
    head += fmt::format(" {} |", c.name);
    line += "---:|";
  }
  return head + "\n" + line + "\n" + rows;
}

// A map a panel: a sample of the askers in the colour of the datacentre they are sent to.
std::string map(const std::vector<Asker>& everybody, const std::vector<std::pair<const char*, Outcome>>& panels) {
  constexpr const char* colours[] = {"#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b",
                                     "#e377c2", "#7f7f7f", "#bcbd22", "#17becf", "#003f5c", "#ffa600"};
  constexpr size_t sample = 2500;
  constexpr int height = 330;
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 {}\" font-family=\"sans-serif\" "
      "font-size=\"10\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
      height * static_cast<int>(panels.size()));
  for (size_t p = 0; p < panels.size(); p++) {
    svg += fmt::format(
        "<g transform=\"translate(0,{})\">\n<rect y=\"20\" width=\"720\" height=\"300\" fill=\"#f4f6f8\"/>\n"
        "<text x=\"4\" y=\"14\" font-size=\"12\">{}</text>\n",
        height * static_cast<int>(p), panels[p].first);
    const auto x = [](double longitude) { return (longitude + 180) * 2; };
    const auto y = [](double latitude) { return 20 + (85 - latitude) * 300 / 145; };
    for (size_t d = 0; d < count; d++) {
      std::string path;
      for (size_t i = 0; i < sample; i++)
        if (panels[p].second.where[i] == d)
          path += fmt::format("M{:.0f} {:.0f}h0", x(everybody[i].place.longitude), y(everybody[i].place.latitude));
      svg += fmt::format("<path stroke=\"{}\" stroke-width=\"2.5\" stroke-linecap=\"round\" d=\"{}\"/>\n", colours[d],
                         path);
    }
    for (size_t d = 0; d < count; d++) {
      const double share = panels[p].second.share[d] * 100;
      svg += fmt::format(
          "<circle cx=\"{0:.0f}\" cy=\"{1:.0f}\" r=\"4\" fill=\"{2}\" stroke=\"#000\"/><text x=\"{3:.0f}\" "
          "y=\"{4:.0f}\">{5} {6}</text>\n",
          x(cities[d].longitude), y(cities[d].latitude), share > 0 ? colours[d] : "#fff", x(cities[d].longitude) + 6,
          y(cities[d].latitude) + 3, cities[d].name, share > 0 ? fmt::format("{:.1f}%", share) : std::string("down"));
    }
    svg += "</g>\n";
  }
  return svg + "</svg>\n";
}

TEST_F(Simulation, EverybodyIsSentToTheNearestAndFailuresAreBorneTogether) {
  // No demand is known yet: nobody spills, and nobody could go less far.
  const Outcome plain = ask("plain");
  EXPECT_NEAR(plain.mean_km, least_km(), 0.5);
  const Outcome careful = ask("careful");
  EXPECT_GE(careful.mean_km, plain.mean_km - 0.5) << "measured from points that are the middle of a country";

  Demand demand;
  ask("plain", &demand);
  spill.add(demand.take());
  spill.tick({});
  apply();
  const Outcome healthy = ask("plain");
  expect_nobody_above(healthy);
  // The moment each fails, before anybody has asked again.
  const auto busiest =
      static_cast<size_t>(std::max_element(healthy.share.begin(), healthy.share.end()) - healthy.share.begin());
  states.states[0][busiest].state = State::down;
  apply();
  const Outcome one = ask("plain");
  EXPECT_EQ(one.share[busiest], 0);
  expect_nobody_above(one);
  const auto next = static_cast<size_t>(std::max_element(one.share.begin(), one.share.end()) - one.share.begin());
  states.states[0][next].state = State::down;
  apply();
  const Outcome two = ask("plain");
  EXPECT_EQ(two.share[busiest] + two.share[next], 0);
  expect_nobody_above(two);

  size_t moved = 0, had_to = 0;
  for (size_t i = 0; i < askers; i++) {
    moved += one.where[i] != healthy.where[i];
    had_to += healthy.where[i] == busiest;
  }
  const char* report = std::getenv("PORTOLAN_REPORT");
  if (!report) return;
  std::ofstream(std::string(report) + "/simulation.md")
      << table(row("accuracy off, nothing spills", plain, least_km()) +
               row("accuracy 200 km, rules for six groups of countries", careful, least_km()) +
               row("accuracy off, capacities known", healthy, least_km()) +
               row("one has failed", one, least_km({busiest})) + row("two have failed", two, least_km({busiest, next})))
      << fmt::format("\nWhen the first fails, {:.1f} % of the askers go elsewhere; {:.1f} % were its own.\n",
                     100.0 * static_cast<double>(moved) / askers, 100.0 * static_cast<double>(had_to) / askers)
      << fmt::format(
             "\nPlaces: {} in {:.1f} MB; the plan of the first record: {} orders in {:.1f} MB; both plans made in "
             "{:.0f} ms.\n",
             view->geo->location_count(), static_cast<double>(view->geo->memory_bytes()) / 1e6,
             (*view->plans)[0]->order_count(), static_cast<double>((*view->plans)[0]->memory_bytes()) / 1e6, plans_ms);
  std::ofstream(std::string(report) + "/simulation.svg")
      << map(everybody, {{"twelve datacentres, each with 22 % of all queries as its capacity", healthy},
                         {"one has failed", one},
                         {"two have failed", two}});
}

using CityTable = Simulation;

// Of a real table there are too many prefixes to look at all: samples, and those just inside of the borders.
TEST_F(CityTable, EveryAddressOfAScopeIsSentTheSameWay) {
  Rng rng(7);
  size_t nested = 0;
  for (const char* name : {"plain", "careful"}) {
    const Plan& plan = *(*view->plans)[static_cast<size_t>(record(name).plan[0])];
    for (size_t i = 0; i < askers; i++) {
      IpAddress a = everybody[i].address;
      if (i % 3 == 0) {
        constexpr uint8_t blocks[] = {0x24, 0x26, 0x28, 0x2a, 0x2c};
        a.family = IpAddress::Family::v6;
        for (uint8_t& byte : a.bytes) byte = static_cast<uint8_t>(rng.next());
        a.bytes[0] = blocks[rng.below(std::size(blocks))];
        a.bytes[1] &= 0x1f;
      }
      const Plan::Found found = plan.find(a);
      nested += found.scope > 8;
      for (int k = 0; k < 4; k++) {
        IpAddress b = a.masked(found.scope);
        for (unsigned bit = found.scope; bit < b.bits(); bit++)
          if (k == 1 || (k > 1 && rng.below(2))) b.bytes[bit / 8] |= static_cast<uint8_t>(0x80 >> bit % 8);
        const Plan::Found other = plan.find(b);
        ASSERT_EQ(other.order, found.order)
            << b.to_string() << " is within /" << found.scope << " of " << a.to_string();
        ASSERT_EQ(other.scope, found.scope);
        // And by the table of locations, which the plan was made from.
        const auto order = plan.order(other.order);
        const geo::Location at = view->geo->location(view->geo->find(b).place);
        const Plan::Match match = plan.match(at);
        if (match.rule != Plan::no_rule || !at.has_coordinates) continue;
        const Point point = Point::from_degrees(at.latitude, at.longitude);
        for (const Ranked& r : order.subspan(1)) {
          ASSERT_LE(point.distance_km(plan.spec().candidates[order[0].candidate].location),
                    point.distance_km(plan.spec().candidates[r.candidate].location) + 1);
        }
      }
    }
  }
  EXPECT_GT(nested, askers / 4);
}

}  // namespace
}  // namespace portolan::geodns
