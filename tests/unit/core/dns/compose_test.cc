#include "core/dns/compose.hh"

#include <gtest/gtest.h>

#include "tests/unit/core/dns/packets.hh"

namespace portolan::dns {
namespace {

using namespace std::string_literals;
using test::Ask;
using test::Packet;

std::string wire(std::string_view text) {
  return std::string(Name::parse(text)->wire());
}

struct Case {
  explicit Case(const Ask& ask = {}, bool tcp = false)
      : packet(make(ask)),
        verdict(parse_query(packet, query)),
        composer(out, packet, query, answer_limit(query, tcp)) {}
  test::Message finish(uint16_t rcode = noerror, bool authoritative = true) {
    size = composer.finish(rcode, authoritative);
    return test::decode(Packet(out.begin(), out.begin() + static_cast<long>(size)));
  }
  Packet packet;
  Query query;
  Verdict verdict;
  Packet out = Packet(65535, 0xee);
  Composer composer;
  size_t size = 0;
};

Ask edns(uint16_t udp_size = 1232) {
  Ask ask;
  ask.edns = true;
  ask.udp_size = udp_size;
  return ask;
}

TEST(Compose, EchoesTheQuestionByteForByte) {
  Ask ask;
  ask.name = "wWw.eXamPle.cOm";
  Case c(ask);
  c.composer.add(Section::answer, wire("www.example.com"), type_a, 30, "\1\2\3\4");
  auto m = c.finish();
  ASSERT_TRUE(m.good);
  EXPECT_EQ(m.question, wire("wWw.eXamPle.cOm") + "\0\1\0\1"s);
  EXPECT_EQ(m.id, 0x1234);
  EXPECT_EQ(m.flags, flag_qr | flag_aa | flag_rd);
  ASSERT_EQ(m.answers().size(), 1u);
  EXPECT_EQ(m.answers()[0].owner, "wWw.eXamPle.cOm.");
  EXPECT_EQ(m.answers()[0].ttl_s, 30u);
  EXPECT_EQ(m.answers()[0].data, "1.2.3.4");
  EXPECT_EQ(c.size, 12u + 21 + 16) << "the owner is a pointer";
  EXPECT_FALSE(m.edns) << "no OPT without OPT";
}

TEST(Compose, FlagsAreCopiedOrCleared) {
  Ask ask;
  ask.flags = flag_rd | flag_cd | flag_tc | flag_aa | 0x0080 | 0x0040 | 0x0020 | 0x000f;
  Case c(ask);
  EXPECT_EQ(c.finish(refused, false).flags, flag_qr | flag_rd | flag_cd | refused);
}

TEST(Compose, CompressesNamesOfOldTypesOnly) {
  Case c;
  const std::string mail = wire("mail.example.com");
  c.composer.add(Section::answer, wire("www.example.com"), type_cname, 1, wire("web.example.com"));
  c.composer.add(Section::answer, wire("web.example.com"), type_mx, 1, "\0\x0a"s + mail);
  c.composer.add(Section::answer, wire("web.example.com"), type_srv, 1, "\0\1\0\2\0\3"s + mail);
  c.composer.add(Section::authority, wire("example.com"), type_soa, 1,
                 wire("ns1.example.com") + wire("hostmaster.example.com") + std::string(20, 'n'));
  c.composer.add(Section::additional, mail, type_a, 1, "\1\2\3\4");
  auto m = c.finish();
  ASSERT_TRUE(m.good);
  EXPECT_EQ(m.answers()[0].data, "web.example.com.");
  EXPECT_EQ(m.answers()[1].data, "10 mail.example.com.");
  EXPECT_EQ(m.answers()[2].data, "\0\1\0\2\0\3"s + mail) << "SRV's target stays whole (RFC 3597)";
  EXPECT_EQ(m.additional()[0].owner, "mail.example.com.");
  // 33 question; 2+10+6 CNAME; 2+10+2+7 MX; 2+10+6+18 SRV; 2+10+6+13+20 SOA; 2+10+4 A.
  EXPECT_EQ(c.size, 33u + 18 + 21 + 36 + 51 + 16);
}

TEST(Compose, PointersNeverReachPast16383) {
  Case c(Ask{}, true);
  for (int i = 0; i < 1200; i++)
    ASSERT_TRUE(c.composer.add(Section::answer, wire("n" + std::to_string(i) + ".other.org"), type_a, 1, "\1\2\3\4"));
  auto m = c.finish();
  ASSERT_TRUE(m.good);
  for (int i = 0; i < 1200; i++)
    ASSERT_EQ(m.answers()[static_cast<size_t>(i)].owner, "n" + std::to_string(i) + ".other.org.");
}

TEST(Compose, TooMuchIsTcAndNothingButOpt) {
  for (uint16_t size : {512, 700, 1232, 4096}) {
    Ask ask = edns(size);
    ask.options = test::subnet_option("10.2.3.0/24");
    Case c(ask);
    bool fits = true;
    unsigned added = 0;
    while (fits) {
      fits = c.composer.add(Section::answer, wire("www.example.com"), type_txt, 1, "\x1d" + std::string(29, 'x'));
      added += fits;
    }
    EXPECT_LE(33 + added * 42 + 11 + 11, std::min<size_t>(size, 1232));
    EXPECT_GT(33 + (added + 1) * 42 + 11 + 11, std::min<size_t>(size, 1232));
    EXPECT_FALSE(c.composer.add(Section::authority, wire("."), type_a, 1, "\1\2\3\4"));
    auto m = c.finish();
    ASSERT_TRUE(m.good);
    EXPECT_TRUE(m.has(flag_tc));
    EXPECT_TRUE(m.answers().empty() && m.authority().empty() && m.additional().empty());
    EXPECT_TRUE(m.edns);
    EXPECT_EQ(m.scope(), 0);
    EXPECT_EQ(c.size, 33u + 22);
  }
}

TEST(Compose, WithoutEdnsTheLimitIs512) {
  Case c;
  unsigned added = 0;
  while (c.composer.add(Section::answer, wire("www.example.com"), type_a, 1, "\1\2\3\4")) added++;
  EXPECT_EQ(added, (512u - 33) / 16);
}

TEST(Compose, AdditionalIsLeftOutWithoutTc) {
  Case c;
  ASSERT_TRUE(c.composer.add(Section::answer, wire("www.example.com"), type_txt, 1, "\xff" + std::string(255, 'x')));
  ASSERT_TRUE(c.composer.add(Section::answer, wire("www.example.com"), type_txt, 1, "\x96" + std::string(150, 'y')));
  EXPECT_FALSE(
      c.composer.add(Section::additional, wire("a.long.name.elsewhere.org"), type_aaaa, 1, std::string(16, '\1')));
  // What was rolled back must not be pointed at.
  EXPECT_TRUE(c.composer.add(Section::additional, wire("elsewhere.org"), type_a, 1, "\1\2\3\4"));
  auto m = c.finish();
  ASSERT_TRUE(m.good);
  EXPECT_FALSE(m.has(flag_tc));
  ASSERT_EQ(m.additional().size(), 1u);
  EXPECT_EQ(m.additional()[0].owner, "elsewhere.org.");
}

TEST(Compose, OptIsAnsweredAndOptionsAreNotEchoed) {
  Ask ask = edns(4096);
  ask.edns_flags = 0xffff;
  ask.options = test::option(10, "cookie!!") + test::option(3, "") + test::option(65001, "x");
  Case c(ask);
  auto m = c.finish();
  ASSERT_TRUE(m.good);
  EXPECT_TRUE(m.edns);
  EXPECT_EQ(m.udp_size, 1232);
  EXPECT_EQ(m.edns_flags, 0x8000) << "DO echoed, the rest zero";
  EXPECT_EQ(m.version, 0);
  EXPECT_EQ(m.options, "");
}

TEST(Compose, SubnetIsEchoedVerbatimWithItsScope) {
  for (const char* subnet : {"10.2.3.0/24", "10.2.0.0/15", "0.0.0.0/0", "2001:db8:ab00::/40", "::/0", "192.0.2.1/32"}) {
    Ask ask = edns();
    ask.options = test::subnet_option(subnet);
    Case c(ask);
    ASSERT_EQ(c.verdict, Verdict::answer) << subnet;
    c.composer.set_scope(17);
    auto m = c.finish();
    ASSERT_TRUE(m.good);
    std::string expected = ask.options;
    expected[7] = 17;
    EXPECT_EQ(m.options, expected) << subnet;
  }
  Case none(edns());
  none.composer.set_scope(17);
  EXPECT_EQ(none.finish().options, "") << "never unless asked";
}

TEST(Compose, ErrorsCarryWhatCouldBeRead) {
  for (auto [verdict, rcode] : std::vector<std::pair<Verdict, unsigned>>{
           {Verdict::formerr, formerr}, {Verdict::notimp, notimp}, {Verdict::refused, refused}}) {
    Case c(edns());
    Packet out(512);
    out.resize(compose_error(out, c.packet, c.query, verdict));
    auto m = test::decode(out);
    ASSERT_TRUE(m.good);
    EXPECT_EQ(m.rcode, rcode);
    EXPECT_EQ(m.question, wire("www.example.com") + "\0\1\0\1"s);
    EXPECT_TRUE(m.edns);
    EXPECT_FALSE(m.has(flag_aa));
  }
}

TEST(Compose, PaddingFillsABlockWhereItWasAskedFor) {
  test::Ask ask;
  ask.edns = true;
  ask.options = test::option(option_padding, std::string(7, '\0'));
  OptReply reply;
  reply.padding_block = 468;
  for (const size_t text : {0, 100, 380, 390, 391, 395, 400, 1000}) {
    const auto packet = make(ask);
    Query query;
    ASSERT_EQ(parse_query(packet, query), Verdict::answer);
    std::vector<uint8_t> out(65535);
    Composer composer(out, packet, query, 65535, &reply);
    composer.add(Section::answer, query.key.wire(), 65280, 30, std::string(text, 'x'));
    composer.set_error(ExtendedError::other);
    out.resize(composer.finish(noerror, true));
    EXPECT_EQ(out.size() % 468, 0u) << text;
    EXPECT_TRUE(test::decode(out).good);
    Composer narrow(out = std::vector<uint8_t>(65535), packet, query, 512, &reply);
    EXPECT_LE(narrow.finish(noerror, true), 512u);
  }
  ask.options.clear();
  const auto packet = make(ask);
  Query query;
  parse_query(packet, query);
  std::vector<uint8_t> out(65535);
  Composer composer(out, packet, query, 65535, &reply);
  EXPECT_LT(composer.finish(noerror, true), 60u) << "nobody asked for it";
}

TEST(Compose, TheRootIsANameToo) {
  Ask ask;
  ask.name = ".";
  Case c(ask);
  c.composer.add(Section::answer, wire("."), type_ns, 1, wire("a.root"));
  c.composer.add(Section::answer, wire("a.root"), type_ptr, 1, wire("root"));
  auto m = c.finish();
  ASSERT_TRUE(m.good);
  EXPECT_EQ(m.answers()[0].owner, ".");
  EXPECT_EQ(m.answers()[0].data, "a.root.");
  EXPECT_EQ(c.size, 12u + 5 + 1 + 10 + 8 + 2 + 10 + 2);
}

TEST(Compose, ManyNamesFillTheTableAndStillDecode) {
  Case c(Ask{}, true);
  for (int i = 0; i < 100; i++) {
    const std::string name = "host" + std::to_string(i) + ".zone" + std::to_string(i) + ".test";
    ASSERT_TRUE(c.composer.add(Section::answer, wire(name), type_cname, 1, wire("x." + name)));
  }
  auto m = c.finish();
  ASSERT_TRUE(m.good);
  EXPECT_EQ(m.answers()[99].data, "x.host99.zone99.test.");
}

}  // namespace
}  // namespace portolan::dns
