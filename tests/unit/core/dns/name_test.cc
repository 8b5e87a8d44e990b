#include "core/dns/name.hh"

#include <gtest/gtest.h>

#include "tests/unit/core/dns/packets.hh"

namespace portolan::dns {
namespace {

using namespace std::string_literals;
using test::Packet;

std::string wire(std::string_view text) {
  auto name = Name::parse(text);
  return name ? std::string(name->wire()) : "error: " + name.error().text;
}

TEST(Name, ReadsPresentationForm) {
  EXPECT_EQ(wire("www.Example.com"), "\3www\7Example\3com\0"s);
  EXPECT_EQ(wire("www.Example.com."), "\3www\7Example\3com\0"s);
  EXPECT_EQ(wire("."), "\0"s);
  EXPECT_EQ(wire("a\\.b.c"), "\3a.b\1c\0"s);
  EXPECT_EQ(wire("\\000\\255.c"), "\2\0\xff\1c\0"s);
}

TEST(Name, RefusesBrokenText) {
  for (const char* text : {"", "a..b", ".a", "..", "a\\", "a\\25", "a\\256", "a\\2x5"})
    EXPECT_FALSE(Name::parse(text)) << text;
}

TEST(Name, HoldsTheLimits63And255) {
  const std::string label(63, 'a');
  EXPECT_TRUE(Name::parse(label));
  EXPECT_FALSE(Name::parse(label + "a"));
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'b');
  auto name = Name::parse(longest);
  ASSERT_TRUE(name);
  EXPECT_EQ(name->wire().size(), max_name_size);
  EXPECT_FALSE(Name::parse(longest + "b"));
  EXPECT_FALSE(Name::parse(longest + ".c"));
}

TEST(Name, PrintsWhatItRead) {
  for (const char* text : {"www.example.com.", ".", "a\\.b.c.", "\\000\\032\\255.c.", "a\\\\b."}) {
    auto name = Name::parse(text);
    ASSERT_TRUE(name) << text;
    EXPECT_EQ(name->to_string(), text);
  }
}

TEST(Name, ComparesWithoutCaseAndByWholeLabels) {
  EXPECT_TRUE(Name::parse("WWW.example.com")->equals(*Name::parse("www.EXAMPLE.com")));
  EXPECT_FALSE(Name::parse("ww.example.com")->equals(*Name::parse("www.example.com")));
  EXPECT_FALSE(Name::parse("wxw.example.com")->equals(*Name::parse("www.example.com")));
  EXPECT_TRUE(is_within(wire("a.example.com"), wire("example.com")));
  EXPECT_TRUE(is_within(wire("example.com"), wire("example.com")));
  EXPECT_TRUE(is_within(wire("example.com"), wire(".")));
  EXPECT_FALSE(is_within(wire("notexample.com"), wire("example.com")));
  EXPECT_FALSE(is_within(wire("com"), wire("example.com")));
  EXPECT_EQ(Name::parse("a.b.c")->labels(), 3u);
  EXPECT_EQ(Name().labels(), 0u);
}

TEST(Name, LowersLettersAndNothingElse) {
  for (size_t size : {1, 5, 6, 7, 8, 13, 14, 15, 29, 30, 31, 62})
    for (int byte = 0; byte < 256; byte++)
      for (size_t at = 0; at < size; at++) {
        std::string label(size, 'Q'), lowered(size, 'q');
        label[at] = lowered[at] = static_cast<char>(byte);
        if (byte >= 'A' && byte <= 'Z') lowered[at] = static_cast<char>(byte + 32);
        const std::string front(1, static_cast<char>(size)), root(1, '\0');
        Packet packet;
        test::put(packet, front + label + root);
        size_t offset = 0, lowered_offset = 0;
        unsigned labels = 0;
        Name name, key;
        ASSERT_TRUE(name.read(packet, offset));
        ASSERT_TRUE(key.read_lowered(packet, lowered_offset, labels));
        ASSERT_EQ(key.wire(), front + lowered + root);
        ASSERT_EQ(name.lowered().wire(), key.wire());
        ASSERT_TRUE(name.equals(key));
        ASSERT_EQ(lowered_offset, offset);
        ASSERT_EQ(labels, 1u);
        lowered[at] = static_cast<char>(lowered[at] ^ 1);
        ASSERT_FALSE(equal_ignoring_case(name.wire(), front + lowered + root)) << byte;
      }
}

// A message of a blank header and `body`, read at `offset`.
std::string read(const std::string& body, size_t offset, size_t* end = nullptr, bool pointers = true) {
  Packet packet(header_size, 0);
  test::put(packet, body);
  size_t at = offset;
  Name name;
  if (!name.read(packet, at, pointers)) return "malformed";
  if (end) *end = at;
  return name.to_string();
}

TEST(NameOnTheWire, FollowsPointersBackwards) {
  size_t end = 0;
  EXPECT_EQ(read("\3com\0\7example\xc0\x0c\3www\xc0\x11"s, 27, &end), "www.example.com.");
  EXPECT_EQ(end, 33u);
  EXPECT_EQ(read("\3com\0\xc0\x0c"s, 17, &end), "com.");
  EXPECT_EQ(end, 19u);
}

TEST(NameOnTheWire, RefusesEveryOtherPointer) {
  EXPECT_EQ(read("\xc0\x0c"s, 12), "malformed");          // to itself
  EXPECT_EQ(read("\xc0\x0e\3com\0"s, 12), "malformed");   // forwards
  EXPECT_EQ(read("\xc0\x0e\xc0\x0c"s, 14), "malformed");  // a loop of two
  EXPECT_EQ(read("\1a\xc0\x0c"s, 12), "malformed");       // a loop through a label
  EXPECT_EQ(read("\1a\0\xc0\x04"s, 15), "malformed");     // into the header
  EXPECT_EQ(read("\3com\0\xc0\x0c"s, 17, nullptr, false), "malformed");
  EXPECT_EQ(read("\3com\0\xc0"s, 17), "malformed");  // cut
}

TEST(NameOnTheWire, RefusesBadLabelsAndLengths) {
  EXPECT_EQ(read("\x40"s + std::string(64, 'a') + "\0"s, 12), "malformed");
  EXPECT_EQ(read("\x80"s + std::string(128, 'a') + "\0"s, 12), "malformed");
  EXPECT_EQ(read("\3co"s, 12), "malformed");
  EXPECT_EQ(read("\3com"s, 12), "malformed");
  std::string tall;
  for (int i = 0; i < 127; i++) tall += "\1a";
  EXPECT_NE(read(tall + "\0"s, 12), "malformed");
  EXPECT_EQ(read("\1a"s + tall + "\0"s, 12), "malformed");
}

TEST(Words, TypesAndRcodesHaveTheirNames) {
  for (auto [type, name] : std::vector<std::pair<uint16_t, const char*>>{{1, "A"},
                                                                         {2, "NS"},
                                                                         {5, "CNAME"},
                                                                         {6, "SOA"},
                                                                         {12, "PTR"},
                                                                         {13, "HINFO"},
                                                                         {15, "MX"},
                                                                         {16, "TXT"},
                                                                         {28, "AAAA"},
                                                                         {33, "SRV"},
                                                                         {251, "IXFR"},
                                                                         {252, "AXFR"},
                                                                         {255, "ANY"}})
    EXPECT_STREQ(type_name(type), name);
  EXPECT_EQ(type_name(666), nullptr);
  for (auto [rcode, name] : std::vector<std::pair<uint16_t, const char*>>{{0, "NOERROR"},
                                                                          {1, "FORMERR"},
                                                                          {2, "SERVFAIL"},
                                                                          {3, "NXDOMAIN"},
                                                                          {4, "NOTIMP"},
                                                                          {5, "REFUSED"},
                                                                          {16, "BADVERS"},
                                                                          {9, "OTHER"}})
    EXPECT_STREQ(rcode_name(rcode), name);
}

}  // namespace
}  // namespace portolan::dns
