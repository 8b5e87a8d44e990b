// Names that other servers answer for, and the addresses beside what names servers.
#include "tests/unit/geodns/fixture.hh"

namespace portolan::geodns {
namespace {

using namespace dns;  // NOLINT(google-build-using-namespace)
using test::fixed;
using test::Message;
using List = std::vector<std::string>;

GeodnsConfig delegating() {
  GeodnsConfig c = test::config();
  std::vector<RecordConfig>& records = c.zones[0].records;
  for (auto& r :
       {fixed("sub", "NS", "ns.sub"), fixed("sub", "NS", "ns.sib.example.com"), fixed("sub", "NS", "ns.far.org"),
        fixed("sub", "DS", "1 13 2 00ff"), fixed("ns.sub", "A", "192.0.2.71"), fixed("ns.sub", "AAAA", "2001:db8::71"),
        fixed("sib", "NS", "ns.sib.example.com"), fixed("ns.sib", "A", "192.0.2.72"),
        fixed("to-sub", "CNAME", "www.sub.example.com"), fixed("dev", "NS", "ns1"),
        fixed("_sip._tcp", "SRV", "0 0 5060 mail.example.com"), fixed("svc", "SVCB", "1 mail.example.com"),
        fixed("@", "ALIAS", "origin.elsewhere.org")})
    records.push_back(r);
  // dots inside are absolute: "ns.sub" must be the zone's
  for (RecordConfig& r : records)
    if (r.value == "ns.sub") r.value = "ns.sub.example.com";
  return c;
}

class Referrals : public testing::Test, public test::World {
 protected:
  Referrals() { build(delegating()); }
  void build(const GeodnsConfig& c) {
    std::vector<Mistake> mistakes;
    auto built = build_view(c, 1, mistakes);
    for (const Mistake& m : mistakes) ADD_FAILURE() << m.where << ": " << m.text;
    view = built;
  }
  static List data_of(const std::vector<test::Record>& section) {
    List list;
    for (const auto& r : section) list.push_back(r.owner + " " + r.data);
    std::sort(list.begin(), list.end());
    return list;
  }
  void expect_referral(const Message& m) {
    EXPECT_EQ(m.rcode, noerror);
    EXPECT_FALSE(m.has(flag_aa));
    EXPECT_TRUE(m.answers().empty());
    EXPECT_EQ(data_of(m.authority()), (List{"sub.example.com. ns.far.org.", "sub.example.com. ns.sib.example.com.",
                                            "sub.example.com. ns.sub.example.com."}));
    EXPECT_EQ(data_of(m.additional()), (List{"ns.sib.example.com. 192.0.2.72", "ns.sub.example.com. 192.0.2.71",
                                             "ns.sub.example.com. 2001:db8::71"}));
  }
};

TEST_F(Referrals, AtTheCutAndBelowForEveryType) {
  for (const char* name :
       {"sub.example.com", "www.sub.example.com", "a.b.c.sub.example.com", "ns.sub.example.com", "*.sub.example.com"})
    for (uint16_t type : {type_a, type_ns, type_txt, type_any, type_soa}) expect_referral(ask(name, type));
  expect_referral(ask("www.sub.example.com", type_ds));
}

TEST_F(Referrals, TheDelegationsOwnRecordsAreAnsweredHere) {
  const Message ds = ask("sub.example.com", type_ds);
  EXPECT_TRUE(ds.has(flag_aa));
  ASSERT_EQ(ds.answers().size(), 1u);
  const Message none = ask("sib.example.com", type_ds);
  EXPECT_TRUE(none.has(flag_aa));
  ASSERT_EQ(none.authority().size(), 1u);
  EXPECT_EQ(none.authority()[0].type, type_soa);
}

TEST_F(Referrals, BothSidesOfACutMayBeHere) {
  EXPECT_EQ(answers("dev.example.com"), List{"192.0.2.99"});
  const Message ds = ask("dev.example.com", type_ds);
  EXPECT_TRUE(ds.answers().empty());
  ASSERT_EQ(ds.authority().size(), 1u);
  EXPECT_EQ(ds.authority()[0].owner, "example.com.") << "who asks for DS asks the zone above";
}

TEST_F(Referrals, BehindACname) {
  const Message m = ask("to-sub.example.com");
  EXPECT_TRUE(m.has(flag_aa));
  ASSERT_EQ(m.answers().size(), 1u);
  EXPECT_EQ(m.answers()[0].type, type_cname);
  EXPECT_EQ(m.authority().size(), 3u);
}

TEST_F(Referrals, ScopeIsZero) {
  const Message m = ask("www.sub.example.com", type_a, "10.1.2.0/24");
  EXPECT_EQ(m.scope(), 0);
  EXPECT_EQ(m.authority().size(), 3u);
}

TEST_F(Referrals, NeededGlueThatDoesNotFitTruncates) {
  GeodnsConfig c = delegating();
  auto& records = c.zones[0].records;
  for (int i = 0; i < 30; i++) records.push_back(fixed("ns.sub", "AAAA", "2001:db8:1::" + std::to_string(i)));
  build(c);
  test::Ask question;
  question.name = "www.sub.example.com";
  const Message cut = ask(question);
  EXPECT_TRUE(cut.has(flag_tc));
  EXPECT_TRUE(cut.authority().empty());
  const Message whole = ask(question, Transport::tcp);
  EXPECT_FALSE(whole.has(flag_tc));
  EXPECT_EQ(whole.additional().size(), 33u);
}

TEST_F(Referrals, OtherGlueIsLeftOutInstead) {
  GeodnsConfig c = delegating();
  auto& records = c.zones[0].records;
  for (int i = 0; i < 30; i++) records.push_back(fixed("ns.sib", "AAAA", "2001:db8:1::" + std::to_string(i)));
  build(c);
  test::Ask question;
  question.name = "www.sub.example.com";
  const Message m = ask(question);
  EXPECT_FALSE(m.has(flag_tc));
  EXPECT_EQ(m.authority().size(), 3u);
  EXPECT_GE(m.additional().size(), 2u);
}

TEST_F(Referrals, AddressesOfWhatIsNamedComeAlong) {
  for (auto [name, type] : {std::pair{"_sip._tcp.example.com", type_srv}, {"svc.example.com", type_svcb}}) {
    const Message m = ask(name, type);
    ASSERT_EQ(m.answers().size(), 1u) << name;
    EXPECT_EQ(data_of(m.additional()), List{"mail.example.com. 192.0.2.25"}) << name;
  }
}

TEST_F(Referrals, AnAliasAnswersWhatIsKnownOfItsTarget) {
  Message m = ask("example.com");
  EXPECT_EQ(m.rcode, servfail) << "never resolved";
  EXPECT_FALSE(m.has(flag_aa));
  test::Ask question;
  question.name = "example.com";
  question.edns = true;
  m = ask(question);
  EXPECT_EQ(m.options, test::option(15, {"\0\x16", 2})) << "no reachable authority";
  auto next = std::make_shared<View>(*view);
  next->aliases = std::make_shared<AliasTable>(AliasTable{{{{true, true}, 20, {"\1\2\3\4"}, {}}}});
  view = next;
  EXPECT_EQ(answers("example.com"), List{"1.2.3.4"});
  EXPECT_EQ(ask("example.com").answers()[0].ttl_s, 20u);
  const Message v6 = ask("example.com", type_aaaa);
  EXPECT_EQ(v6.rcode, noerror);
  ASSERT_EQ(v6.authority().size(), 1u) << "NODATA";
  EXPECT_EQ(answers("example.com", type_mx).size(), 2u) << "others may stand beside it";
  ASSERT_EQ(view->zones->aliases().size(), 1u);
  EXPECT_EQ(view->zones->aliases()[0].name, "origin.elsewhere.org.");
}

}  // namespace
}  // namespace portolan::geodns
