// Cookies: the vectors of RFC 9018, time, and secrets that change.
#include "geodns/cookies.hh"

#include <cstring>

#include "tests/unit/geodns/fixture.hh"

namespace portolan::geodns {
namespace {

using Standing = CookieJar::Standing;
constexpr const char* secret = "e5e973e5a6b2a43f48e7dc849e37bfcf";

dns::Cookie cookie(std::string_view hex) {
  const std::string bytes = test::unhex(hex);
  dns::Cookie c;
  std::memcpy(c.client, bytes.data(), 8);
  c.server_size = static_cast<uint8_t>(bytes.size() - 8);
  std::memcpy(c.server, bytes.data() + 8, c.server_size);
  return c;
}

std::string hex(const dns::OptReply& reply) {
  std::string text;
  for (uint8_t byte : reply.cookie) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

CookieJar jar(std::string_view text) {
  auto secrets = CookieJar::read_secrets(text);
  EXPECT_TRUE(secrets);
  return CookieJar(*secrets);
}

// RFC 9018, appendix A.
TEST(Cookies, TheVectorsOfTheStandard) {
  const CookieJar one = jar(secret);
  dns::OptReply reply;
  EXPECT_EQ(one.answer(cookie("2464c4abcf10c957"), test::ip("198.51.100.100"), 1559731985, reply), Standing::stranger);
  EXPECT_EQ(hex(reply), "2464c4abcf10c957010000005cf79f111f8130c3eee29480");
  const auto renewed = cookie("fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5");
  EXPECT_EQ(one.answer(renewed, test::ip("203.0.113.203"), 1559727985, reply), Standing::known)
      << "reserved bytes taken";
  EXPECT_EQ(one.answer(renewed, test::ip("203.0.113.203"), 1559734700, reply), Standing::stranger) << "too old";
  EXPECT_EQ(hex(reply), "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e");
  const CookieJar two = jar("445536bcd2513298075a5d379663c962\ndd3bdf9344b678b185a6f5cb60fca715\n");
  EXPECT_EQ(two.answer(cookie("22681ab97d52c298010000005cf7c57926556bd0934c72f8"),
                       test::ip("2001:db8:220:1:59de:d0f4:8769:82b8"), 1559741961, reply),
            Standing::known)
      << "by the secret before";
  EXPECT_EQ(hex(reply), "22681ab97d52c298010000005cf7c609a6bb79d16625507a");
}

TEST(Cookies, AreGoodForAnHourFromTheirAddress) {
  const CookieJar one = jar(secret);
  const auto c = cookie("2464c4abcf10c957010000005cf79f111f8130c3eee29480");
  const IpAddress ip = test::ip("198.51.100.100");
  dns::OptReply reply;
  for (auto [at, standing] : std::vector<std::pair<uint32_t, Standing>>{{1559731985, Standing::known},
                                                                        {1559731985 + 3600, Standing::known},
                                                                        {1559731985 + 3601, Standing::stranger},
                                                                        {1559731985 - 300, Standing::known},
                                                                        {1559731985 - 301, Standing::stranger}})
    EXPECT_EQ(one.answer(c, ip, at, reply), standing) << at;
  EXPECT_EQ(one.answer(c, ip, 1559731985 + 1800, reply), Standing::known);
  EXPECT_EQ(hex(reply), "2464c4abcf10c957010000005cf79f111f8130c3eee29480") << "kept while it is fresh";
  EXPECT_EQ(one.answer(c, ip, 1559731985 + 1801, reply), Standing::known);
  EXPECT_NE(hex(reply), "2464c4abcf10c957010000005cf79f111f8130c3eee29480");
  EXPECT_EQ(one.answer(c, test::ip("198.51.100.101"), 1559731985, reply), Standing::stranger);
  EXPECT_EQ(jar("00000000000000000000000000000000").answer(c, ip, 1559731985, reply), Standing::stranger);
  auto other = c;
  other.server[0] = 2;
  EXPECT_EQ(one.answer(other, ip, 1559731985, reply), Standing::stranger) << "another version";
  for (size_t i = 1; i < 16; i++) {
    other = c;
    other.server[i] ^= 1;
    EXPECT_EQ(one.answer(other, ip, 1559731985, reply), Standing::stranger) << i;
  }
}

TEST(Cookies, SecretsAreReadByLine) {
  auto secrets =
      CookieJar::read_secrets("# now\n" + std::string(secret) + "  # since May\r\n\n00112233445566778899AABBCCDDEEFF");
  ASSERT_TRUE(secrets);
  EXPECT_EQ(secrets->size(), 2u);
  EXPECT_EQ((*secrets)[0].a, 0x3fa4b2a6e573e9e5u);
  for (const char* bad : {"", "#", "xyz", "00112233445566778899aabbccddeef", "00112233445566778899aabbccddeeffaa"})
    EXPECT_FALSE(CookieJar::read_secrets(bad)) << bad;
  EXPECT_NE(CookieJar::read_secrets(std::string(secret) + "\nx").error().text.find("line 2"), std::string::npos);
  std::string many;
  for (int i = 0; i < 9; i++) many += std::string(secret) + "\n";
  EXPECT_FALSE(CookieJar::read_secrets(many));
}

}  // namespace
}  // namespace portolan::geodns
