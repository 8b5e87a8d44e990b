#include "geodns/answer.hh"

#include "tests/unit/geodns/fixture.hh"

namespace portolan::geodns {
namespace {

using namespace dns;  // NOLINT(google-build-using-namespace)
using test::Ask;
using test::Message;
using test::Packet;
using test::World;
using List = std::vector<std::string>;

class Answers : public testing::Test, public World {
 protected:
  // An authoritative "no": the SOA in authority with the lesser TTL, and nothing else.
  void expect_negative(const Message& m, unsigned rcode) {
    EXPECT_EQ(m.rcode, rcode);
    EXPECT_TRUE(m.has(flag_aa));
    EXPECT_TRUE(m.answers().empty());
    ASSERT_EQ(m.authority().size(), 1u);
    EXPECT_EQ(m.authority()[0].type, type_soa);
    EXPECT_EQ(m.authority()[0].owner, "example.com.");
    EXPECT_EQ(m.authority()[0].ttl_s, 60u);
    EXPECT_TRUE(m.additional().empty());
  }
};

TEST_F(Answers, StaticRecords) {
  EXPECT_EQ(answers("mail.example.com"), List{"192.0.2.25"});
  EXPECT_EQ(answers("ns2.example.com", type_aaaa), List{"2001:db8::54"});
  EXPECT_EQ(answers("example.com", type_txt), List{"\x0bv=spf1 -all"});
  auto m = ask("mail.example.com");
  EXPECT_TRUE(m.has(flag_aa));
  EXPECT_FALSE(m.has(0x0080)) << "RA";
  EXPECT_EQ(m.answers()[0].ttl_s, 300u);
  EXPECT_EQ(info.zone, 0);
  EXPECT_EQ(info.type, type_a);
}

TEST_F(Answers, QuestionsKeepTheirCase) {
  Ask question;
  question.name = "MaIl.eXAMPLE.cOm";
  auto m = ask(question);
  ASSERT_EQ(m.answers().size(), 1u);
  EXPECT_EQ(m.question.substr(0, 18), std::string(dns::Name::parse("MaIl.eXAMPLE.cOm")->wire()));
}

TEST_F(Answers, ApexHasSoaNsAndGlue) {
  auto soa = ask("example.com", type_soa);
  ASSERT_EQ(soa.answers().size(), 1u);
  auto ns = ask("example.com", type_ns);
  EXPECT_EQ(answers("example.com", type_ns), (List{"ns1.example.com.", "ns2.example.com."}));
  EXPECT_EQ(ns.additional().size(), 3u);
  auto mx = ask("example.com", type_mx);
  EXPECT_EQ(answers("example.com", type_mx), (List{"10 mail.example.com.", "20 mx.elsewhere.org."}));
  ASSERT_EQ(mx.additional().size(), 1u);
  EXPECT_EQ(mx.additional()[0].data, "192.0.2.25");
}

TEST_F(Answers, SoaSaysWhatTheZoneSays) {
  const Zone& zone = view->zones->at(0);
  const std::string& data = zone.soa().data[0];
  const auto* numbers = reinterpret_cast<const uint8_t*>(data.data() + data.size() - 20);
  EXPECT_EQ(load32(numbers), 2026112301u);
  EXPECT_EQ(load32(numbers + 16), 60u);
  EXPECT_NE(data.find("\x0bhost.master"), std::string::npos) << "the dot belongs to the label";
}

TEST_F(Answers, NxdomainAndNodata) {
  expect_negative(ask("gone.example.com"), nxdomain);
  expect_negative(ask("a.b.c.d.e.gone.example.com"), nxdomain);
  expect_negative(ask("below.mail.example.com"), nxdomain);
  expect_negative(ask("mail.example.com", type_aaaa), noerror);
  expect_negative(ask("mail.example.com", 666), noerror);
  expect_negative(ask("example.com"), noerror);
}

TEST_F(Answers, EmptyNonTerminalsExist) {
  expect_negative(ask("ent.example.com"), noerror);
  expect_negative(ask("deep.ent.example.com", type_any), noerror);
  expect_negative(ask("b.deep.ent.example.com"), nxdomain);
}

TEST_F(Answers, Wildcards) {
  EXPECT_EQ(answers("anything.wild.example.com"), List{"192.0.2.2"});
  EXPECT_EQ(answers("a.b.c.wild.example.com"), List{"192.0.2.2"});
  EXPECT_EQ(answers("*.wild.example.com"), List{"192.0.2.2"});
  auto m = ask("AnyThing.wild.example.com", type_txt);
  ASSERT_EQ(m.answers().size(), 1u);
  EXPECT_EQ(m.answers()[0].owner, "AnyThing.wild.example.com.");
  expect_negative(ask("any.wild.example.com", type_mx), noerror);
  // Not through what exists (RFC 4592 §2.2.1): a name, or an empty non-terminal.
  expect_negative(ask("there.wild.example.com", type_txt), noerror);
  expect_negative(ask("below.there.wild.example.com"), nxdomain);
  expect_negative(ask("ent.wild.example.com"), noerror);
  expect_negative(ask("y.ent.wild.example.com"), nxdomain);
  expect_negative(ask("x.*.wild.example.com"), nxdomain);
  expect_negative(ask("wild.example.com"), noerror);
}

TEST_F(Answers, CnamesAreFollowedInTheZone) {
  auto m = ask("chain.example.com");
  ASSERT_EQ(m.answers().size(), 3u);
  EXPECT_EQ(m.answers()[0].data, "alias.example.com.");
  EXPECT_EQ(m.answers()[1].owner, "alias.example.com.");
  EXPECT_EQ(m.answers()[2].data, "192.0.2.25");
  EXPECT_EQ(answers("chain.example.com", type_cname), List{"alias.example.com."});
  EXPECT_EQ(answers("out.example.com"), List{"www.elsewhere.org."});
  EXPECT_EQ(ask("x.alias-wild.example.com").answers().size(), 3u);
  EXPECT_EQ(answers("chain.example.com", type_any), List{"alias.example.com."});
}

TEST_F(Answers, CnameToTheZoneItself) {
  auto txt = ask("to-apex.example.com", type_txt);
  ASSERT_EQ(txt.answers().size(), 2u);
  EXPECT_EQ(txt.answers()[0].data, "example.com.");
  EXPECT_EQ(txt.answers()[1].owner, "example.com.");
  auto none = ask("to-apex.example.com", type_aaaa);
  EXPECT_EQ(none.answers().size(), 1u);
  ASSERT_EQ(none.authority().size(), 1u);
  EXPECT_EQ(none.authority()[0].owner, "example.com.");
}

TEST_F(Answers, TheRcodeIsOfTheLastName) {
  auto gone = ask("dangling.example.com");
  EXPECT_EQ(gone.rcode, nxdomain);
  EXPECT_EQ(gone.answers().size(), 1u);
  EXPECT_EQ(gone.authority().size(), 1u);
  auto nodata = ask("notype.example.com", type_aaaa);
  EXPECT_EQ(nodata.rcode, noerror);
  EXPECT_EQ(nodata.answers().size(), 1u);
  EXPECT_EQ(nodata.authority().size(), 1u);
}

TEST_F(Answers, CnameToAServiceIsTailored) {
  auto m = ask("to-www.example.com", type_a, "10.1.2.0/24");
  ASSERT_EQ(m.answers().size(), 2u);
  EXPECT_EQ(m.answers()[1].data, "192.0.2.20");
  EXPECT_EQ(m.scope(), 16);
}

TEST_F(Answers, TheLongestZoneAnswers) {
  EXPECT_EQ(answers("dev.example.com"), List{"192.0.2.99"});
  EXPECT_EQ(info.zone, 1);
  EXPECT_EQ(ask("gone.dev.example.com").authority()[0].owner, "dev.example.com.");
  EXPECT_EQ(answers("up.dev.example.com"), List{"alias.example.com."}) << "another zone's: not followed";
}

TEST_F(Answers, OutsideTheZonesRefused) {
  for (const char* name : {"elsewhere.org", "com", ".", "notexample.com", "xexample.com"}) {
    auto m = ask(name);
    EXPECT_EQ(m.rcode, refused) << name;
    EXPECT_FALSE(m.has(flag_aa));
    EXPECT_TRUE(m.answers().empty() && m.authority().empty());
    EXPECT_EQ(info.zone, ZoneSet::none);
  }
  EXPECT_EQ(ask("example.com", type_axfr).rcode, refused);
  EXPECT_EQ(ask("example.com", type_ixfr).rcode, refused);
}

TEST_F(Answers, AnEmptyViewRefusesEverything) {
  view = std::make_shared<View>();
  EXPECT_EQ(ask("mail.example.com").rcode, refused);
}

TEST_F(Answers, AnyGetsRfc8482) {
  auto m = ask("mail.example.com", type_any);
  ASSERT_EQ(m.answers().size(), 1u);
  EXPECT_EQ(m.answers()[0].type, type_hinfo);
  EXPECT_EQ(m.answers()[0].data, std::string("\x07RFC8482\0", 9));
  EXPECT_EQ(ask("www.example.com", type_any).answers()[0].type, type_hinfo);
  expect_negative(ask("gone.example.com", type_any), nxdomain);
}

TEST_F(Answers, TruncatedOverUdpWholeOverTcp) {
  auto m = ask("big.example.com", type_txt);
  EXPECT_TRUE(m.has(flag_tc));
  EXPECT_TRUE(info.truncated);
  EXPECT_TRUE(m.answers().empty());
  Ask question;
  question.name = "big.example.com";
  question.type = type_txt;
  auto whole = ask(question, Transport::tcp);
  EXPECT_FALSE(whole.has(flag_tc));
  ASSERT_EQ(whole.answers().size(), 1u);
  EXPECT_EQ(whole.answers()[0].data.size(), 1300u + 6);
}

TEST_F(Answers, NearestFollowsTheSubnet) {
  EXPECT_EQ(answers("www.example.com", type_a, "10.9.0.0/24"), List{"192.0.2.10"});
  EXPECT_EQ(answers("www.example.com", type_a, "10.1.0.0/24"), List{"192.0.2.20"});
  EXPECT_EQ(info.policy, "nearest");
  EXPECT_EQ(info.datacenter, 1);
  EXPECT_EQ(answers("www.example.com", type_a, "10.2.3.0/24"), List{"192.0.2.30"});
  EXPECT_EQ(answers("www.example.com", type_a, "2001:db8:f::/56"), List{"192.0.2.20"});
  EXPECT_EQ(ask("www.example.com").answers()[0].ttl_s, 30u);
  EXPECT_EQ(answers("x.apps.example.com", type_a, "10.1.0.0/24"), List{"192.0.2.20"});
}

TEST_F(Answers, NearestFollowsTheAskerWithoutASubnet) {
  EXPECT_EQ(answers("www.example.com"), List{"192.0.2.10"});
  client = test::ip("10.1.1.1");
  EXPECT_EQ(answers("www.example.com"), List{"192.0.2.20"});
  client = test::ip("2001:db8:f::1");
  EXPECT_EQ(answers("www.example.com"), List{"192.0.2.20"});
  // Source /0 means "not by my subnet": the asking address, and scope 0.
  auto m = ask("www.example.com", type_a, "0.0.0.0/0");
  EXPECT_EQ(m.answers()[0].data, "192.0.2.20");
  EXPECT_EQ(m.scope(), 0);
}

TEST_F(Answers, AScopeIsThePrefixTheLocationCameFrom) {
  EXPECT_EQ(ask("www.example.com", type_a, "10.1.2.0/24").scope(), 16);
  EXPECT_EQ(ask("www.example.com", type_a, "10.2.3.0/24").scope(), 25) << "longer than the source is legal";
  EXPECT_EQ(ask("www.example.com", type_a, "2001:db8:f::/56").scope(), 48);
  // The nested /16 must not be covered by its neighbours' scope.
  const int scope = ask("www.example.com", type_a, "10.128.0.0/24").scope();
  EXPECT_GE(scope, 8);
  EXPECT_FALSE(test::ip("10.1.0.0").masked(static_cast<unsigned>(scope)) ==
               test::ip("10.128.0.0").masked(static_cast<unsigned>(scope)));
  // No location is an answer for those without one, never for the whole Internet; no longer than it must be.
  EXPECT_EQ(ask("www.example.com", type_a, "203.0.113.0/24").scope(), 1);
  EXPECT_EQ(ask("www.example.com", type_a, "198.51.100.0/24").scope(), 1) << "a country alone decides nothing here";
}

TEST_F(Answers, UntailoredAnswersHaveScopeZero) {
  const char* subnet = "10.1.2.0/24";
  for (const char* name : {"mail.example.com", "beta.example.com", "db.example.com", "gone.example.com",
                           "ent.example.com", "elsewhere.org"})
    EXPECT_EQ(ask(name, type_a, subnet).scope(), 0) << name;
  EXPECT_EQ(ask("old.example.com", type_aaaa, subnet).scope(), 0) << "NODATA of a service";
  states(State::down, State::down, State::down);
  EXPECT_EQ(ask("www.example.com", type_a, subnet).scope(), 0) << "the same for everybody";
  auto blind = std::make_shared<View>(*view);
  give_places(*blind, nullptr, nullptr);
  view = blind;
  states(State::up, State::up, State::up);
  EXPECT_EQ(ask("www.example.com", type_a, subnet).scope(), 0) << "no database";
}

TEST_F(Answers, TheScopeInvariantHolds) {
  // RFC 7871 §7.2.1: everybody within the returned scope gets the same answer.
  for (int i = 0; i < 20000; i++) {
    IpAddress a = IpAddress::v4(10, static_cast<uint8_t>(rng.below(4)), static_cast<uint8_t>(rng.below(5)),
                                static_cast<uint8_t>(rng.below(256)));
    const auto first = ask("www.example.com", type_a, a.to_string() + "/32");
    const int scope = first.scope();
    IpAddress b = a;
    for (unsigned bit = static_cast<unsigned>(scope); bit < 32; bit++)
      if (rng.below(2)) b.bytes[bit / 8] ^= static_cast<uint8_t>(0x80 >> bit % 8);
    const auto second = ask("www.example.com", type_a, b.to_string() + "/32");
    ASSERT_EQ(first.answers()[0].data, second.answers()[0].data) << a.to_string() << " " << b.to_string();
  }
}

TEST_F(Answers, WithoutALocationTheFirstInTheFile) {
  EXPECT_EQ(answers("www.example.com", type_a, "203.0.113.0/24"), List{"192.0.2.10"});
  EXPECT_EQ(answers("www.example.com", type_a, "198.51.100.0/24"), List{"192.0.2.10"});
}

TEST_F(Answers, DownAndDrainingAreAvoided) {
  states(State::up, State::down, State::up);
  EXPECT_EQ(answers("www.example.com", type_a, "10.1.2.0/24"), List{"192.0.2.10"});
  states(State::draining, State::down, State::up);
  EXPECT_EQ(answers("www.example.com", type_a, "10.1.2.0/24"), List{"192.0.2.30"});
  states(State::unknown, State::unknown, State::unknown);
  EXPECT_EQ(answers("www.example.com", type_a, "10.1.2.0/24"), List{"192.0.2.20"}) << "unknown is not down";
  EXPECT_EQ(answers("db.example.com"), List{"192.0.2.20"});
  states(State::up, State::down, State::up);
  EXPECT_EQ(answers("db.example.com"), List{"192.0.2.10"});
  EXPECT_EQ(answers("beta.example.com"), List{"192.0.2.10"});
}

TEST_F(Answers, AllDownAnswersAll) {
  const List all{"192.0.2.10", "192.0.2.20", "192.0.2.30"};
  for (State state : {State::down, State::draining}) {
    states(state, state, state);
    for (const char* name : {"www.example.com", "beta.example.com", "db.example.com"})
      EXPECT_EQ(answers(name), all) << name;
    EXPECT_EQ(info.datacenter, AnswerInfo::several_datacenters);
    EXPECT_EQ(answers("www.example.com", type_aaaa).size(), 2u);
  }
}

TEST_F(Answers, FamiliesAreChosenAmongThoseThatHaveThem) {
  EXPECT_EQ(answers("www.example.com", type_aaaa, "10.2.3.0/24"), List{"2001:db8:2::10"});
  expect_negative(ask("old.example.com", type_aaaa), noerror);
  EXPECT_EQ(answers("old.example.com"), (List{"192.0.2.21", "192.0.2.22"})) << "no duplicates";
  EXPECT_EQ(answers("www.example.com", type_txt), List{std::string("\x10") + "beside a service"});
  expect_negative(ask("www.example.com", type_mx), noerror);
}

TEST_F(Answers, AddressesAreRotated) {
  int first = 0;
  for (int i = 0; i < 200; i++) first += ask("old.example.com").answers()[0].data == "192.0.2.21";
  EXPECT_GT(first, 60);
  EXPECT_LT(first, 140);
}

TEST_F(Answers, WeightsAreKept) {
  int us = 0;
  for (int i = 0; i < 10000; i++) us += answers("beta.example.com") == List{"192.0.2.10"};
  EXPECT_NEAR(us, 7000, 200);  // over four standard deviations
}

TEST_F(Answers, ErrorsAndSilence) {
  EXPECT_TRUE(raw(Packet(11, 0)).empty());
  Ask answer;
  answer.flags = flag_qr;
  EXPECT_TRUE(raw(make(answer)).empty());
  Packet broken = test::make(Ask{});
  broken.pop_back();
  EXPECT_EQ(test::decode(raw(broken)).rcode, formerr);
  EXPECT_EQ(info.rcode, formerr);
  Ask future;
  future.edns = true;
  future.version = 1;
  EXPECT_EQ(ask(future).rcode, badvers);
}

TEST_F(Answers, MutationsGetWellFormedAnswersOrSilence) {
  std::vector<Packet> seeds;
  for (const char* name : {"www.example.com", "chain.example.com", "q.wild.example.com", "big.example.com",
                           "gone.example.com", "example.com"})
    for (uint16_t type : {type_a, type_aaaa, type_mx, type_txt, type_ns, type_any}) {
      Ask question;
      question.name = name;
      question.type = type;
      question.edns = type != type_mx;
      question.options = test::subnet_option("10.2.3.0/24");
      seeds.push_back(make(question));
    }
  Rng mutator(42);
  int good = 0;
  for (int i = 0; i < test::mutations(); i++) {
    const Packet packet = test::mutate(seeds[mutator.below(seeds.size())], mutator);
    const Packet out = raw(packet, i % 2 ? Transport::tcp : Transport::udp);
    if (out.empty()) continue;
    const Message m = test::decode(out);
    ASSERT_TRUE(m.good);
    good += m.rcode == noerror;
  }
  EXPECT_GT(good, test::mutations() / 100);
}

}  // namespace
}  // namespace portolan::geodns
