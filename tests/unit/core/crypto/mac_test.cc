#include "core/crypto/mac.hh"

#include <gtest/gtest.h>

namespace portolan::crypto {
namespace {

std::string hex(const Mac& mac) {
  std::string out;
  for (unsigned char byte : mac) {
    out += "0123456789abcdef"[byte / 16];
    out += "0123456789abcdef"[byte % 16];
  }
  return out;
}

// RFC 4231 §4.3: a key shorter than a block is filled up with zeros, so that "Jefe" is a key of 32 bytes as well.
TEST(Mac, IsHmacSha256) {
  MacKey key{'J', 'e', 'f', 'e'};
  EXPECT_EQ(hex(mac(key, "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Mac, KeysAreMadeOfAnySecret) {
  EXPECT_EQ(hex(key_from("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Mac, Base64FitsUrlsAndCookies) {
  const unsigned char bytes[] = {0xfb, 0xff, 0xfe, 0x01};
  EXPECT_EQ(base64url(bytes, 4), "-__-AQ");
  EXPECT_EQ(base64url(bytes, 3), "-__-");
  EXPECT_EQ(base64url(bytes, 0), "");
}

}  // namespace
}  // namespace portolan::crypto
