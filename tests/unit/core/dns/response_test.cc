#include "core/dns/response.hh"

#include <gtest/gtest.h>

#include "tests/unit/core/dns/packets.hh"

namespace portolan::dns {
namespace {

using namespace std::string_literals;
using test::Packet;

// An answer to "www.example.com" (12, its "example.com" at 16).
struct Answer {
  explicit Answer(uint16_t type = type_a) {
    test::Ask ask;
    ask.type = type;
    ask.flags = flag_qr | flag_rd;
    packet = make(ask);
  }
  Answer& record(size_t count_at, const std::string& owner, unsigned type, uint32_t ttl_s, const std::string& data) {
    packet[count_at]++;
    test::put(packet, owner);
    test::put16(packet, type);
    test::put16(packet, class_in);
    test::put32(packet, ttl_s);
    test::put16(packet, static_cast<unsigned>(data.size()));
    test::put(packet, data);
    return *this;
  }
  Answer& answer(const std::string& owner, unsigned type, uint32_t ttl_s, const std::string& data) {
    return record(7, owner, type, ttl_s, data);
  }
  Packet packet;
};

const std::string self = "\xc0\x0c"s;

Result<Response> parse(const Packet& packet, uint16_t type = type_a, uint16_t id = 0x1234) {
  return parse_response(packet, id, *Name::parse("WWW.example.com"), type);
}

TEST(Response, ReadsAddressesAndTheLeastTtl) {
  Answer a;
  a.answer(self, type_a, 300, "\1\2\3\4").answer(self, type_a, 60, "\5\6\7\x08");
  auto response = parse(a.packet);
  ASSERT_TRUE(response) << response.error().text;
  ASSERT_EQ(response->addresses.size(), 2u);
  EXPECT_EQ(response->addresses[0].to_string(), "1.2.3.4");
  EXPECT_EQ(response->addresses[1].to_string(), "5.6.7.8");
  EXPECT_EQ(response->ttl_s, 60u);
}

TEST(Response, ReadsAaaaBehindCnames) {
  Answer a(type_aaaa);
  a.answer(self, type_cname, 20, "\3web\xc0\x10"s)
      .answer("\3web\xc0\x10"s, type_aaaa, 300, "\x20\1" + std::string(14, '\0'))
      .answer("\5other\xc0\x10"s, type_aaaa, 1, "\x20\2" + std::string(14, '\0'));
  auto response = parse(a.packet, type_aaaa);
  ASSERT_TRUE(response) << response.error().text;
  ASSERT_EQ(response->addresses.size(), 1u);
  EXPECT_EQ(response->addresses[0].to_string(), "2001::");
  EXPECT_EQ(response->ttl_s, 20u);
}

TEST(Response, ReadsSrv) {
  Answer a(type_srv);
  a.answer(self, type_srv, 30, "\0\1\0\2\x1f\x90\3web\xc0\x10"s);
  auto response = parse(a.packet, type_srv);
  ASSERT_TRUE(response) << response.error().text;
  ASSERT_EQ(response->services.size(), 1u);
  const ServiceTarget& service = response->services[0];
  EXPECT_EQ(service.priority, 1);
  EXPECT_EQ(service.weight, 2);
  EXPECT_EQ(service.port, 8080);
  EXPECT_EQ(service.target.to_string(), "web.example.com.");
  EXPECT_EQ(response->ttl_s, 30u);
}

TEST(Response, NegativeAnswersCarryTheSoasTtl) {
  const std::string numbers = std::string(16, '\0') + "\0\0\0\x1e"s;
  Answer a;
  a.packet[3] |= nxdomain;
  a.record(9, "\xc0\x10"s, type_soa, 600, "\2ns\xc0\x10\2hm\xc0\x10"s + numbers);
  auto response = parse(a.packet);
  ASSERT_TRUE(response) << response.error().text;
  EXPECT_EQ(response->rcode, nxdomain);
  EXPECT_EQ(response->ttl_s, 30u);
  Answer broken;
  broken.record(9, "\xc0\x10"s, type_soa, 600, "\2ns\xc0\x10\2hm\xc0\x10"s + numbers + "x");
  EXPECT_FALSE(parse(broken.packet));
  Answer nameless;
  nameless.record(9, "\xc0\x10"s, type_soa, 600, "\xff");
  EXPECT_FALSE(parse(nameless.packet));
  EXPECT_EQ(parse(Answer().packet)->ttl_s, 0u) << "no SOA: not to be kept";
}

TEST(Response, HugeTtlsCountAsZero) {
  Answer a;
  a.answer(self, type_a, 0x80000000, "\1\2\3\4");
  EXPECT_EQ(parse(a.packet)->ttl_s, 0u);
}

TEST(Response, TruncationIsTold) {
  Answer a;
  a.packet[2] |= flag_tc >> 8;
  EXPECT_TRUE(parse(a.packet)->truncated);
}

TEST(Response, RefusesWhatWasNotAsked) {
  Answer a;
  EXPECT_FALSE(parse(a.packet, type_a, 0x1235));
  EXPECT_FALSE(parse(a.packet, type_aaaa));
  EXPECT_FALSE(parse_response(a.packet, 0x1234, *Name::parse("example.com"), type_a));
  Packet query = a.packet;
  query[2] = 1;
  EXPECT_FALSE(parse(query));
  Packet opcode = a.packet;
  opcode[2] |= 0x08;
  EXPECT_FALSE(parse(opcode));
  Packet no_question = a.packet;
  no_question[5] = 0;
  EXPECT_FALSE(parse(no_question));
  Packet chaos = a.packet;
  chaos.back() = 3;
  EXPECT_FALSE(parse(chaos));
}

TEST(Response, RefusesMalformedRecords) {
  EXPECT_FALSE(parse(Answer().answer(self, type_a, 1, "\1\2\3").packet));
  EXPECT_FALSE(parse(Answer(type_srv).answer(self, type_srv, 1, "\0\1\0\2\0\3"s).packet, type_srv));
  EXPECT_FALSE(parse(Answer(type_srv).answer(self, type_srv, 1, "\0\1\0\2\0\3\1a"s).packet, type_srv));
  EXPECT_FALSE(parse(Answer().answer(self, type_cname, 1, "\1a"s).packet));
  EXPECT_FALSE(parse(Answer().answer("\xc0\xff"s, type_a, 1, "\1\2\3\4").packet)) << "forwards";
  EXPECT_FALSE(parse(Answer().answer("\xc0\x21"s, type_a, 1, "\1\2\3\4").packet)) << "to itself";
}

TEST(Response, CnameChainsEndAt16) {
  const auto chain = [](int links) {
    Answer a;
    std::string owner = self;
    for (int i = 0; i < links; i++) {
      const std::string target =
          "\3c"s + static_cast<char>('a' + i / 26) + static_cast<char>('a' + i % 26) + "\xc0\x10";
      a.answer(owner, type_cname, 9, target);
      owner = target;
    }
    a.answer(owner, type_a, 9, "\1\2\3\4");
    return parse(a.packet);
  };
  auto longest = chain(16);
  ASSERT_TRUE(longest);
  EXPECT_EQ(longest->addresses.size(), 1u);
  EXPECT_FALSE(chain(17));
}

std::vector<std::pair<Packet, uint16_t>> samples() {
  Answer a, aaaa(type_aaaa), srv(type_srv), negative;
  a.answer(self, type_cname, 20, "\3web\xc0\x10"s).answer("\3web\xc0\x10"s, type_a, 300, "\1\2\3\4");
  aaaa.answer(self, type_aaaa, 300, std::string(16, '\1'));
  srv.answer(self, type_srv, 30, "\0\1\0\2\x1f\x90\3web\xc0\x10"s);
  negative.record(9, "\xc0\x10"s, type_soa, 600, "\2ns\xc0\x10\2hm\xc0\x10"s + std::string(20, '\1'));
  return {{a.packet, type_a}, {aaaa.packet, type_aaaa}, {srv.packet, type_srv}, {negative.packet, type_a}};
}

TEST(Response, EveryCutIsRefused) {
  for (const auto& [whole, type] : samples()) {
    ASSERT_TRUE(parse(whole, type));
    for (size_t size = 0; size < whole.size(); size++)
      EXPECT_FALSE(parse(Packet(whole.begin(), whole.begin() + static_cast<long>(size)), type)) << size;
  }
}

TEST(Response, MutationsNeverBreakIt) {
  Rng rng(5353);
  const auto seeds = samples();
  int passed = 0;
  for (int i = 0; i < test::mutations(); i++) {
    const auto& [seed, type] = seeds[rng.below(seeds.size())];
    passed += parse(test::mutate(seed, rng), type).ok();
  }
  EXPECT_GT(passed, 0);
}

}  // namespace
}  // namespace portolan::dns
