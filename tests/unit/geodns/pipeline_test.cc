// From the record as written to the bytes of its answers: how many, for how long, and what is left when nothing is.
#include <map>

#include "tests/unit/geodns/fixture.hh"

namespace portolan::geodns {
namespace {

using List = std::vector<std::string>;

class Pipeline : public testing::Test, public test::World {
 protected:
  void record(RecordConfig r, uint32_t min_ttl_s = 5) {
    GeodnsConfig c = test::config();
    c.min_ttl_s = min_ttl_s;
    r.name = "it";
    c.zones[0].records.push_back(std::move(r));
    std::vector<Mistake> mistakes;
    auto built = build_view(c, 1, mistakes);
    ASSERT_TRUE(built) << mistakes.front().text;
    give_places(*built, test::table(), nullptr);
    view = built;
  }
  uint32_t ttl() { return ask("it.example.com").answers().at(0).ttl_s; }
  static Condition holds(State state, uint32_t seconds) {
    Condition c = state;
    c.horizon_s = seconds;
    return c;
  }
  void conditions(Condition us, Condition eu, Condition jp) { view = with_states(*view, {{{us, eu, jp}}}); }
};

TEST_F(Pipeline, SeveralDatacentresAreAnsweredWhereAsked) {
  RecordConfig r = test::service("", "web", "nearest");
  r.answers = 2;
  record(r);
  EXPECT_EQ(answers("it.example.com", dns::type_a, "10.1.2.0/24"), (List{"192.0.2.10", "192.0.2.20"}));
  EXPECT_EQ(info.datacenter, AnswerInfo::several_datacenters);
  states(State::up, State::down, State::up);
  EXPECT_EQ(answers("it.example.com", dns::type_a, "10.1.2.0/24"), (List{"192.0.2.10", "192.0.2.30"}));
  states(State::down, State::down, State::up);
  EXPECT_EQ(answers("it.example.com", dns::type_a, "10.1.2.0/24"), List{"192.0.2.30"}) << "one is better than none";
}

TEST_F(Pipeline, AllIsEveryUsableOne) {
  record(test::service("", "web", "all"));
  EXPECT_EQ(answers("it.example.com").size(), 3u);
  states(State::up, State::down, State::unknown);
  EXPECT_EQ(answers("it.example.com"), (List{"192.0.2.10", "192.0.2.30"}));
  EXPECT_EQ(ask("it.example.com", dns::type_a, "10.1.2.0/24").scope(), 0) << "the same for everybody";
}

TEST_F(Pipeline, TheLastResortIsWhatWasAskedFor) {
  for (const char* resort : {"all", "first", "none", ""}) {
    RecordConfig r = test::service("", "web", "failover");
    r.last_resort = resort;
    r.order = {"eu", "us", "jp"};
    record(r);
    states(State::down, State::draining, State::down);
    const List all{"192.0.2.10", "192.0.2.20", "192.0.2.30"};
    const std::string_view word = resort;
    const List expected = word == "none" ? List() : word == "first" ? List{"192.0.2.20"} : all;
    EXPECT_EQ(answers("it.example.com", dns::type_a, "10.1.2.0/24"), expected) << resort;
    if (word == "none") {
      const auto m = ask("it.example.com", dns::type_a, "10.1.2.0/24");
      EXPECT_EQ(m.rcode, dns::noerror);
      EXPECT_EQ(m.authority().size(), 1u) << "NODATA";
      EXPECT_EQ(m.scope(), 0);
    }
  }
}

TEST_F(Pipeline, NoPolicyIsEverEmptyUnlessAsked) {
  for (const PolicyPart* part : Registration<PolicyPart>::all())
    for (int rule = 0; rule < 3; rule++) {
      RecordConfig r = test::service("", "web", std::string(part->name));
      if (rule > 0) {
        r.rules.resize(1);
        r.rules[0].networks = {*IpNetwork::parse("10.0.0.0/8")};
        r.rules[0].datacenters = {"jp"};
        r.rules[0].only = rule == 2;
      }
      record(r);
      const auto before = view;
      for (int s = 0; s < 64; s++) {
        view = before;
        states(static_cast<State>(s & 3), static_cast<State>(s >> 2 & 3), static_cast<State>(s >> 4 & 3));
        for (const char* from : {"10.1.2.0/24", "203.0.113.0/24", "2001:db8:f::/56"})
          ASSERT_FALSE(answers("it.example.com", dns::type_a, from).empty()) << part->name << " " << s << " " << from;
      }
    }
}

// 20 of them: the first choice is everybody's where the policy knows no nearer one.
TEST_F(Pipeline, ManyDatacentresAreAllOnesAPolicyMayChoose) {
  GeodnsConfig c = test::config();
  ServiceConfig many{"t", "many", {}};
  for (int i = 0; i < 20; i++) {
    const std::string name = "dc" + std::to_string(i);
    c.datacenters.push_back({"t", name, true, 10, 10});
    many.sites[name] = test::site({"198.51.100." + std::to_string(i)});
  }
  c.services.push_back(many);
  RecordConfig order = test::service("order", "many", "failover");
  for (int i = 19; i >= 0; i--) order.order.push_back("dc" + std::to_string(i));
  for (const RecordConfig& r : {order, test::service("every", "many", "all"),
                                test::service("spread", "many", "weighted"), test::service("near", "many", "nearest")})
    c.zones[0].records.push_back(r);
  std::vector<Mistake> mistakes;
  auto built = build_view(c, 1, mistakes);
  ASSERT_TRUE(built);
  give_places(*built, test::table(), nullptr);
  view = built;
  EXPECT_EQ(answers("every.example.com").size(), 20u);
  for (const char* name : {"spread.example.com", "near.example.com"}) {
    std::map<std::string, int> counts;
    for (int i = 0; i < 4000; i++) counts[answers(name, dns::type_a, "10.1.2.0/24").at(0)]++;
    EXPECT_EQ(counts.size(), 20u) << name;
    for (const auto& [address, count] : counts) EXPECT_GT(count, 120) << name << " " << address;
  }
  ServiceStates now;
  now.states.resize(3);
  now.states[2].resize(23, State::up);
  for (int i = 19; i >= 0; i--) {
    EXPECT_EQ(answers("order.example.com"), List{"198.51.100." + std::to_string(i)});
    now.states[2][static_cast<size_t>(3 + i)].state = State::down;
    view = with_states(*view, now);
  }
}

// What is sticky goes by names: where a datacentre stands in a server's file, and which others do, moves nobody.
TEST_F(Pipeline, WhatSticksIsTheSameOnEveryServer) {
  RecordConfig r = test::service("", "web", "sticky");
  record(r);
  const auto all = [&] {
    std::vector<List> list;
    for (int i = 0; i < 300; i++)
      list.push_back(answers("it.example.com", dns::type_a,
                             "10." + std::to_string(i / 100) + "." + std::to_string(i % 100) + ".0/24"));
    return list;
  };
  const auto first = all();
  GeodnsConfig c = test::config();
  c.datacenters = {{"t", "new", true, 1, 1}, c.datacenters[2], c.datacenters[0], c.datacenters[1]};
  r.name = "it";
  c.zones[0].records.push_back(r);
  std::vector<Mistake> mistakes;
  view = build_view(c, 1, mistakes);
  ASSERT_TRUE(view);
  EXPECT_EQ(all(), first);
}

TEST_F(Pipeline, ANetworksRuleLetsThePolicyChooseAmongItsDatacentres) {
  RecordConfig r = test::service("", "web", "nearest");
  r.rules.resize(1);
  r.rules[0].networks = {*IpNetwork::parse("10.0.0.0/8")};
  r.rules[0].datacenters = {"us", "jp"};
  record(r);
  EXPECT_EQ(answers("it.example.com", dns::type_a, "10.9.9.0/24"), List{"192.0.2.10"}) << "Boston";
  EXPECT_EQ(answers("it.example.com", dns::type_a, "10.2.3.0/25"), List{"192.0.2.30"}) << "Seoul";
  EXPECT_EQ(answers("it.example.com", dns::type_a, "10.1.2.0/24"), List{"192.0.2.10"}) << "Paris, but not to Frankfurt";
  EXPECT_EQ(ask("it.example.com", dns::type_a, "10.2.3.0/25").scope(), 25);
}

// RFC 7871 §7.4: "no" is everybody's, so it must not be kept for longer than it may hold.
TEST_F(Pipeline, ThatNobodyServesIsNotKeptForLongerThanItHolds) {
  RecordConfig r = test::service("", "web", "failover");
  r.last_resort = "none";
  r.https = "1 . alpn=h2";
  record(r);
  const auto negative_ttl = [&](uint16_t type) { return ask("it.example.com", type).authority().at(0).ttl_s; };
  conditions(holds(State::down, 9), holds(State::down, 12), holds(State::down, 11));
  EXPECT_EQ(negative_ttl(dns::type_a), 9u);
  EXPECT_EQ(negative_ttl(dns::type_aaaa), 9u);
  EXPECT_EQ(ask("it.example.com", dns::type_https).answers().at(0).ttl_s, 9u) << "without hints as well";
  conditions(State::down, State::down, State::down);
  EXPECT_EQ(negative_ttl(dns::type_a), 30u) << "the record's own";
}

TEST_F(Pipeline, AnAddressOfTwoDatacentresIsAnsweredOnce) {
  GeodnsConfig c = test::config();
  c.services[0].sites["jp"] = test::site({"192.0.2.30", "192.0.2.10"});
  c.zones[0].records.push_back(test::service("it", "web", "all"));
  std::vector<Mistake> mistakes;
  view = build_view(c, 1, mistakes);
  ASSERT_TRUE(view);
  EXPECT_EQ(answers("it.example.com"), (List{"192.0.2.10", "192.0.2.20", "192.0.2.30"}));
}

TEST_F(Pipeline, NetworksThatNameNobodyAreRefused) {
  for (const char* network : {"2002:c000:200::/40", "64:ff9b::/96", "::ffff:192.0.2.0/120", "2001::/32"}) {
    GeodnsConfig c = test::config();
    RecordConfig r = test::service("it", "web", "nearest");
    r.rules.resize(1);
    r.rules[0].networks = {*IpNetwork::parse(network)};
    r.rules[0].order = {"jp"};
    c.zones[0].records.push_back(r);
    std::vector<Mistake> mistakes;
    build_view(c, 1, mistakes);
    ASSERT_EQ(mistakes.size(), 1u) << network;
    EXPECT_NE(mistakes[0].text.find("names nobody"), std::string::npos) << mistakes[0].text;
    c.zones[0].records.back().rules[0].networks = {*IpNetwork::parse("::/0"), *IpNetwork::parse("2001::/16")};
    mistakes.clear();
    build_view(c, 1, mistakes);
    EXPECT_TRUE(mistakes.empty()) << "these have others, too";
  }
}

TEST_F(Pipeline, ARuleForTheOnlyDatacentreIsKeptToEvenWhenItIsDown) {
  RecordConfig r = test::service("", "web", "nearest");
  r.rules.resize(1);
  r.rules[0].networks = {*IpNetwork::parse("10.1.0.0/16")};
  r.rules[0].order = {"jp"};
  r.rules[0].only = true;
  record(r);
  states(State::up, State::up, State::down);
  EXPECT_EQ(answers("it.example.com", dns::type_a, "10.1.2.0/24"), List{"192.0.2.30"});
  EXPECT_EQ(ask("it.example.com", dns::type_a, "10.1.2.0/24").scope(), 16) << "a last resort of those alone";
  EXPECT_EQ(answers("it.example.com", dns::type_a, "10.2.2.0/24"), List{"192.0.2.10"});
}

// RFC 7871 §7.4: a "no" would be kept for those as well whose datacentres serve.
TEST_F(Pipeline, NobodyIsToldNoWhereARuleSaysOnly) {
  RecordConfig r = test::service("", "web", "failover");
  r.last_resort = "none";
  r.https = "1 . alpn=h2";
  r.rules.resize(1);
  r.rules[0].networks = {*IpNetwork::parse("10.1.0.0/16")};
  r.rules[0].order = {"us", "eu"};
  r.rules[0].only = true;
  record(r);
  states(State::down, State::down, State::up);
  EXPECT_EQ(answers("it.example.com", dns::type_a, "10.1.2.0/24"), (List{"192.0.2.10", "192.0.2.20"}));
  EXPECT_EQ(ask("it.example.com", dns::type_a, "10.1.2.0/24").scope(), 16);
  EXPECT_EQ(answers("it.example.com", dns::type_a, "10.2.2.0/24"), List{"192.0.2.30"});
  EXPECT_EQ(ask("it.example.com", dns::type_https, "10.1.2.0/24").scope(), 16);
  EXPECT_EQ(ask("it.example.com", dns::type_aaaa, "10.1.2.0/24").answers().size(), 0u)
      << "all that have IPv6 are named: a no is right";
  EXPECT_EQ(ask("it.example.com", dns::type_aaaa, "10.1.2.0/24").scope(), 0);
  states(State::down, State::down, State::down);
  EXPECT_EQ(answers("it.example.com", dns::type_a, "10.2.2.0/24").size(), 3u);
  EXPECT_EQ(ask("it.example.com", dns::type_a, "10.2.2.0/24").scope(), 15);
}

// Whoever a networks rule names goes on by distance, when its datacentres are down and where nobody knows him closely.
TEST_F(Pipeline, ANetworksRuleLeavesTheRestToThePolicy) {
  RecordConfig r = test::service("", "web", "nearest");
  r.rules.resize(1);
  r.rules[0].networks = {*IpNetwork::parse("10.0.0.0/8")};
  r.rules[0].order = {"us"};
  record(r);
  EXPECT_EQ(answers("it.example.com", dns::type_a, "10.2.3.0/25"), List{"192.0.2.10"});
  states(State::down, State::up, State::up);
  EXPECT_EQ(answers("it.example.com", dns::type_a, "10.2.3.0/25"), List{"192.0.2.30"}) << "Seoul goes on to Tokyo";
  EXPECT_EQ(answers("it.example.com", dns::type_a, "10.1.2.0/24"), List{"192.0.2.20"}) << "Paris to Frankfurt";
  EXPECT_EQ(ask("it.example.com", dns::type_a, "10.2.3.0/25").scope(), 25);
  geo::Table::Builder builder;
  geo::Location vague;
  vague.has_coordinates = true;
  vague.latitude = 37.6;
  vague.longitude = 127;
  vague.accuracy_radius_km = 1000;
  ASSERT_TRUE(builder.insert(*IpNetwork::parse("10.2.3.0/25"), vague));
  r.rules[0].order.clear();
  r.rules[0].datacenters = {"us", "jp"};
  record(r);
  auto built = std::make_shared<View>(*view);
  give_places(*built, builder.finish(), nullptr);
  view = built;
  EXPECT_EQ(answers("it.example.com", dns::type_a, "10.2.3.0/25"), List{"192.0.2.30"}) << "imprecise, but nearer";
}

TEST_F(Pipeline, WhatAnOrderDoesNotNameComesBehindItInTurn) {
  for (const char* policy : {"failover", "nearest"}) {
    RecordConfig r = test::service("", "web", policy);
    r.order = {"jp"};
    record(r);
    states(State::up, State::up, State::down);
    for (int i = 0; i < 50; i++)
      ASSERT_EQ(answers("it.example.com", dns::type_a, "198.51.100.0/24"), List{"192.0.2.10"}) << policy;
  }
}

TEST_F(Pipeline, AContinentIsThatOfTheCountryWhereTheDatabaseHasNone) {
  RecordConfig r = test::service("", "web", "failover");
  r.rules.resize(1);
  r.rules[0].continents = {"AS"};
  r.rules[0].order = {"jp"};
  record(r);
  geo::Table::Builder builder;
  geo::Location at;
  at.country = {'K', 'R'};
  ASSERT_TRUE(builder.insert(*IpNetwork::parse("10.1.0.0/16"), at));
  at.continent = {'O', 'C'};
  ASSERT_TRUE(builder.insert(*IpNetwork::parse("10.2.0.0/16"), at));
  auto built = std::make_shared<View>(*view);
  give_places(*built, builder.finish(), nullptr);
  view = built;
  EXPECT_EQ(answers("it.example.com", dns::type_a, "10.1.2.0/24"), List{"192.0.2.30"});
  EXPECT_EQ(answers("it.example.com", dns::type_a, "10.2.2.0/24"), List{"192.0.2.10"}) << "what it says counts";
  EXPECT_EQ(answers("it.example.com", dns::type_a, "10.3.2.0/24"), List{"192.0.2.10"});
}

TEST_F(Pipeline, TheLeastTtlIsNoMoreThanTheMost) {
  GeodnsConfig c = test::config();
  c.where = "t:1:1";
  c.min_ttl_s = 60;
  c.max_ttl_s = 59;
  std::vector<Mistake> mistakes;
  EXPECT_FALSE(build_view(c, 1, mistakes));
  ASSERT_EQ(mistakes.size(), 1u);
  EXPECT_EQ(mistakes[0].where + " " + mistakes[0].text, "t:1:1 min_ttl is more than max_ttl in [geodns]");
}

TEST_F(Pipeline, StickyAnswersAreForTheNetworkThatSticks) {
  record(test::service("", "web", "sticky"));
  EXPECT_EQ(ask("it.example.com", dns::type_a, "10.1.0.0/20").scope(), 24);
  EXPECT_EQ(ask("it.example.com", dns::type_a, "10.1.2.3/32").scope(), 24);
  EXPECT_EQ(ask("it.example.com", dns::type_aaaa, "2001:db8:f::/48").scope(), 56);
  for (int i = 0; i < 200; i++) {
    const std::string network = "10.7." + std::to_string(i) + ".";
    const List first = answers("it.example.com", dns::type_a, network + "1/32");
    ASSERT_EQ(answers("it.example.com", dns::type_a, network + "250/32"), first);
  }
}

TEST_F(Pipeline, ATtlNeverOutlastsTheNextMomentTheAnswerCouldChange) {
  RecordConfig r = test::service("", "web", "failover");
  r.order = {"us", "eu", "jp"};
  record(r);
  EXPECT_EQ(ttl(), 30u) << "nobody says when it could";
  conditions(holds(State::up, 12), holds(State::up, 7), holds(State::up, 6));
  EXPECT_EQ(ttl(), 12u) << "those behind it change nothing";
  conditions(holds(State::down, 9), holds(State::up, 20), holds(State::up, 6));
  EXPECT_EQ(ttl(), 9u) << "it may come back";
  conditions(holds(State::up, 1), holds(State::up, 20), holds(State::up, 6));
  EXPECT_EQ(ttl(), 5u) << "the floor";
  conditions(holds(State::up, 100), State::up, State::up);
  EXPECT_EQ(ttl(), 30u) << "the record's own is the most";
  r.ttl_s = 2;
  record(r);
  conditions(holds(State::up, 1), State::up, State::up);
  EXPECT_EQ(ttl(), 2u) << "which counts for more than the floor";
  r.policy = "weighted";
  r.order.clear();
  r.ttl_s = 60;
  record(r);
  conditions(holds(State::up, 50), holds(State::up, 40), holds(State::down, 20));
  EXPECT_EQ(ttl(), 20u) << "each of them has a say";
}

TEST_F(Pipeline, MistakesOfRulesAreNamed) {
  const auto mistakes_of = [](const std::function<void(RecordConfig&)>& edit, const char* policy = "nearest") {
    RecordConfig r = test::service("it", "web", policy);
    r.rules.resize(1);
    r.rules[0].where = "rule:1:1";
    r.rules[0].datacenters = {"eu"};
    edit(r);
    GeodnsConfig c = test::config();
    c.zones[0].records.push_back(std::move(r));
    std::vector<Mistake> mistakes;
    build_view(c, 1, mistakes);
    std::string text;
    for (const Mistake& m : mistakes) text += m.where + ": " + m.text + "\n";
    return text;
  };
  const auto expect = [&](const char* what, const std::function<void(RecordConfig&)>& edit,
                          const char* policy = "nearest") {
    EXPECT_NE(mistakes_of(edit, policy).find(what), std::string::npos) << mistakes_of(edit, policy);
  };
  EXPECT_EQ(mistakes_of([](RecordConfig&) {}), "");
  expect("rule:1:1: \"Germany\" is not a country's code", [](RecordConfig& r) { r.rules[0].countries = {"Germany"}; });
  expect("is not a region's code", [](RecordConfig& r) { r.rules[0].regions = {"CA"}; });
  expect("is not one of AF", [](RecordConfig& r) { r.rules[0].continents = {"XX"}; });
  expect("a rule before this one names DE", [](RecordConfig& r) { r.rules[0].countries = {"DE", "DE"}; });
  expect("one of the two", [](RecordConfig& r) { r.rules[0].order = {"us"}; });
  expect("does not stand in \"mars\"", [](RecordConfig& r) { r.rules[0].datacenters = {"mars"}; });
  expect("names \"eu\" twice", [](RecordConfig& r) { r.rules[0].datacenters = {"eu", "eu"}; });
  expect("networks are precise", [](RecordConfig& r) {
    r.rules[0].imprecise = true;
    r.rules[0].networks = {*IpNetwork::parse("10.0.0.0/8")};
  });
  expect("weights belong to", [](RecordConfig& r) { r.rules[0].weights = {{"eu", 1}}; });
  expect(
      "which datacenters do not",
      [](RecordConfig& r) {
        r.rules[0].weights = {{"us", 1}};
      },
      "weighted");
  expect(
      "all weights are 0",
      [](RecordConfig& r) {
        r.rules[0].weights = {{"eu", 0}};
      },
      "weighted");
  expect(
      "order belongs to",
      [](RecordConfig& r) {
        r.rules[0].order = {"eu"};
        r.rules[0].datacenters.clear();
      },
      "sticky");
}

// Who is compared by distance must have a place; who never is need not.
TEST_F(Pipeline, NearestNeedsTheLocationsItCompares) {
  const auto mistakes_of = [](const std::function<void(RecordConfig&)>& edit, const char* policy = "nearest") {
    RecordConfig r = test::service("it", "web", policy);
    edit(r);
    GeodnsConfig c = test::config();
    c.datacenters[1].has_location = false;
    c.zones[0].records = {std::move(r)};
    c.zones[0].nameservers = {"ns.elsewhere.org"};
    c.zones.resize(1);
    std::vector<Mistake> mistakes;
    build_view(c, 1, mistakes);
    std::string text;
    for (const Mistake& m : mistakes) text += m.where + ": " + m.text + "\n";
    return text;
  };
  const std::string missing =
      "test:2:2: policy \"nearest\" needs a location in [datacenter.eu]; set it, or say the order with policy = "
      "\"failover\"\n";
  const auto rule = [](std::vector<std::string> order, std::vector<std::string> datacenters, bool only) {
    return [=](RecordConfig& r) {
      r.rules.resize(1);
      r.rules[0].where = "rule:1:1";
      r.rules[0].order = order;
      r.rules[0].datacenters = datacenters;
      r.rules[0].only = only;
    };
  };
  EXPECT_EQ(mistakes_of([](RecordConfig&) {}), missing);
  EXPECT_EQ(mistakes_of([](RecordConfig& r) { r.order = {"eu", "us"}; }), missing) << "those whose place is known";
  EXPECT_EQ(mistakes_of(rule({"jp"}, {}, false)), missing) << "the rest of a rule is by distance";
  EXPECT_EQ(mistakes_of(rule({}, {"eu", "us"}, true)), missing);
  EXPECT_EQ(mistakes_of(rule({"eu", "jp"}, {}, true)), "");
  EXPECT_EQ(mistakes_of(rule({}, {"us", "jp"}, true)), "");
  EXPECT_EQ(mistakes_of(rule({"us", "jp"}, {}, false)), "") << "one is compared with nobody";
  const auto of_network = [&](std::vector<std::string> order, std::vector<std::string> datacenters) {
    return [=](RecordConfig& r) {
      rule(order, datacenters, true)(r);
      r.rules[0].networks = {*IpNetwork::parse("10.0.0.0/8")};
    };
  };
  EXPECT_EQ(mistakes_of(of_network({"us"}, {})), missing) << "all others go by distance";
  EXPECT_EQ(mistakes_of(of_network({}, {"eu"})), missing);
  EXPECT_EQ(mistakes_of(of_network({"eu"}, {})), "") << "it is said who goes there; for others it is the last";
  EXPECT_EQ(mistakes_of([](RecordConfig& r) { r.service = "old"; }), "") << "it stands in one alone";
  for (const char* policy : {"failover", "weighted", "sticky", "all"})
    EXPECT_EQ(mistakes_of([](RecordConfig&) {}, policy), "") << policy;
}

TEST(Privacy, AddressesOfPrivateNetworksAreNotShown) {
  View view;
  view.hidden = {*IpNetwork::parse("10.0.0.0/8"), *IpNetwork::parse("2001:db8::/32")};
  for (const char* hidden : {"10.1.2.3", "2001:db8::1", "::ffff:10.1.2.3", "64:ff9b::10.0.0.1"})
    EXPECT_EQ(view.shown(test::ip(hidden)).to_string(), "-") << hidden;
  for (const char* open : {"11.1.2.3", "2001:db9::1", "::ffff:11.1.2.3"})
    EXPECT_EQ(view.shown(test::ip(open)), test::ip(open)) << open;
}

}  // namespace
}  // namespace portolan::geodns
