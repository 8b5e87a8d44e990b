// Services that answer as a CNAME, and with an HTTPS record beside their addresses; and what the server says of itself.
#include "tests/unit/geodns/fixture.hh"

namespace portolan::geodns {
namespace {

using namespace dns;  // NOLINT(google-build-using-namespace)
using test::Ask;
using test::fixed;
using test::Message;
using test::service;
using List = std::vector<std::string>;

GeodnsConfig more_services() {
  GeodnsConfig c = test::config();
  ServiceConfig named{"t", "named", {}};
  for (const char* dc : {"us", "eu", "jp"}) {
    named.sites[dc].where = "test:5:5";
    named.sites[dc].target = std::string("web.") + dc + ".Example.net";
  }
  c.services.push_back(named);
  auto& records = c.zones[0].records;
  records.push_back(service("cdn", "named", "nearest"));
  records.push_back(fixed("to-cdn", "CNAME", "cdn.example.com"));
  for (const char* policy : {"nearest", "weighted", "failover"}) {
    records.push_back(service(std::string("h-") + policy, "web", policy));
    records.back().https = "1 . alpn=h2,h3";
  }
  for (const auto& [name, https] :
       {std::pair("h-self", "1 H-Self.example.com alpn=h2"), std::pair("h-foreign", "1 cdn.other.net. alpn=h2"),
        std::pair("h-cousin", "1 h-self.example.com alpn=h2")}) {
    records.push_back(service(name, "web", "nearest"));
    records.back().https = https;
  }
  c.nsid = "edge-1";
  return c;
}

class ServiceAnswers : public testing::Test, public test::World {
 protected:
  ServiceAnswers() {
    std::vector<Mistake> mistakes;
    auto built = build_view(more_services(), 1, mistakes);
    for (const Mistake& m : mistakes) ADD_FAILURE() << m.where << ": " << m.text;
    give_places(*built, test::table(), nullptr);
    view = built;
  }
  void replace(void (*change)(GeodnsConfig&)) {
    GeodnsConfig c = more_services();
    change(c);
    std::vector<Mistake> mistakes;
    auto built = build_view(c, 1, mistakes);
    ASSERT_TRUE(built) << mistakes.front().text;
    give_places(*built, test::table(), nullptr);
    view = built;
  }
  // The addresses of an HTTPS answer's hints.
  List hints(const std::string& rdata, bool v6) {
    List list;
    for (size_t at = 3; at + 4 <= rdata.size();) {
      const auto* p = reinterpret_cast<const uint8_t*>(rdata.data()) + at;
      const size_t size = load16(p + 2), width = v6 ? 16 : 4;
      for (size_t i = 0; load16(p) == (v6 ? 6 : 4) && i < size; i += width) {
        IpAddress ip;
        ip.family = v6 ? IpAddress::Family::v6 : IpAddress::Family::v4;
        std::copy_n(p + 4 + i, width, ip.bytes.begin());
        list.push_back(ip.to_string());
      }
      at += 4 + size;
    }
    std::sort(list.begin(), list.end());
    return list;
  }
};

TEST_F(ServiceAnswers, ACnameOfTheNearestForEveryType) {
  for (uint16_t type : {type_a, type_aaaa, type_txt, type_https, type_cname}) {
    const Message m = ask("cdn.example.com", type, "10.1.2.0/24");
    EXPECT_TRUE(m.has(flag_aa));
    ASSERT_EQ(m.answers().size(), 1u) << type;
    EXPECT_EQ(m.answers()[0].type, type_cname);
    EXPECT_EQ(m.answers()[0].data, "web.eu.example.net.");
    EXPECT_EQ(m.answers()[0].ttl_s, 30u);
    EXPECT_EQ(m.scope(), 16);
  }
  EXPECT_EQ(ask("cdn.example.com", type_a, "10.2.3.0/25").answers()[0].data, "web.jp.example.net.");
}

// A CNAME is one: with nobody well it is the one the asker would have, and no resolver may give it to others.
TEST_F(ServiceAnswers, TheLastResortOfNamesIsTheAskersOwn) {
  ServiceStates down;
  down.states.assign(3, {State::down, State::down, State::down});
  view = with_states(*view, down);
  EXPECT_EQ(ask("cdn.example.com", type_a, "10.1.2.0/24").answers()[0].data, "web.eu.example.net.");
  EXPECT_EQ(ask("cdn.example.com", type_a, "10.1.2.0/24").scope(), 16);
  EXPECT_EQ(ask("cdn.example.com", type_a, "10.2.3.0/25").answers()[0].data, "web.jp.example.net.");
  EXPECT_EQ(ask("cdn.example.com", type_a, "10.2.3.0/25").scope(), 25);
}

TEST_F(ServiceAnswers, ACnameBehindACname) {
  const Message m = ask("to-cdn.example.com", type_a, "10.1.2.0/24");
  ASSERT_EQ(m.answers().size(), 2u);
  EXPECT_EQ(m.answers()[1].owner, "cdn.example.com.");
  EXPECT_EQ(m.answers()[1].data, "web.eu.example.net.");
  EXPECT_EQ(m.scope(), 16);
}

TEST_F(ServiceAnswers, HintsAreWhatAddressesWouldBe) {
  for (const char* policy : {"nearest", "failover"})
    for (const char* from : {"10.1.2.0/24", "10.2.3.0/25", "10.9.0.0/16"}) {
      const std::string name = std::string("h-") + policy + ".example.com";
      const Message m = ask(name, type_https, from);
      ASSERT_EQ(m.answers().size(), 1u);
      EXPECT_EQ(m.answers()[0].type, type_https);
      EXPECT_EQ(hints(m.answers()[0].data, false), answers(name, type_a, from)) << policy << from;
      EXPECT_EQ(hints(m.answers()[0].data, true), answers(name, type_aaaa, from)) << policy << from;
      EXPECT_EQ(m.scope(), ask(name, type_a, from).scope());
    }
}

// RFC 9460 §7.3: hints are addresses of the target, and those of another name are not ours to tell.
TEST_F(ServiceAnswers, NoHintsForATargetThatIsAnotherName) {
  const auto data = [&](const char* name) {
    const Message m = ask(name, type_https, "10.1.2.0/24");
    EXPECT_EQ(m.answers().size(), 1u) << name;
    return m.answers().empty() ? std::string() : m.answers()[0].data;
  };
  const auto has_ours = [](const std::string& rdata) {
    return rdata.find(std::string("\xc0\x00\x02\x14", 4)) != std::string::npos;
  };
  EXPECT_TRUE(has_ours(data("h-self.example.com")));
  for (const char* name : {"h-foreign.example.com", "h-cousin.example.com"}) {
    const std::string rdata = data(name);
    EXPECT_FALSE(has_ours(rdata)) << name;
    EXPECT_NE(rdata.find(std::string("\x00\x01\x00\x03\x02h2", 7)), std::string::npos) << name;
    EXPECT_EQ(rdata.find(std::string("\x00\x06\x00\x10", 4)), std::string::npos) << name;
    EXPECT_EQ(ask(name, type_https, "10.1.2.0/24").scope(), 0) << name << ": it is the same for everybody";
  }
}

// Both families have the same candidates: the two hints are of one of them.
TEST_F(ServiceAnswers, HintsOfARandomPickAreOfOneDatacentre) {
  replace([](GeodnsConfig& c) { c.services[0].sites["jp"] = test::site({"192.0.2.30", "2001:db8:3::10"}); });
  std::set<List> seen;
  for (int i = 0; i < 300; i++) {
    const Message m = ask("h-weighted.example.com", type_https);
    ASSERT_EQ(m.answers().size(), 1u);
    const List v4 = hints(m.answers()[0].data, false), v6 = hints(m.answers()[0].data, true);
    ASSERT_EQ(v4.size(), 1u);
    ASSERT_EQ(v6.size(), 1u);
    seen.insert(v4);
    EXPECT_EQ(v6[0].substr(9, 1), v4[0].substr(8, 1)) << v4[0] << " " << v6[0];
  }
  EXPECT_EQ(seen.size(), 3u);
}

// Sites of one family alone: each hint is what that family's question would get, chance and health included.
TEST_F(ServiceAnswers, HintsOfSitesOfOneFamilyAreThoseOfItsQuestions) {
  replace([](GeodnsConfig& c) {
    c.services[0].sites["us"] = test::site({"2001:db8:1::10"});
    c.services[0].sites["jp"] = test::site({"192.0.2.30"});
    RecordConfig two = service("h-two", "web", "nearest"), every = service("h-all", "web", "all");
    two.answers = 2;
    two.https = every.https = "1 . alpn=h2";
    c.zones[0].records.insert(c.zones[0].records.end(), {two, every});
  });
  const auto healthy = view;
  for (const State us : {State::up, State::down})
    for (const State eu : {State::up, State::down}) {
      view = with_states(*healthy, {{{us, eu, State::up}}});
      for (const char* name :
           {"h-nearest.example.com", "h-failover.example.com", "h-two.example.com", "h-all.example.com"})
        for (const char* from : {"10.1.2.0/24", "10.2.3.0/25", "10.9.0.0/16", "192.0.2.0/24"}) {
          const Message m = ask(name, type_https, from);
          ASSERT_EQ(m.answers().size(), 1u);
          EXPECT_EQ(hints(m.answers()[0].data, false), answers(name, type_a, from)) << name << from;
          EXPECT_EQ(hints(m.answers()[0].data, true), answers(name, type_aaaa, from)) << name << from;
          EXPECT_EQ(m.scope(), std::max(ask(name, type_a, from).scope(), ask(name, type_aaaa, from).scope()));
        }
    }
  view = healthy;
  std::map<List, int> v4, v6;
  for (int i = 0; i < 2000; i++) {
    const Message m = ask("h-weighted.example.com", type_https);
    v4[hints(m.answers().at(0).data, false)]++;
    v6[hints(m.answers().at(0).data, true)]++;
  }
  EXPECT_EQ(v4.size(), 2u);
  EXPECT_EQ(v6.size(), 2u);
  EXPECT_NEAR(v4[List{"192.0.2.20"}], 1000, 150);
  EXPECT_NEAR(v6[List{"2001:db8:2::10"}], 1000, 150);
}

TEST_F(ServiceAnswers, AllDownHintsAll) {
  view = with_states(*view, {{{State::down, State::down, State::down}}});
  const Message m = ask("h-nearest.example.com", type_https);
  ASSERT_EQ(m.answers().size(), 1u);
  EXPECT_EQ(hints(m.answers()[0].data, false).size(), 3u);
  EXPECT_EQ(hints(m.answers()[0].data, true).size(), 2u);
  EXPECT_EQ(ask("h-nearest.example.com", type_https, "10.1.2.0/24").scope(), 0);
  EXPECT_EQ(ask("h-nearest.example.com", type_https, "10.1.2.0/24").answers().at(0).data,
            ask("h-nearest.example.com", type_https, "10.2.3.0/25").answers().at(0).data);
}

TEST(ServiceAnswer, MistakesAreNamed) {
  const auto mistakes_of = [](auto change) {
    GeodnsConfig c = more_services();
    change(c);
    std::vector<Mistake> mistakes;
    build_view(c, 1, mistakes);
    std::string text;
    for (const Mistake& m : mistakes) text += m.where + ": " + m.text + "\n";
    return text;
  };
  using Change = void (*)(GeodnsConfig&);
  const std::vector<std::pair<Change, const char*>> cases = {
      {[](GeodnsConfig& c) { c.services[2].sites["us"].target = "a..b"; }, "a target that is no name"},
      {[](GeodnsConfig& c) { c.services[2].sites["us"].addresses = {test::ip("192.0.2.1")}; },
       "addresses and a target in \"us\""},
      {[](GeodnsConfig& c) { c.services[2].sites["us"] = test::site({"192.0.2.1"}); }, "a target in another"},
      {[](GeodnsConfig& c) { c.zones[0].records.push_back(fixed("cdn", "TXT", "x")); }, "a CNAME, which stands alone"},
      {[](GeodnsConfig& c) { c.zones[0].records.push_back(service("@", "named", "")); }, "use ALIAS"},
      {[](GeodnsConfig& c) { c.zones[0].records.push_back(fixed("h-nearest", "HTTPS", "1 .")); },
       "an HTTPS record of its own"},
      {[](GeodnsConfig& c) {
         c.zones[0].records.push_back(service("x", "named", ""));
         c.zones[0].records.back().https = "1 .";
       },
       "https belongs to services with addresses"},
      {[](GeodnsConfig& c) {
         c.zones[0].records.push_back(service("x", "web", ""));
         c.zones[0].records.back().https = "1 . ipv4hint=192.0.2.1";
       },
       "leave them off"},
  };
  for (const auto& [change, expected] : cases)
    EXPECT_NE(mistakes_of(change).find(expected), std::string::npos) << expected << "\n in: " << mistakes_of(change);
}

TEST_F(ServiceAnswers, TheServerTellsOnlyWhatItWasToldTo) {
  Ask question;
  question.qclass = class_ch;
  question.type = type_txt;
  for (const char* name : {"version.bind", "version.server", "authors.bind"}) {
    question.name = name;
    EXPECT_EQ(ask(question).rcode, refused) << name;
  }
  for (const char* name : {"id.server", "HOSTNAME.bind"}) {
    question.name = name;
    const Message m = ask(question);
    ASSERT_EQ(m.answers().size(), 1u) << name;
    EXPECT_EQ(m.answers()[0].data, "\6edge-1");
    EXPECT_FALSE(m.has(flag_aa));
  }
}

}  // namespace
}  // namespace portolan::geodns
