#include "core/dns/packed_set.hh"

#include <gtest/gtest.h>

#include <optional>

#include "core/dns/compose.hh"
#include "tests/unit/core/dns/packets.hh"

namespace portolan::dns {
namespace {

using namespace std::string_literals;
using test::Packet;

std::string wire(std::string_view text) {
  return std::string(Name::parse(text)->wire());
}

// A set added to the answer to a question, and how long the message became.
struct Case {
  explicit Case(std::string_view name = "www.example.com", bool tcp = false) {
    test::Ask ask;
    ask.name = name;
    packet = make(ask);
    parse_query(packet, query);
    composer.emplace(out, packet, query, answer_limit(query, tcp));
  }
  bool add(const PackedSet& set, size_t owner = header_size) {
    return composer->add_set(Section::answer, owner, set, zone.size());
  }
  test::Message finish() {
    out.resize(composer->finish(noerror, true));
    return test::decode(out);
  }
  const std::string zone = wire("example.com");
  Packet packet;
  Query query;
  Packet out = Packet(65535, 0xee);
  std::optional<Composer> composer;
};

const std::vector<std::string> addresses = {"\1\2\3\4", "\5\6\7\x08"};

TEST(PackedSet, IsTheSameAsItsRecordsOneByOne) {
  const std::vector<std::pair<uint16_t, std::vector<std::string>>> sets = {
      {type_a, addresses},
      {type_txt, {"\3abc"}},
      {type_cname, {wire("web.example.com")}},
      {type_cname, {wire("example.com")}},
      {type_cname, {wire("www.elsewhere.org")}},
      {type_ns, {wire("ns1.dns.test"), wire("ns2.dns.test"), wire("ns.example.com"), wire("com"), wire(".")}},
      {type_mx, {"\0\x0a"s + wire("mail.example.com"), "\0\x14"s + wire("mx.dns.test")}},
      {type_soa, {wire("ns1.example.com") + wire("hostmaster.example.com") + std::string(20, 'n')}},
      {type_soa, {wire("ns1.dns.test") + wire("hostmaster.dns.test") + std::string(20, 'n')}},
      {type_srv, {"\0\1\0\2\0\3"s + wire("web.example.com")}},
  };
  for (const auto& [type, data] : sets) {
    Case packed, single;
    ASSERT_TRUE(packed.add(PackedSet(packed.zone, type, 77, data)));
    for (const auto& d : data) single.composer->add(Section::answer, single.query.key.wire(), type, 77, d);
    ASSERT_TRUE(packed.finish().good) << type;
    ASSERT_TRUE(single.finish().good) << type;
    EXPECT_EQ(packed.out, single.out) << type;
  }
}

TEST(PackedSet, StandsBehindOtherRecordsAndUnderAnotherOwner) {
  Case c("a.b.example.com");
  const size_t target = c.composer->next_rdata();
  ASSERT_TRUE(c.add(PackedSet(c.zone, type_cname, 1, std::vector{wire("web.elsewhere.org")})));
  const size_t owner = c.composer->name_at(target);
  EXPECT_EQ(owner, target);
  ASSERT_TRUE(c.add(PackedSet(c.zone, type_a, 2, addresses), owner));
  ASSERT_TRUE(c.add(PackedSet(c.zone, type_ns, 3, std::vector{wire("ns1.dns.test"), wire("ns2.dns.test")}), owner));
  const auto m = c.finish();
  ASSERT_TRUE(m.good);
  ASSERT_EQ(m.answers().size(), 5u);
  EXPECT_EQ(m.answers()[0].owner, "a.b.example.com.");
  for (size_t i = 1; i < 5; i++) EXPECT_EQ(m.answers()[i].owner, "web.elsewhere.org.");
  EXPECT_EQ(m.answers()[2].data, "5.6.7.8");
  EXPECT_EQ(m.answers()[4].data, "ns2.dns.test.");
}

TEST(PackedSet, NoPointerLeadsToAPointer) {
  Case c;
  const size_t target = c.composer->next_rdata();
  ASSERT_TRUE(c.add(PackedSet(c.zone, type_cname, 1, std::vector{c.zone})));
  EXPECT_EQ(c.composer->name_at(target), header_size + 4u) << "the zone's name in the question";
}

TEST(PackedSet, FitsWholeOrNotAtAll) {
  const PackedSet set(wire("example.com"), type_txt, 1, std::vector{"\xc8" + std::string(200, 'x')});
  Case c;
  EXPECT_TRUE(c.add(set));
  EXPECT_TRUE(c.add(set));
  EXPECT_FALSE(c.composer->add_set(Section::additional, header_size, set, c.zone.size()));
  EXPECT_FALSE(c.composer->truncated()) << "an additional one is left out";
  EXPECT_FALSE(c.add(set));
  EXPECT_TRUE(c.composer->truncated());
  EXPECT_FALSE(c.composer->add_at(Section::answer, header_size, type_a, 1, "\1\2\3\4"));
  const auto m = c.finish();
  ASSERT_TRUE(m.good);
  EXPECT_TRUE(m.has(flag_tc) && m.answers().empty());
}

TEST(PackedSet, PointersNeverReachPast16383) {
  Case c("www.example.com", true);
  std::vector<std::string> data;
  for (int i = 0; i < 1500; i++) data.push_back(wire("n" + std::to_string(i) + ".of" + std::to_string(i) + ".test"));
  data.push_back(wire("last.of1499.test"));
  ASSERT_TRUE(c.add(PackedSet(c.zone, type_ns, 1, data)));
  const auto m = c.finish();
  ASSERT_TRUE(m.good);
  for (size_t i = 0; i < 1500; i++)
    ASSERT_EQ(m.answers()[i].data, "n" + std::to_string(i) + ".of" + std::to_string(i) + ".test.");
  EXPECT_EQ(m.answers()[1500].data, "last.of1499.test.");
}

}  // namespace
}  // namespace portolan::dns
