// Values as they are written, and the bytes they become.
#include "geodns/rdata.hh"

#include "geodns/rdata_svcb.hh"
#include "tests/unit/geodns/fixture.hh"

namespace portolan::geodns {
namespace {

std::string hex(std::string_view bytes) {
  std::string text;
  for (unsigned char c : bytes) {
    text += "0123456789abcdef"[c >> 4];
    text += "0123456789abcdef"[c & 15];
  }
  return text;
}

// The bytes as hexadecimal, or why not.
std::string wire(std::string_view type, std::string_view value) {
  const uint16_t number = record_type(type);
  if (number == 0) return "no type";
  auto data = parse_rdata(number, value, *dns::Name::parse("example.com"));
  if (!data) return data.error().text;
  std::string again = *data;
  EXPECT_TRUE(check_rdata(number, again)) << type << " " << value;
  EXPECT_EQ(again, *data) << type << " " << value;
  return hex(*data);
}

const std::string sip = "03736970076578616d706c6503636f6d00";  // sip.example.com

TEST(Rdata, EveryTypeBecomesItsBytes) {
  EXPECT_EQ(wire("A", "192.0.2.1"), "c0000201");
  EXPECT_EQ(wire("srv", "10 60 5060 SIP"), "000a003c13c4" + sip);
  EXPECT_EQ(wire("PTR", "sip.Example.com."), sip);
  EXPECT_EQ(wire("MX", "10\tsip"), "000a" + sip);
  EXPECT_EQ(wire("CAA", "128 issue \"ca.example; x=1\""), "80056973737565" + hex("ca.example; x=1"));
  EXPECT_EQ(wire("CAA", "0 iodef \"\""), "0005696f646566");
  EXPECT_EQ(wire("NAPTR", "100 10 \"S\" \"SIP+D2U\" \"!^.*$!sip:a\\\\b!\" ."),
            "0064000a0153075349502b4432550e" + hex("!^.*$!sip:a\\b!") + "00");
  EXPECT_EQ(wire("TLSA", "3 1 1 00FF 10"), "03010100ff10");
  EXPECT_EQ(wire("SSHFP", "4 2 abcdef"), "0402abcdef");
  EXPECT_EQ(wire("DS", "60485 13 2 2bb183"), "ec450d022bb183");
  EXPECT_EQ(wire("HINFO", "\"a b\" c"), "036120620163");
  EXPECT_EQ(wire("TXT", "\"a\" \"b\""), "01610162");
  EXPECT_EQ(wire("TYPE65280", "\\# 3 ab cd ef"), "abcdef");
  EXPECT_EQ(wire("type65280", "\\# 0"), "");
  EXPECT_EQ(wire("A", "\\# 4 c0000201"), "c0000201");
  EXPECT_EQ(wire("TYPE1", "192.0.2.1"), "c0000201");
  EXPECT_EQ(wire("MX", "\\# 8 000a 035349 5000 00").substr(0, 1), "\"") << "not a name";
  EXPECT_EQ(wire("MX", "\\# 7 000a 0353495000"), "000a0373697000") << "names in lower case";
}

TEST(Rdata, WhatIsWrongIsTold) {
  const std::vector<std::array<const char*, 3>> cases = {
      {"SRV", "10 60 sip", "an SRV record is priority, weight, port and a name"},
      {"SRV", "10 60 70000 sip", "an SRV record is"},
      {"SRV", "10 60 80 sip x", "an SRV record is"},
      {"SRV", "10 60 80 a..b", "a label is empty"},
      {"SRV", "-1 60 80 sip", "an SRV record is"},
      {"CAA", "0 issue", "a CAA record is"},
      {"CAA", "256 issue \"x\"", "a CAA record is"},
      {"CAA", "0 is-sue \"x\"", "a CAA tag is letters and digits"},
      {"NAPTR", "1 2 \"a\" \"b\" \"c", "a quote is left open"},
      {"TLSA", "3 1 1 0f0", "an odd number of hexadecimal digits"},
      {"TLSA", "3 1 1 xy", "not hexadecimal"},
      {"TLSA", "3 1 1", "a TLSA record is"},
      {"SSHFP", "4 2", "an SSHFP record is"},
      {"HINFO", "a", "an HINFO record is two strings"},
      {"TYPE65280", "\\# 2 ab", "says 2 bytes and has 1"},
      {"TYPE65280", "\\# x", "\\# LENGTH HEX"},
      {"TYPE65280", "\\#", "\\# LENGTH HEX"},
      {"A", "\\# 3 c00002", "not the bytes of a A"},
      {"A", "\\# 5 c000020100", "more bytes than"},
      {"TYPE0", "\\# 0", "no type"},
      {"TYPE255", "\\# 0", "no type"},
      {"TYPE65536", "\\# 0", "no type"},
      {"TYPE", "\\# 0", "no type"},
      {"OPT", "x", "no type"},
      {"AXFR", "x", "no type"},
      {"SOA", "x", "no type"},
      {"TYPE46", "\\# 0", "no type"},
  };
  for (const auto& [type, value, expected] : cases)
    EXPECT_NE(wire(type, value).find(expected), std::string::npos) << type << " " << value << ": " << wire(type, value);
}

// RFC 9460, appendix D.
TEST(Svcb, TheVectorsOfTheStandard) {
  const std::string foo = "03666f6f076578616d706c6503636f6d00", org = "03666f6f076578616d706c65036f726700";
  EXPECT_EQ(wire("HTTPS", "0 foo.example.com."), "0000" + foo);
  EXPECT_EQ(wire("SVCB", "1 ."), "000100");
  EXPECT_EQ(wire("SVCB", "16 foo.example.com. port=53"), "0010" + foo + "000300020035");
  EXPECT_EQ(wire("SVCB", "1 foo.example.com. key667=hello"), "0001" + foo + "029b000568656c6c6f");
  EXPECT_EQ(wire("SVCB", "1 foo.example.com. key667=\"hello\\210qoo\""), "0001" + foo + "029b000968656c6c6fd2716f6f");
  EXPECT_EQ(wire("SVCB", "1 foo.example.com. ipv6hint=\"2001:db8::1,2001:db8::53:1\""),
            "0001" + foo + "0006002020010db8000000000000000000000001" + "20010db8000000000000000000530001");
  EXPECT_EQ(wire("SVCB", "16 foo.example.org. alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1"),
            "0010" + org + "0000000400010004" + "00010009026832" + "0568332d3139" + "00040004c0000201");
  for (const char* alpn : {"\"f\\\\\\\\oo\\\\,bar,h2\"", "f\\\\\\092oo\\092,bar,h2"})
    EXPECT_EQ(wire("SVCB", std::string("16 foo.example.org. alpn=") + alpn),
              "0010" + org + "0001000c08665c6f6f2c626172026832");
}

TEST(Svcb, EveryParameter) {
  EXPECT_EQ(wire("HTTPS", "1 . no-default-alpn alpn=h2"),
            "000100"
            "000100030268"
            "32"
            "00020000");
  EXPECT_EQ(wire("HTTPS", "1 . ech=AAECAw=="),
            "000100"
            "00050004"
            "00010203");
  EXPECT_EQ(wire("HTTPS", "1 . dohpath=/q{?dns}"),
            "000100"
            "00070008" +
                hex("/q{?dns}"));
  EXPECT_EQ(wire("HTTPS", "1 . key9"),
            "000100"
            "00090000");
  EXPECT_EQ(wire("HTTPS", "\\# 7 0001 00 0009 0000"), "00010000090000");
}

TEST(Svcb, WhatIsWrongIsTold) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"1", "priority (0 to 65535), target and parameters"},
      {"70000 .", "priority (0 to 65535)"},
      {"0 . alpn=h2", "has no parameters"},
      {"1 . alpn=h2 alpn=h3", "alpn is there twice"},
      {"1 . alpn", "alpn needs a value"},
      {"1 . alpn=", "alpn needs a value"},
      {"1 . alpn=h2,,h3", "1 to 255 bytes"},
      {"1 . port=65536", "port is a number"},
      {"1 . ipv4hint=2001:db8::1", "is not an IPv4 address"},
      {"1 . ipv6hint=192.0.2.1", "is not an IPv6 address"},
      {"1 . ech=???", "ech is base64"},
      {"1 . mandatory=alpn", "mandatory names a parameter that is not there"},
      {"1 . mandatory=mandatory,alpn alpn=h2", "mandatory names a parameter that is not there"},
      {"1 . mandatory=alpn,alpn alpn=h2", "names \"alpn\" twice"},
      {"1 . no-default-alpn", "no-default-alpn needs alpn"},
      {"1 . no-default-alpn=x alpn=h2", "has not its form"},
      {"1 . flavour=x", "\"flavour\" is no parameter"},
      {"1 . key65535=x", "is no parameter"},
      {"1 . key01=x", "is no parameter"},
      {"1 a..b", "a label is empty"},
      {"\\# 5 0001 00 0009", "a parameter is cut off"},
      {"\\# 11 0001 00 0009 0000 0008 0000", "don't ascend"},
      {"\\# 8 0001 00 0003 0001 00", "has not its form"},
  };
  for (const auto& [value, expected] : cases)
    EXPECT_NE(wire("HTTPS", value).find(expected), std::string::npos) << value << ": " << wire("HTTPS", value);
}

TEST(Svcb, HintsGoWhereTheirKeysStand) {
  auto hinted = parse_hinted("1 . key7=/a alpn=h2 ech=AAAA", *dns::Name::parse("example.com"), dns::Name());
  ASSERT_TRUE(hinted);
  uint8_t out[max_hinted_size];
  const std::vector<std::string> v4{"\1\2\3\4"}, v6{std::string(16, '\x20')};
  Hints hints[2];
  hints[0].add(v4);
  hints[1].add(v6);
  hints[1].add(v6);
  const size_t size = put_hinted(*hinted, hints[0], hints[1], out);
  std::string data(reinterpret_cast<char*>(out), size);
  EXPECT_TRUE(check_rdata(dns::type_https, data));
  EXPECT_EQ(hex(data),
            "000100"
            "00010003026832"
            "0004000401020304"
            "00050003000000"
            "00060010" +
                hex(v6[0]) + "00070002" + hex("/a"));
  EXPECT_FALSE(parse_hinted("1 . ipv4hint=192.0.2.1", dns::Name(), dns::Name()));
  EXPECT_FALSE(parse_hinted("0 example.com.", dns::Name(), dns::Name()));
}

}  // namespace
}  // namespace portolan::geodns
