#include "core/dns/query.hh"

#include <gtest/gtest.h>

#include "core/dns/compose.hh"
#include "tests/unit/core/dns/packets.hh"

namespace portolan::dns {
namespace {

using namespace std::string_literals;
using test::Ask;
using test::Packet;

Verdict judge(const Packet& packet) {
  Query query;
  return parse_query(packet, query);
}

Verdict judge_subnet(const std::string& data) {
  Ask ask;
  ask.edns = true;
  ask.options = test::option(option_client_subnet, data);
  return judge(make(ask));
}

TEST(Query, ReadsAPlainQuestion) {
  Ask ask;
  ask.name = "wWw.eXample.COM";
  Query query;
  ASSERT_EQ(parse_query(make(ask), query), Verdict::answer);
  EXPECT_EQ(query.id, 0x1234);
  EXPECT_EQ(query.key.to_string(), "www.example.com.");
  EXPECT_EQ(query.key_labels, 3u);
  EXPECT_EQ(query.type, type_a);
  EXPECT_EQ(query.qclass, class_in);
  EXPECT_EQ(query.question_end, 12u + 17 + 4);
  EXPECT_FALSE(query.has_edns);
  EXPECT_EQ(answer_limit(query, false), 512u);
  EXPECT_EQ(answer_limit(query, true), 65535u);
}

TEST(Query, ReadsEdnsWithSubnet) {
  Ask ask;
  ask.edns = true;
  ask.udp_size = 4096;
  ask.edns_flags = 0x8000;
  ask.options = test::option(10, "cookie!!") + test::subnet_option("10.2.3.0/24") + test::option(100, "");
  Query query;
  ASSERT_EQ(parse_query(make(ask), query), Verdict::answer);
  EXPECT_TRUE(query.has_edns);
  EXPECT_TRUE(query.dnssec_ok);
  ASSERT_TRUE(query.has_subnet);
  EXPECT_EQ(query.subnet.family, 1);
  EXPECT_EQ(query.subnet.source, 24);
  EXPECT_EQ(query.subnet.address.to_string(), "10.2.3.0");
  EXPECT_EQ(answer_limit(query, false), 1232u);
}

TEST(Query, UdpSizeIsAtLeast512) {
  for (auto [said, limit] : std::vector<std::pair<uint16_t, size_t>>{
           {0, 512}, {511, 512}, {512, 512}, {1000, 1000}, {1232, 1232}, {1233, 1232}, {65535, 1232}}) {
    Ask ask;
    ask.edns = true;
    ask.udp_size = said;
    Query query;
    ASSERT_EQ(parse_query(make(ask), query), Verdict::answer);
    EXPECT_EQ(answer_limit(query, false), limit) << said;
  }
}

TEST(Query, ShortPacketsAndAnswersAreDropped) {
  for (size_t size = 0; size < header_size; size++) EXPECT_EQ(judge(Packet(size, 0)), Verdict::drop);
  Ask answer;
  answer.flags = flag_qr;
  EXPECT_EQ(judge(make(answer)), Verdict::drop);
  answer.flags = flag_qr | 0x2800;
  EXPECT_EQ(judge(make(answer)), Verdict::drop);
}

TEST(Query, OtherOpcodesAreNotImplemented) {
  for (unsigned opcode = 1; opcode < 16; opcode++) {
    Packet header(header_size, 0);
    header[2] = static_cast<uint8_t>(opcode << 3 | 1);
    EXPECT_EQ(judge(header), Verdict::notimp);
    Packet out(512);
    Query query;
    parse_query(header, query);
    out.resize(compose_error(out, header, query, Verdict::notimp));
    auto message = test::decode(out);
    EXPECT_TRUE(message.good);
    EXPECT_EQ(message.flags, flag_qr | opcode << 11 | notimp) << "RD must be cleared";
  }
}

TEST(Query, QuestionCountMustBeOne) {
  Packet none(header_size, 0);
  EXPECT_EQ(judge(none), Verdict::formerr);
  Packet two = make(Ask{});
  two[5] = 2;
  Packet again = make(Ask{});
  two.insert(two.end(), again.begin() + header_size, again.end());
  EXPECT_EQ(judge(two), Verdict::formerr);
  Ask ping;  // RFC 7873 §5.4
  ping.edns = true;
  ping.options = test::option(10, "cookie!!");
  Packet packet = make(ping);
  packet[5] = 0;
  packet.erase(packet.begin() + header_size, packet.begin() + header_size + 21);
  EXPECT_EQ(judge(packet), Verdict::ping);
  packet[packet.size() - 9] = 7;  // the option's length
  packet.pop_back();
  packet[packet.size() - 12] = 11;  // OPT's
  EXPECT_EQ(judge(packet), Verdict::formerr);
}

// RFC 6891 §6.1.1: who sent OPT gets one, whatever else is answered.
TEST(Query, OptIsReadOfWhatIsNotAnswered) {
  Ask ask;
  ask.edns = true;
  ask.options = test::option(10, "cookie!!");
  Query query;
  for (const uint16_t opcode : {1, 4, 5}) {
    ask.flags = static_cast<uint16_t>(opcode << 11);
    ASSERT_EQ(parse_query(make(ask), query), Verdict::notimp);
    EXPECT_TRUE(query.has_edns);
    EXPECT_TRUE(query.has_cookie);
    EXPECT_FALSE(query.has_question);
  }
  ask.flags = 0;
  Packet two = make(ask);
  const std::string question(two.begin() + 12, two.begin() + 12 + 21);
  two.insert(two.begin() + 12, question.begin(), question.end());
  two[5] = 2;
  ASSERT_EQ(parse_query(two, query), Verdict::formerr);
  EXPECT_TRUE(query.has_edns);
  uint8_t out[512];
  const size_t size = compose_error(out, two, query, Verdict::formerr);
  EXPECT_TRUE(test::decode({out, out + size}).edns);
  two[5] = 3;
  ASSERT_EQ(parse_query(two, query), Verdict::formerr);
  EXPECT_FALSE(query.has_edns) << "nobody can find it";
}

TEST(Query, WithoutCookiesTheOptionIsNone) {
  Ask ask;
  ask.edns = true;
  Query query;
  for (const char* cookie : {"", "short", "cookie!!"}) {
    ask.options = test::option(10, cookie);
    EXPECT_EQ(parse_query_without_cookies(make(ask), query), Verdict::answer) << cookie;
    EXPECT_FALSE(query.has_cookie);
  }
}

TEST(Query, NoPointersInTheQuestion) {
  Packet packet(header_size, 0);
  packet[5] = 1;
  test::put(packet, "\xc0\x0c\0\1\0\1"s);
  EXPECT_EQ(judge(packet), Verdict::formerr);
}

TEST(Query, EightBitLabelsPass) {
  Ask ask;
  ask.name = "\\000\\255a\\.b.example.com";
  Query query;
  ASSERT_EQ(parse_query(make(ask), query), Verdict::answer);
  EXPECT_EQ(query.key.to_string(), "\\000\\255a\\.b.example.com.");
}

TEST(Query, TypesAndClasses) {
  for (auto [type, verdict] : std::vector<std::pair<uint16_t, Verdict>>{{0, Verdict::formerr},
                                                                        {41, Verdict::formerr},
                                                                        {128, Verdict::formerr},
                                                                        {129, Verdict::notimp},
                                                                        {249, Verdict::notimp},
                                                                        {250, Verdict::notimp},
                                                                        {251, Verdict::refused},
                                                                        {252, Verdict::refused},
                                                                        {253, Verdict::notimp},
                                                                        {254, Verdict::notimp},
                                                                        {255, Verdict::answer},
                                                                        {256, Verdict::answer},
                                                                        {666, Verdict::answer},
                                                                        {65535, Verdict::answer},
                                                                        {127, Verdict::answer}}) {
    Ask ask;
    ask.type = type;
    EXPECT_EQ(judge(make(ask)), verdict) << type;
  }
  for (uint16_t qclass : {0, 2, 3, 4, 254, 255}) {
    Ask ask;
    ask.qclass = qclass;
    EXPECT_EQ(judge(make(ask)), qclass == class_ch ? Verdict::chaos : Verdict::refused) << qclass;
  }
}

TEST(Opt, MayStandAnywhereInAdditional) {
  Ask ask;
  ask.edns = true;
  Packet packet = make(ask);
  packet[11] = 3;
  const Packet opt(packet.end() - 11, packet.end());
  packet.resize(packet.size() - 11);
  const std::string other = "\xc0\x0c\0\1\0\1\0\0\0\0\0\4\1\2\3\4"s;
  test::put(packet, other);
  packet.insert(packet.end(), opt.begin(), opt.end());
  test::put(packet, other);
  Query query;
  EXPECT_EQ(parse_query(packet, query), Verdict::answer);
  EXPECT_TRUE(query.has_edns);
}

TEST(Opt, TwoOrMisplacedOrOwnedAreMalformed) {
  Ask ask;
  ask.edns = true;
  Packet two = make(ask);
  const Packet opt(two.end() - 11, two.end());
  two[11] = 2;
  two.insert(two.end(), opt.begin(), opt.end());
  EXPECT_EQ(judge(two), Verdict::formerr);
  for (size_t count : {7, 9}) {  // in answer, in authority
    Packet moved = make(ask);
    moved[count] = 1;
    moved[11] = 0;
    EXPECT_EQ(judge(moved), Verdict::formerr);
  }
  Packet owned = make(Ask{});
  owned[11] = 1;
  test::put(owned, "\1a"s);
  owned.insert(owned.end(), opt.begin(), opt.end());
  EXPECT_EQ(judge(owned), Verdict::formerr);
}

TEST(Opt, HigherVersionsAreAnsweredBadvers) {
  Ask ask;
  ask.edns = true;
  ask.version = 1;
  ask.edns_flags = 0x8000;
  ask.options = "\0\x08\0\xff"s;  // not for version 0 to judge
  const Packet packet = make(ask);
  Query query;
  ASSERT_EQ(parse_query(packet, query), Verdict::badvers);
  Packet out(512);
  out.resize(compose_error(out, packet, query, Verdict::badvers));
  auto message = test::decode(out);
  EXPECT_TRUE(message.good);
  EXPECT_EQ(message.rcode, badvers);
  EXPECT_EQ(message.version, 0);
  EXPECT_EQ(message.edns_flags, 0x8000);
  EXPECT_FALSE(message.has(flag_aa));
}

TEST(Opt, OptionsMustFitExactly) {
  for (const std::string& options : {"\0"s, "\0\x0a\0"s, "\0\x0a\0\1"s, "\0\x0a\0\1x\0"s}) {
    Ask ask;
    ask.edns = true;
    ask.options = options;
    EXPECT_EQ(judge(make(ask)), Verdict::formerr);
  }
}

TEST(Subnet, MalformedOnesAreFormerr) {
  for (const char* hex :
       {"00631800414141", "00012100c0a8000100", "00011800c0a8", "00011800c0a80001", "00011400c0a8ff", "00011818c0a800",
        "", "000118", "0001", "00028120010db8000000000000000000000000000", "000281002001000000000000000000000000000000",
        "000001000a", "00000001", "0001ff00", "00012000c0a800", "00010100ff", "00030000"})
    EXPECT_EQ(judge_subnet(test::unhex(hex)), Verdict::formerr) << hex;
}

TEST(Subnet, AddressesOfEveryLengthAreRead) {
  for (const char* whole : {"201.102.151.255", "2001:db8:1234:5678:9abc:def0:fedc:ba98"}) {
    const auto address = IpAddress::parse(whole);
    ASSERT_TRUE(address);
    for (unsigned length = 0; length <= address->bits(); length++) {
      const IpAddress network = address->masked(length);
      Ask ask;
      ask.edns = true;
      ask.options = test::subnet_option(network.to_string() + "/" + std::to_string(length));
      Query query;
      query.subnet.address.bytes.fill(0xff);
      ASSERT_EQ(parse_query(make(ask), query), Verdict::answer) << length;
      ASSERT_TRUE(query.has_subnet);
      EXPECT_EQ(query.subnet.source, length);
      EXPECT_EQ(query.subnet.address, network) << length;
    }
  }
}
TEST(Subnet, WellFormedOnesPass) {
  for (const char* hex : {"00010000", "00020000", "00000000", "00011800c0a800", "00012000c0a80001", "00011400c0a8f0",
                          "0001010080", "0002380020010db8000000", "0002800020010db8000000000000000000000001"})
    EXPECT_EQ(judge_subnet(test::unhex(hex)), Verdict::answer) << hex;
  Ask twice;
  twice.edns = true;
  twice.options = test::subnet_option("10.0.0.0/8") + test::subnet_option("10.0.0.0/8");
  EXPECT_EQ(judge(make(twice)), Verdict::formerr);
}

std::vector<Packet> samples() {
  Ask edns;
  edns.edns = true;
  edns.options = test::subnet_option("10.2.3.0/24") + test::option(10, "cookie!!");
  Ask v6 = edns;
  v6.type = type_aaaa;
  v6.options = test::subnet_option("2001:db8::/56");
  Packet with_records = make(edns);
  with_records[7] = 1;  // an answer record before OPT, as a NOTIFY would have
  const std::string record = "\xc0\x0c\0\1\0\1\0\0\0\0\0\4\1\2\3\4"s;
  with_records.insert(with_records.begin() + 33, record.begin(), record.end());
  Ask root;
  root.name = ".";
  return {make(Ask{}), make(edns), make(v6), with_records, make(root)};
}

TEST(Query, EveryCutIsFormerrOrSilence) {
  for (const Packet& whole : samples()) {
    ASSERT_EQ(judge(whole), Verdict::answer);
    for (size_t size = 0; size < whole.size(); size++) {
      const Packet cut(whole.begin(), whole.begin() + static_cast<long>(size));
      EXPECT_EQ(judge(cut), size < header_size ? Verdict::drop : Verdict::formerr) << size;
    }
    Packet trailing = whole;
    trailing.push_back(0);
    EXPECT_EQ(judge(trailing), Verdict::formerr);
  }
}

TEST(Query, MutationsNeverBreakIt) {
  Rng rng(20261123);
  const auto seeds = samples();
  int passed = 0;
  for (int i = 0; i < test::mutations(); i++) {
    const Packet packet = test::mutate(seeds[rng.below(seeds.size())], rng);
    Query query;
    const Verdict verdict = parse_query(packet, query);
    passed += verdict == Verdict::answer;
    if (verdict == Verdict::drop || verdict == Verdict::answer) continue;
    Packet out(512);
    out.resize(compose_error(out, packet, query, verdict));
    const auto message = test::decode(out);
    ASSERT_TRUE(message.good);
    ASSERT_EQ(message.id, query.id);
  }
  EXPECT_GT(passed, 0);
}

}  // namespace
}  // namespace portolan::dns
