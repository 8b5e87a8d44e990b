#include "core/crypto/password.hh"

#include <gtest/gtest.h>

namespace portolan::crypto {
namespace {

// As `htpasswd -nbB`, `htpasswd -nbB -C 4` and `openssl passwd -6` wrote them.
const std::string bcrypt = "$2y$05$mVD9jVG.cJLHQUAe7B58EO/ZADvoDbN5gPcvDn/r35MVLNqmsHaga";  // wonderland
const std::string utf8 = "$2y$04$JGSwB9h3WESfxDRVpWP0/.H0BMIBfrzah8o1cPr6wgjycxNssQS7u";    // pässword
const std::string sha512 =                                                                  // secret
    "$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG.";

TEST(Passwords, AreCheckedByBcryptAndSha512) {
  EXPECT_TRUE(check_password("wonderland", bcrypt));
  EXPECT_TRUE(check_password("wonderland", "$2b$" + bcrypt.substr(4))) << "the same under its newer name";
  EXPECT_TRUE(check_password("p\xc3\xa4ssword", utf8));
  EXPECT_TRUE(check_password("secret", sha512));
  for (const char* wrong : {"", "Wonderland", "wonderland ", "wonderlan", "secre", "secret1"}) {
    EXPECT_FALSE(check_password(wrong, bcrypt)) << wrong;
    EXPECT_FALSE(check_password(wrong, sha512)) << wrong;
  }
}

TEST(Passwords, WithAZeroByteOrTooLongAreNone) {
  EXPECT_FALSE(check_password(std::string("secret\0", 7), sha512));
  EXPECT_FALSE(check_password(std::string("secret\0x", 8), sha512));
  EXPECT_FALSE(check_password(std::string(256, 's'), sha512));
  EXPECT_FALSE(check_password("x", "*0")) << "what libcrypt says when it fails is nobody's hash";
}

TEST(Passwords, HashesThatCannotServeAreNamedByKind) {
  EXPECT_TRUE(check_hash(bcrypt));
  EXPECT_TRUE(check_hash(sha512));
  EXPECT_TRUE(check_hash("$6$rounds=10000$" + sha512.substr(3)));
  struct Case {
    std::string hash, what;
  };
  for (const Case& c : {
           Case{"$apr1$JrPzyTyv$MH9sae4zWrnsdBtBSPMzc.", "MD5"},
           Case{"$1$abc$xyz", "MD5"},
           Case{"{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "SHA-1"},
           Case{"$5$abc$xyz", "SHA-256"},
           Case{"$y$j9T$abc", "yescrypt"},
           Case{"$argon2id$v=19$m=1$a$b", "Argon2"},
           Case{"{PLAIN}secret", "not known"},
           Case{"secret", "plain"},
           Case{"rqXexS6ZhobKA", "DES"},
           Case{"", "missing"},
           Case{bcrypt.substr(0, 59), "incomplete"},
           Case{bcrypt + "x", "incomplete"},
           Case{"$2y$5$" + bcrypt.substr(7) + "x", "incomplete"},
           Case{"$2y$15$" + bcrypt.substr(7), "cost 15, at most 14"},
           Case{"$2y$99$" + bcrypt.substr(7), "incomplete"},
           Case{sha512 + ".", "incomplete"},
           Case{"$6$" + sha512.substr(12), "incomplete"},
           Case{"$6$rounds=x$" + sha512.substr(3), "incomplete"},
           Case{"$6$rounds=1$" + sha512.substr(3), "incomplete"},
           Case{"$6$rounds=999999999$" + sha512.substr(3), "999999999 rounds, at most 1000000"},
       }) {
    Status checked = check_hash(c.hash);
    ASSERT_FALSE(checked) << c.hash;
    EXPECT_NE(checked.error().text.find(c.what), std::string::npos) << c.hash << ": " << checked.error().text;
  }
}

}  // namespace
}  // namespace portolan::crypto
