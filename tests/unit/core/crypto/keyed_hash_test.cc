#include "core/crypto/keyed_hash.hh"

#include <gtest/gtest.h>

#include <string>

namespace portolan::crypto {
namespace {

// The vectors of the paper: key 00 01 … 0f, input 00 01 … of each length.
TEST(KeyedHash, IsSipHash) {
  const HashKey key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  std::string input;
  for (char c = 0; c < 64; ++c) input.push_back(c);
  auto of = [&](size_t length) { return keyed_hash(key, std::string_view(input).substr(0, length)); };
  EXPECT_EQ(of(0), 0x726fdb47dd0e0e31u);
  EXPECT_EQ(of(1), 0x74f839c593dc67fdu);
  EXPECT_EQ(of(7), 0xab0200f58b01d137u);
  EXPECT_EQ(of(8), 0x93f5f5799a932462u);
  EXPECT_EQ(of(15), 0xa129ca6149be45e5u);
  EXPECT_EQ(of(63), 0x958a324ceb064572u);
}

TEST(KeyedHash, IsAnotherWithAnotherKey) {
  EXPECT_NE(keyed_hash(HashKey::fresh(), "a"), keyed_hash(HashKey::fresh(), "a"));
}

}  // namespace
}  // namespace portolan::crypto
