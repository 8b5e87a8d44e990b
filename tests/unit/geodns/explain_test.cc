// What `portolan explain dns` says, stage by stage.
#include "geodns/explain.hh"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tests/unit/geodns/fixture.hh"

namespace portolan::geodns {
namespace {

const std::string golden = std::string(PORTOLAN_SOURCE_DIR) + "/tests/golden/explain-dns/told.txt";

// The example with a location of a radius as 8.8.8.8 has it, and rules.
GeodnsConfig config() {
  GeodnsConfig c = test::config();
  RecordConfig steered = test::service("steered", "web", "nearest");
  steered.rules.resize(3);
  steered.rules[0].networks = {*IpNetwork::parse("10.66.0.0/16")};
  steered.rules[0].order = {"jp"};
  steered.rules[0].only = true;
  steered.rules[1].countries = {"US"};
  steered.rules[1].imprecise = true;
  steered.rules[1].order = {"us", "eu"};
  steered.rules[2].asns = {64500};
  steered.rules[2].datacenters = {"eu", "jp"};
  RecordConfig ordered = test::service("ordered", "web", "nearest");
  ordered.order = {"eu", "us", "jp"};
  RecordConfig stuck = test::service("stuck", "web", "sticky");
  stuck.weights = {{"us", 70}, {"eu", 30}};
  RecordConfig every = test::service("every", "web", "all");
  RecordConfig nothing = test::service("nothing", "web", "failover");
  nothing.last_resort = "none";
  RecordConfig secure = test::service("secure", "web", "nearest");
  secure.https = "1 . alpn=h2";
  ServiceConfig named{"t", "named", {}};
  for (const char* dc : {"us", "eu"}) {
    named.sites[dc].where = "test:5:5";
    named.sites[dc].target = std::string("web.") + dc + ".example.net";
  }
  c.services.push_back(named);
  const RecordConfig cdn = test::service("cdn", "named", "nearest"),
                     below = test::fixed("below", "NS", "ns.example.net"),
                     pointer = test::fixed("pointer", "ALIAS", "origin.example.net");
  RecordConfig pair = test::service("pair", "both", "nearest"), alone = test::service("alone", "web", "failover");
  pair.https = "1 . alpn=h2";
  pair.answers = 2;
  alone.last_resort = "none";
  alone.rules = {steered.rules[0]};
  ServiceConfig dual{"t", "both", {}};
  dual.sites["us"] = test::site({"192.0.2.10", "2001:db8:1::10"});
  dual.sites["eu"] = test::site({"192.0.2.20", "2001:db8:2::10"});
  c.services.push_back(dual);
  for (const RecordConfig& r : {pair, alone, steered, ordered, stuck, every, nothing, secure, cdn, below, pointer})
    c.zones[0].records.push_back(r);
  c.min_ttl_s = 5;
  c.hidden = {*IpNetwork::parse("192.168.0.0/16")};
  return c;
}

std::shared_ptr<const geo::Table> places() {
  geo::Table::Builder builder;
  const auto put = [&](const char* network, geo::Location l) {
    if (!builder.insert(*IpNetwork::parse(network), l)) std::abort();
  };
  put("8.8.8.0/24", {37.751, -97.822, 1000, true, {'U', 'S'}, {'N', 'A'}, {}, 15169});
  put("10.1.0.0/16", {48.9, 2.4, 20, true, {'F', 'R'}, {'E', 'U'}, {'I', 'D', 'F'}, 0});
  put("10.2.0.0/16", {34.05, -118.24, 50, true, {'U', 'S'}, {'N', 'A'}, {'C', 'A'}, 64500});
  return builder.finish();
}

TEST(ExplainDns, TellsEveryStage) {
  std::vector<Mistake> mistakes;
  auto built = build_view(config(), 1, mistakes);
  for (const Mistake& m : mistakes) ADD_FAILURE() << m.text;
  ASSERT_TRUE(built);
  give_places(*built, places(), nullptr);
  Condition us = State::up, eu = State::up, jp = State::unknown;
  us.horizon_s = 3;
  eu.horizon_s = 12;
  eu.room = 65535 / 2;
  auto aliases = std::make_shared<AliasTable>();
  aliases->addresses = {{{true, false}, 150, {"\1\2\3\4"}, {}}};
  built->aliases = aliases;
  const auto healthy = with_states(*built, {{{us, State::up, jp}}});
  const auto spilling = with_states(*built, {{{us, eu, jp}}});
  const auto broken = with_states(*built, {{{us, State::down, State::draining}}});
  const auto dead =
      with_states(*built, {{{State::down, State::down, State::draining}, {}, {State::down, State::down, State::down}}});
  struct Question {
    const char* title;
    std::shared_ptr<const View> view;
    ExplainDnsRequest request;
  };
  const std::vector<Question> questions = {
      {"nearest", healthy, {"www.example.com", "A", "10.1.2.3"}},
      {"nearest, down", broken, {"www.example.com", "A", "10.1.2.0/24"}},
      {"IPv6", healthy, {"www.example.com.", "AAAA", "2001:db8::1"}},
      {"IPv4 inside IPv6", healthy, {"www.example.com", "A", "64:ff9b::10.1.2.3"}},
      {"an imprecise location and its country's rule", healthy, {"steered.example.com", "A", "8.8.8.8"}},
      {"an imprecise location and the record's order", healthy, {"ordered.example.com", "A", "8.8.8.8"}},
      {"a network's rule", healthy, {"steered.example.com", "A", "10.66.1.0/24"}},
      {"an ASN's rule", healthy, {"steered.example.com", "A", "10.2.3.4"}},
      {"spilling", spilling, {"www.example.com", "A", "10.1.2.3"}},
      {"weighted", healthy, {"beta.example.com", "A", "10.1.2.3"}},
      {"sticky", healthy, {"stuck.example.com", "A", "10.1.2.3"}},
      {"all", healthy, {"every.example.com", "A", "10.1.2.3"}},
      {"the last resort", dead, {"www.example.com", "A", "10.1.2.3"}},
      {"no last resort", dead, {"nothing.example.com", "A", "10.1.2.3"}},
      {"an alias", healthy, {"to-www.example.com", "A", "10.1.2.3"}},
      {"a fixed record", healthy, {"mail.example.com", "A", "10.1.2.3"}},
      {"hints of HTTPS", healthy, {"secure.example.com", "HTTPS", "10.9.2.3"}},
      {"names of datacentres", healthy, {"cdn.example.com", "TXT", "10.1.2.3"}},
      {"the last resort of names", dead, {"cdn.example.com", "AAAA", "10.1.2.3"}},
      {"a name below a delegation", healthy, {"www.below.example.com", "A", "10.1.2.3"}},
      {"addresses of another name", healthy, {"pointer.example.com", "A", "10.1.2.3"}},
      {"addresses that are not known", healthy, {"pointer.example.com", "AAAA", "10.1.2.3"}},
      {"another type", healthy, {"example.com", "MX", "10.1.2.3"}},
      {"a type that isn't there", healthy, {"www.example.com", "TYPE1234", "10.1.2.3"}},
      {"no such name", healthy, {"gone.example.com", "A", "192.168.1.1"}},
      {"a private network", healthy, {"www.example.com", "A", "192.168.1.1"}},
      {"no zone", healthy, {"elsewhere.org", "A", "10.1.2.3"}},
      {"a network with host bits", healthy, {"www.example.com", "A", "10.1.2.3/24"}},
      {"hints of several, of sites of both families", healthy, {"pair.example.com", "HTTPS", "10.1.2.3"}},
      {"no last resort, but a rule that says only", dead, {"alone.example.com", "A", "10.66.2.3"}},
      {"a transfer", healthy, {"example.com", "AXFR", "10.1.2.3"}},
      {"a type that does something", healthy, {"example.com", "TYPE250", "10.1.2.3"}},
      {"a type that nobody asks for", healthy, {"example.com", "OPT", "10.1.2.3"}},
      {"a type nobody has here", healthy, {"example.com", "RRSIG", "10.1.2.3"}},
  };
  std::string got;
  for (const Question& q : questions) {
    Rng rng(1);
    auto lines = explain_dns(q.request, *q.view, rng);
    ASSERT_TRUE(lines) << lines.error().text;
    got += std::string(got.empty() ? "" : "\n") + "── " + q.title + "\n" + *lines;
  }
  if (std::getenv("PORTOLAN_BLESS")) std::ofstream(golden) << got;
  std::stringstream expected;
  expected << std::ifstream(golden).rdbuf();
  EXPECT_EQ(got, expected.str());
}

TEST(ExplainDns, RefusesWhatMakesNoSense) {
  const test::World world;
  Rng rng(1);
  EXPECT_EQ(explain_dns({"a..b", "A", "10.1.2.3"}, *world.view, rng).error().text,
            "\"a..b\" is not a domain name: a label is empty");
  EXPECT_FALSE(explain_dns({"", "A", "10.1.2.3"}, *world.view, rng));
  EXPECT_FALSE(explain_dns({"www.example.com", "NONSENSE", "10.1.2.3"}, *world.view, rng));
  EXPECT_FALSE(explain_dns({"www.example.com", "ANY", "10.1.2.3"}, *world.view, rng));
  for (const char* from : {"10.1.2.3/33", "10.1.2.3/", "10.1.2/24", "x"})
    EXPECT_FALSE(explain_dns({"www.example.com", "A", from}, *world.view, rng)) << from;
}

// 8.8.8.8 is 1000 km around the middle of a lake in Kansas: whoever stands there is not its nearest.
TEST(Accuracy, NobodyIsNearestToTheMiddleOfACountry) {
  GeodnsConfig c;
  c.datacenters = {
      {"t", "east", true, 39.0, -77.5}, {"t", "kansas", true, 37.7, -97.3}, {"t", "west", true, 37.4, -121.9}};
  ServiceConfig web{"t", "web", {}};
  web.sites["east"] = test::site({"192.0.2.1"});
  web.sites["kansas"] = test::site({"192.0.2.2"});
  web.sites["west"] = test::site({"192.0.2.3"});
  c.services = {web};
  ZoneConfig z = test::zone("example.com");
  z.nameservers = {"ns.elsewhere.org"};
  z.records = {test::service("off", "web", "nearest"), test::service("order", "web", "nearest"),
               test::service("rule", "web", "nearest")};
  z.records[0].accuracy_km = 0;
  z.records[0].order = z.records[1].order = {"east", "west"};
  z.records[2].rules.resize(1);
  z.records[2].rules[0].countries = {"US"};
  z.records[2].rules[0].imprecise = true;
  z.records[2].rules[0].order = {"west"};
  c.zones = {z};
  std::vector<Mistake> mistakes;
  auto view = build_view(c, 1, mistakes);
  ASSERT_TRUE(view) << mistakes.front().text;
  give_places(*view, places(), nullptr);
  test::World world;
  world.view = view;
  EXPECT_EQ(world.answers("off.example.com", dns::type_a, "8.8.8.0/24"), std::vector<std::string>{"192.0.2.2"});
  EXPECT_EQ(world.answers("order.example.com", dns::type_a, "8.8.8.0/24"), std::vector<std::string>{"192.0.2.1"});
  EXPECT_EQ(world.answers("rule.example.com", dns::type_a, "8.8.8.0/24"), std::vector<std::string>{"192.0.2.3"});
  EXPECT_EQ(world.answers("rule.example.com", dns::type_a, "10.2.0.0/24"), std::vector<std::string>{"192.0.2.3"})
      << "Los Angeles is known well: by distance";
  EXPECT_EQ(world.answers("order.example.com", dns::type_a, "10.2.0.0/24"), std::vector<std::string>{"192.0.2.3"});
}

}  // namespace
}  // namespace portolan::geodns
