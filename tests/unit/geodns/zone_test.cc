// What the zone builder accepts, and how it names what it does not.
#include "geodns/zone.hh"

#include "geodns/rdata.hh"
#include "tests/unit/geodns/fixture.hh"

namespace portolan::geodns {
namespace {

using test::fixed;
using test::service;

std::string mistakes_of(const GeodnsConfig& config) {
  std::vector<Mistake> mistakes;
  auto view = build_view(config, 1, mistakes);
  EXPECT_EQ(view == nullptr, !mistakes.empty());
  std::string text;
  for (const Mistake& m : mistakes) text += m.where + ": " + m.text + "\n";
  return text;
}

// The example with one more record in its first zone.
std::string with(RecordConfig record) {
  GeodnsConfig c = test::config();
  c.zones[0].records.push_back(std::move(record));
  return mistakes_of(c);
}

TEST(ZoneBuilder, TheExampleIsGood) {
  EXPECT_EQ(mistakes_of(test::config()), "");
}

TEST(ZoneBuilder, NamesItsMistakes) {
  RecordConfig weights = service("s1", "web", "nearest"), order = service("s2", "web", "weighted"),
               nowhere = service("s3", "old", "weighted"), zero = service("s4", "web", "weighted"),
               twice = service("s5", "web", "failover"), both = service("s6", "web", "nearest"),
               policy = fixed("p", "A", "192.0.2.1"), ttl = fixed("mail", "A", "192.0.2.26"),
               long_ttl = fixed("l", "A", "192.0.2.1");
  weights.weights = {{"us", 1}};
  order.order = {"us"};
  nowhere.weights = {{"us", 1}};
  zero.weights = {{"us", 0}};
  twice.order = {"us", "us"};
  both.type = "A";
  policy.policy = "nearest";
  ttl.ttl_s = 1;
  long_ttl.ttl_s = 0x80000000;
  const std::vector<std::pair<RecordConfig, const char*>> cases = {
      {fixed("a", "B", "x"), "test:1:1: type \"B\" is not one of A, AAAA, ALIAS, CAA, CNAME, DS, HINFO, HTTPS, MX"},
      {fixed("a", "", ""), "a record needs a type and a value, or a service"},
      {fixed("a", "A", "2001:db8::1"), "write type = \"AAAA\""},
      {fixed("a", "AAAA", "192.0.2.1"), "write type = \"A\""},
      {fixed("a", "A", "192.0.2.256"), "is not an IP address"},
      {fixed("a", "MX", "mail.example.com"), "an MX record is a preference"},
      {fixed("a", "MX", "10"), "an MX record is a preference"},
      {fixed("a", "MX", "70000 a.b"), "an MX record is a preference"},
      {fixed("a", "MX", "10 a..b"), "a label is empty"},
      {fixed("a", "CNAME", "a..b"), "a label is empty"},
      {fixed("a", "TXT", "\"open"), "a quote is left open"},
      {fixed("a", "TXT", "\"a\" \"b"), "a quote is left open"},
      {fixed("ü", "A", "192.0.2.1"), "in the form \"xn--…\""},
      {fixed("a b", "A", "192.0.2.1"), "no blanks"},
      {fixed("a", "CNAME", "b c.org"), "no blanks"},
      {fixed("ds", "DS", "1 13 2 00ff"),
       "\"ds\" has DS records, which are about a zone that is handed over, but no NS"},
      {fixed("a", "TXT", "\"\\256\""), "an escape over"},
      {fixed("a", "TXT", "\"" + std::string(256, 'x') + "\""), "longer than 255 bytes"},
      {fixed("a", "TXT", std::string(61000, 'x')), "than fit into a message"},
      {fixed("*.a", "NS", "ns.other.org"), "a wildcard can't be handed"},
      {fixed("a", "NS", "ns.a.example.com"),
       "test:1:1: \"a\" is handed to \"ns.a.example.com.\", which nobody can find"},
      {fixed("wild", "NS", "ns.other.org"), "\"*.wild\" is within the delegation of \"wild.example.com.\""},
      {fixed("a", "DNAME", "b.org"), "type \"DNAME\" is not one of"},
      {fixed("a", "TYPE41", "\\# 0"), "type \"TYPE41\" is not one of"},
      {fixed("a", "TYPE999", "x"), "written \"\\# LENGTH HEX\""},
      {fixed("@", "DS", "1 13 2 00ff"), "DS records stand in the zone above"},
      {fixed("mail", "ALIAS", "a.org"), "which is all of its addresses"},
      {fixed("alias", "ALIAS", "a.org"), "all of its addresses, and others"},
      {fixed("a", "ALIAS", "a..org"), "a label is empty"},
      {fixed("a", "ALIAS", "www.example.com"),
       "test:1:1: value: \"www.example.com\" is answered by [service.web], of which an ALIAS gives everybody the same "
       "datacentre; write service = \"web\""},
      {fixed("a", "ALIAS", "x.apps.example.com"), "is answered by [service.web]"},
      {fixed("", "A", "192.0.2.1"), "it is empty"},
      {fixed("a..b", "A", "192.0.2.1"), "a label is empty"},
      {fixed(std::string(64, 'a'), "A", "192.0.2.1"), "longer than 63"},
      {fixed("x.org.", "A", "192.0.2.1"), "not within the zone example.com"},
      {fixed("a.example.com", "A", "192.0.2.1"), "leave \"example.com\" off"},
      {fixed("a.*.b", "A", "192.0.2.1"), "only be the first label"},
      {fixed("x.dev", "A", "192.0.2.1"), "belongs to another zone"},
      {fixed("@", "CNAME", "mail"), "can't be a CNAME"},
      {fixed("mail", "CNAME", "ns1"), "a CNAME stands alone"},
      {fixed("alias", "TXT", "x"), "a CNAME stands alone"},
      {fixed("alias", "CNAME", "ns1"), "a CNAME stands alone"},
      {service("alias", "web", "nearest"), "a CNAME stands alone"},
      {fixed("loop", "CNAME", "loop"), "go round in a circle"},
      {fixed("*.loop", "CNAME", "x.loop.example.com"), "go round in a circle"},
      {fixed("mail", "A", "192.0.2.25"), "the same record is there twice"},
      {ttl, "must have one ttl"},
      {long_ttl, "ttl is over"},
      {policy, "belong to service records"},
      {service("a", "gone", ""), "there is no [service.gone]"},
      {service("a", "web", "furthest"), "policy \"furthest\" is not one of all, failover, nearest, sticky, weighted"},
      {service("www", "web", "nearest"), "has a service already"},
      {service("mail", "web", "nearest"), "addresses of its own"},
      {weights, "weights belong to policy"},
      {order, "order belongs to policy"},
      {nowhere, "service \"old\" does not stand in \"us\""},
      {zero, "all weights are 0"},
      {twice, "names \"us\" twice"},
      {both, "not both"},
  };
  for (const auto& [record, expected] : cases)
    EXPECT_NE(with(record).find(expected), std::string::npos) << expected << "\n in: " << with(record);
}

TEST(ZoneBuilder, CountsRecordsAndKnowsItsSerial) {
  GeodnsConfig c = test::config();
  c.zones[0].records = {fixed("ns1", "A", "192.0.2.53"), fixed("ns2", "A", "192.0.2.54"),
                        fixed("a", "TXT", "x"),          fixed("a", "TXT", "y"),
                        service("www", "web", ""),       fixed("@", "ALIAS", "origin.elsewhere.org")};
  c.zones.resize(1);
  std::vector<Mistake> mistakes;
  auto view = build_view(c, 77, mistakes);
  ASSERT_TRUE(view) << mistakes.front().text;
  EXPECT_EQ(view->zones->at(0).record_count(), 9u) << "SOA, two NS, four records, a service and an ALIAS";
  EXPECT_EQ(view->zones->at(0).serial(), 77u);
  ASSERT_EQ(view->zones->aliases().size(), 1u);
  EXPECT_EQ(view->zones->aliases()[0].records, "example.com");
  EXPECT_EQ(view->zones->aliases()[0].zones, "example.com");
}

TEST(ZoneBuilder, NamesMistakesAroundTheRecords) {
  using Change = void (*)(GeodnsConfig&);
  const std::vector<std::pair<Change, const char*>> cases = {
      {[](GeodnsConfig& c) { c.zones[0].name = "a..b"; }, "a label is empty"},
      {[](GeodnsConfig& c) { c.zones[1].name = "EXAMPLE.com."; }, "is there twice"},
      {[](GeodnsConfig& c) { c.zones[0].nameservers.clear(); }, "has no nameservers"},
      {[](GeodnsConfig& c) { c.zones[0].nameservers = {"a..b"}; }, "nameservers: "},
      {[](GeodnsConfig& c) { c.zones[0].nameservers = {"ns9.example.com"}; },
       "nameserver \"ns9.example.com.\" is inside the zone but has no A or AAAA"},
      {[](GeodnsConfig& c) { c.zones[0].contact = "@x"; }, "write the contact as"},
      {[](GeodnsConfig& c) { c.zones[0].contact = "host master@example.com"; }, "contact: \"host master"},
      {[](GeodnsConfig& c) { c.zones[0].name = "bücher.example"; }, "xn--"},
      {[](GeodnsConfig& c) { c.services[0].sites["mars"] = c.services[0].sites["us"]; },
       "there is no [datacenter.mars]"},
      {[](GeodnsConfig& c) { c.services[0].sites["us"].addresses.clear(); }, "has no addresses in \"us\""},
      {[](GeodnsConfig& c) { c.services[1].sites.clear(); }, "stands in no datacentre"},
      {[](GeodnsConfig& c) { c.datacenters.resize(257); }, "more than 256 datacentres"},
  };
  for (const auto& [change, expected] : cases) {
    GeodnsConfig c = test::config();
    change(c);
    EXPECT_NE(mistakes_of(c).find(expected), std::string::npos) << expected << "\n in: " << mistakes_of(c);
  }
}

std::string value(std::string_view text, std::string_view origin = "example.com") {
  auto name = value_name(text, *dns::Name::parse(origin));
  return name ? name->to_string() : name.error().text;
}

TEST(ZoneBuilder, FormsOfNames) {
  EXPECT_EQ(value("@"), "example.com.");
  EXPECT_EQ(value("mail"), "mail.example.com.");
  EXPECT_EQ(value("Mail.Example.COM"), "mail.example.com.");
  EXPECT_EQ(value("mail."), "mail.");
  EXPECT_EQ(value("mail", "."), "mail.");
  const auto origin = *dns::Name::parse("example.com");
  EXPECT_EQ(owner_name("a.b", origin)->to_string(), "a.b.example.com.");
  EXPECT_EQ(owner_name("A.example.com.", origin)->to_string(), "a.example.com.");
  EXPECT_EQ(contact_name("a.b@c.d")->to_string(), "a\\.b.c.d.");
  EXPECT_EQ(contact_name("a.c.d")->to_string(), "a.c.d.");
}

TEST(ZoneBuilder, FormsOfText) {
  const auto origin = *dns::Name::parse("example.com");
  const auto txt = [&](std::string_view v) { return *parse_rdata(dns::type_txt, v, origin); };
  using namespace std::string_literals;
  EXPECT_EQ(txt("a b"), "\3a b"s);
  EXPECT_EQ(txt(""), "\0"s);
  EXPECT_EQ(txt("\"a\" \"b\\\"\\066\""), "\1a\3b\"B"s);
  EXPECT_EQ(txt("\"one two\" three \"\" \"a\\\"b\""), "\7one two\5three\0\3a\"b"s);
  EXPECT_EQ(txt("caf\\195\\169; x\\;"), "\11caf\303\251; x;"s);
  EXPECT_EQ(txt(std::string(300, 'x')), "\xff" + std::string(255, 'x') + "\x2d" + std::string(45, 'x'));
}

// Whatever leads from name to name, in whichever zone.
TEST(ZoneBuilder, NothingGoesRound) {
  const auto with = [](std::vector<RecordConfig> records, std::vector<RecordConfig> below = {}) {
    GeodnsConfig c = test::config();
    ServiceConfig names{"t", "names", {}};
    names.sites["us"].where = names.sites["eu"].where = "test:9:9";
    names.sites["us"].target = "far.example.net";
    names.sites["eu"].target = "L.example.com";
    c.services.push_back(names);
    for (RecordConfig& r : records) c.zones[0].records.push_back(std::move(r));
    for (RecordConfig& r : below) c.zones[1].records.push_back(std::move(r));
    return mistakes_of(c);
  };
  const auto round = [&](const std::string& told, const std::string& of) {
    EXPECT_NE(told.find(of + "\" go round in a circle"), std::string::npos) << of << "\n in: " << told;
  };
  round(with({service("l", "names", "")}), "the targets of service \"names\" from \"l");
  const std::string both = with({service("s", "names", ""), fixed("l", "CNAME", "s")});
  round(both, "the targets of service \"names\" from \"s");
  round(both, "the CNAMEs from \"l");
  round(with({fixed("x", "ALIAS", "x.example.com")}), "the ALIAS from \"x");
  round(with({fixed("x", "ALIAS", "y.example.com"), fixed("y", "ALIAS", "x.example.com")}), "the ALIAS from \"y");
  round(with({fixed("x", "CNAME", "x.dev.example.com")}, {fixed("x", "CNAME", "x.example.com")}),
        "the CNAMEs from \"x");
  EXPECT_EQ(with({service("s", "names", ""), fixed("l", "A", "192.0.2.1"), fixed("x", "ALIAS", "s.example.com")}), "");
}

TEST(ZoneBuilder, TheRootsContactIsAName) {
  GeodnsConfig c = test::config();
  c.zones = {test::zone(".")};
  c.zones[0].contact = "";
  c.zones[0].records = {fixed("ns1.example.com", "A", "192.0.2.53"), fixed("ns2.example.com", "A", "192.0.2.54")};
  EXPECT_EQ(mistakes_of(c), "");
}

TEST(ZoneBuilder, LongestChainIsSixteen) {
  GeodnsConfig c = test::config();
  for (int i = 0; i < 15; i++)
    c.zones[0].records.push_back(fixed("c" + std::to_string(i), "CNAME", "c" + std::to_string(i + 1)));
  c.zones[0].records.push_back(fixed("c15", "CNAME", "mail"));
  EXPECT_EQ(mistakes_of(c), "");
  test::World world;
  std::vector<Mistake> none;
  world.view = build_view(c, 1, none);
  EXPECT_EQ(world.ask("c0.example.com").answers().size(), 17u);
  c.zones[0].records.push_back(fixed("c", "CNAME", "c0"));
  EXPECT_NE(mistakes_of(c).find("more than 16"), std::string::npos);
}

// Who asks label by label, or believes that nothing is below what doesn't exist (RFC 8020), must find the zone below.
TEST(ZoneBuilder, AZoneBelowExistsForTheOneAbove) {
  GeodnsConfig c = test::config();
  ZoneConfig deep = test::zone("a.b.example.com");
  deep.nameservers = {"ns1.example.com"};
  deep.records = {fixed("@", "A", "192.0.2.98")};
  c.zones.push_back(deep);
  test::World world;
  std::vector<Mistake> none;
  world.view = build_view(c, 1, none);
  ASSERT_TRUE(world.view);
  for (const auto& [name, type] : {std::pair("b.example.com", dns::type_ns), {"a.b.example.com", dns::type_ds}}) {
    const auto m = world.ask(name, type);
    EXPECT_EQ(m.rcode, dns::noerror) << name;
    ASSERT_EQ(m.authority().size(), 1u) << name;
    EXPECT_EQ(m.authority()[0].owner, "example.com.") << name;
  }
  EXPECT_EQ(world.answers("a.b.example.com"), std::vector<std::string>{"192.0.2.98"});
  EXPECT_EQ(world.ask("c.b.example.com").rcode, dns::nxdomain);
}

TEST(ZoneBuilder, TheRootCanBeAZone) {
  GeodnsConfig c;
  ZoneConfig root = test::zone(".");
  root.nameservers = {"ns.elsewhere."};
  root.records = {fixed("ns.elsewhere", "A", "192.0.2.1"), fixed("*", "A", "192.0.2.2")};
  c.zones = {root};
  test::World world;
  std::vector<Mistake> mistakes;
  world.view = build_view(c, 1, mistakes);
  ASSERT_TRUE(mistakes.empty()) << mistakes[0].text;
  EXPECT_EQ(world.answers("any.thing"), std::vector<std::string>{"192.0.2.2"});
  EXPECT_EQ(world.ask(".", dns::type_ns).answers().size(), 1u);
}

}  // namespace
}  // namespace portolan::geodns
