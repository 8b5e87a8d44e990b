#include "core/crypto/certificate.hh"

#include <gtest/gtest.h>

#include "core/crypto/certificate_set.hh"
#include "tests/unit/core/crypto/test_certificate.hh"

namespace portolan::crypto {
namespace {

constexpr const char* other_key = R"(-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgBAB1vJECWeWFPHgT
l5DYwPAq/qvULKISjU+C7zWwnwGhRANCAATW0LdwumOuP1Ioiu7sYy7qp5LCPF9U
vB1TtrDV7os7pH2GJEGlN0rDk9jK053uo4EbxCpb7ajlgw7ZSMAxxgHw
-----END PRIVATE KEY-----
)";

std::string refusal(const std::string& pem, const std::string& key) {
  auto read = read_certificate(pem, key, "www.crt", "www.key");
  return read ? "" : read.error().text;
}

TEST(Certificates, AreReadFromPem) {
  auto read = read_certificate(test_certificate, test_key, "www.crt", "www.key");
  ASSERT_TRUE(read) << read.error().text;
  const Certificate& c = **read;
  EXPECT_EQ(c.names, (std::vector<std::string>{"fixed.example", "*.fixed.example"}));
  EXPECT_EQ(c.kind, KeyKind::ecdsa);
  EXPECT_TRUE(c.chain->empty());
  EXPECT_GT(c.not_after_s, 4'000'000'000);
  // Text around the blocks, and the key in front, change nothing.
  EXPECT_EQ(refusal("Bag Attributes\n" + std::string(test_certificate), "x\n" + std::string(test_key)), "");
  EXPECT_EQ(refusal(std::string(test_key) + test_certificate, std::string(test_key) + test_certificate), "");
}

TEST(Certificates, ThatAreBrokenAreRefusedByTheirFilesName) {
  std::string good = test_certificate, key = test_key;
  EXPECT_NE(refusal("", key).find("www.crt: no certificate"), std::string::npos);
  EXPECT_NE(refusal(key, key).find("www.crt: no certificate"), std::string::npos);
  EXPECT_NE(refusal(good, good).find("www.key: no private key"), std::string::npos);
  EXPECT_NE(refusal(good, other_key).find("doesn't belong to the certificate of www.crt"), std::string::npos);
  EXPECT_NE(refusal(good, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
                .find("passphrase"),
            std::string::npos);
}

TEST(Certificates, CutAnywhereAreRefusedAndNeverRead) {
  std::string good = test_certificate, key = test_key;
  for (size_t cut = 0; cut + 2 < good.size(); ++cut) EXPECT_NE(refusal(good.substr(0, cut), key), "") << cut;
  for (size_t cut = 0; cut + 2 < key.size(); ++cut) EXPECT_NE(refusal(good, key.substr(0, cut)), "") << cut;
}

CertificateRef made(std::vector<std::string> names, KeyKind kind = KeyKind::ecdsa, int64_t not_after_s = 1) {
  auto c = std::make_shared<Certificate>();
  c->names = std::move(names);
  c->kind = kind;
  c->not_after_s = not_after_s;
  return c;
}

const Certificate* of_kind(const Identity* identity, KeyKind kind) {
  return identity ? identity->by_kind[static_cast<size_t>(kind)] : nullptr;
}

TEST(CertificateSets, FindExactThenOneLabelOfAWildcard) {
  auto exact = made({"www.example.com"}), wild = made({"*.example.com"}), other = made({"example.org"});
  CertificateSet set({other, exact, wild});
  auto found = [&set](const char* name) { return of_kind(set.find(name), KeyKind::ecdsa); };
  EXPECT_EQ(found("www.example.com"), exact.get());
  EXPECT_EQ(found("WWW.Example.COM."), exact.get());
  EXPECT_EQ(found("api.example.com"), wild.get());
  for (const char* name : {"", ".", "example.com", "a.b.example.com", ".example.com", "com", "www.example.com.."})
    EXPECT_EQ(found(name), nullptr) << name;
  EXPECT_EQ(set.find(std::string(300, 'a')), nullptr);
  EXPECT_EQ(of_kind(&set.fallback(), KeyKind::ecdsa), other.get());
}

TEST(CertificateSets, KeepOneAKindAndTheOneThatLastsLongest) {
  auto old = made({"a.test"}, KeyKind::rsa, 10), late = made({"a.test"}, KeyKind::rsa, 30);
  auto middle = made({"a.test"}, KeyKind::rsa, 20), curve = made({"a.test"}, KeyKind::ecdsa, 5);
  CertificateSet set({old, late, middle, curve});
  EXPECT_EQ(of_kind(set.find("a.test"), KeyKind::rsa), late.get());
  EXPECT_EQ(of_kind(set.find("a.test"), KeyKind::ecdsa), curve.get());
  EXPECT_EQ(of_kind(&set.fallback(), KeyKind::ecdsa), curve.get());
}

}  // namespace
}  // namespace portolan::crypto
