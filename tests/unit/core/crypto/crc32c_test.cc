#include "core/crypto/crc32c.hh"

#include <gtest/gtest.h>

#include <string>

namespace portolan::crypto {
namespace {

// RFC 3720 §B.4.
TEST(Crc32c, IsTheOneOfTheStandard) {
  std::string ascending, descending;
  for (int i = 0; i < 32; ++i) {
    ascending += static_cast<char>(i);
    descending += static_cast<char>(31 - i);
  }
  for (auto of : {crc32c, crc32c_by_table}) {
    EXPECT_EQ(of("", 0), 0u);
    EXPECT_EQ(of("123456789", 0), 0xE3069283u);
    EXPECT_EQ(of(std::string(32, '\0'), 0), 0x8A9136AAu);
    EXPECT_EQ(of(std::string(32, '\xFF'), 0), 0x62A8AB43u);
    EXPECT_EQ(of(ascending, 0), 0x46DD794Eu);
    EXPECT_EQ(of(descending, 0), 0x113FDB5Cu);
  }
}

TEST(Crc32c, BothWaysAgreeAtEveryLengthAndCut) {
  std::string bytes;
  uint32_t state = 1;
  for (int i = 0; i < 40'000; ++i) {
    state = state * 1664525 + 1013904223;
    bytes += static_cast<char>(state >> 24);
  }
  for (size_t size = 0; size <= bytes.size(); size = size < 70 ? size + 1 : size * 9 / 8) {
    std::string_view text(bytes.data() + size % 7, std::min(size, bytes.size() - 7));
    uint32_t whole = crc32c_by_table(text);
    EXPECT_EQ(crc32c(text), whole) << size;
    size_t cut = text.size() / 3;
    EXPECT_EQ(crc32c(text.substr(cut), crc32c(text.substr(0, cut))), whole) << size;
  }
}

}  // namespace
}  // namespace portolan::crypto
