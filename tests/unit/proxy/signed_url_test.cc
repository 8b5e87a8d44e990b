#include "proxy/admit/signed_url.hh"

#include <gmock/gmock.h>

#include "proxy/cache_bypass.hh"

namespace portolan::proxy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using enum SignatureVerdict;

constexpr int64_t now_s = 1'764'200'000;
const std::string secret = "0123456789abcdef0123456789abcdef";

const UrlKeys& keys() {
  static const auto read = [] {
    std::vector<std::string> errors;
    auto parsed = UrlKeys::parse("# ours\n\nk1:" + secret + "\nold_0:" + secret + "older\n", "keys", errors);
    EXPECT_THAT(errors, ElementsAre());
    return parsed;
  }();
  return *read;
}

struct Asked {
  std::string host = "media.example.com", path, query;
  std::string from = "192.0.2.7";
  int64_t at_s = now_s;
};

SignatureVerdict check(const Asked& a, std::string* rest = nullptr) {
  std::optional<Text> left;
  auto verdict = check_signature(keys(), a.host, a.path, a.query, *IpAddress::parse(a.from), a.at_s, left);
  if (rest) *rest = left ? std::string(*left) : "none";
  return verdict;
}

// By `printf … | openssl dgst -sha256 -hmac SECRET -binary | basenc --base64url`.
TEST(SignedUrls, AreWhatOpensslMakesOfTheText) {
  const UrlKeys::Key& key = keys().newest();
  SignedUrl below{"media.example.com", "/videos/1.mp4", "t=5", now_s, "/videos/", ""};
  EXPECT_EQ(signed_text("k1", below), "portolan-url-1\nk1\nmedia.example.com\n1764200000\n\n/videos/\n\n");
  EXPECT_EQ(
      sign(key, below),
      "t=5&sig-key=k1&sig-expires=1764200000&sig-prefix=/videos/&sig=EWF2DcJZM_DjCDMBPW61c1LZlLm6C1fmkxnPaIc-TYY");
  SignedUrl one{"media.example.com", "/a/b", "x=1", now_s, "", "192.0.2.0/24"};
  EXPECT_EQ(
      sign(key, one),
      "x=1&sig-key=k1&sig-expires=1764200000&sig-client=192.0.2.0/24&sig=9wkLP1LbtuQNDvieR5MBb-h2pZBLwiBKdRqHngJHuuQ");
}

TEST(SignedUrls, OpenTheirPathWithItsQueryUntilTheyExpire) {
  SignedUrl url{"media.example.com", "/a", "x=1&y", now_s + 10, "", ""};
  std::string query = sign(keys().newest(), url), rest;
  EXPECT_EQ(check({.path = "/a", .query = query}, &rest), good);
  EXPECT_EQ(rest, "x=1&y");
  EXPECT_EQ(check({.path = "/a", .query = query, .at_s = now_s + 10}), good);
  EXPECT_EQ(check({.path = "/a", .query = query, .at_s = now_s + 11}), expired);
  EXPECT_EQ(check({.path = "/b", .query = query}), bad);
  EXPECT_EQ(check({.path = "/a/", .query = query}), bad);
  EXPECT_EQ(check({.host = "other.example.com", .path = "/a", .query = query}), bad);
  EXPECT_EQ(check({.path = "/a", .query = "x=2" + query.substr(3)}), bad);
  EXPECT_EQ(check({.path = "/a", .query = query + "&z=1"}), bad) << "the query is signed";
  EXPECT_EQ(check({.path = "/a", .query = ""}), bad);
  SignedUrl bare{"media.example.com", "/a", "", now_s, "", ""};
  EXPECT_EQ(check({.path = "/a", .query = sign(keys().newest(), bare)}, &rest), good);
  EXPECT_EQ(rest, "none");
}

// One byte that changes, or is missing, anywhere: no way in.
TEST(SignedUrls, NoByteOfThemCanBeChanged) {
  SignedUrl url{"media.example.com", "/v/1", "", now_s, "/v/", "192.0.2.0/24"};
  const std::string query = sign(keys().newest(), url);
  ASSERT_EQ(check({.path = "/v/1", .query = query}), good);
  for (size_t i = 0; i < query.size(); ++i) {
    std::string less = query, other = query;
    less.erase(i, 1);
    other[i] = other[i] == 'A' ? 'B' : 'A';
    EXPECT_EQ(check({.path = "/v/1", .query = less}), bad) << less;
    EXPECT_EQ(check({.path = "/v/1", .query = other}), bad) << other;
  }
}

TEST(SignedUrls, OfAPrefixOpenWhatIsBelowItWhateverTheQuery) {
  SignedUrl url{"media.example.com", "/v/", "", now_s, "/v/", ""};
  std::string query = sign(keys().newest(), url), rest;
  EXPECT_EQ(check({.path = "/v/a/1.ts", .query = "t=1&" + query + "&u"}, &rest), good);
  EXPECT_EQ(rest, "t=1&u");
  EXPECT_EQ(check({.path = "/vv/1.ts", .query = query}), bad);
  EXPECT_EQ(check({.path = "/v", .query = query}), bad);
  std::string escaped = query;
  escaped.replace(escaped.find("/v/"), 3, "%2Fv%2f");
  EXPECT_EQ(check({.path = "/v/1.ts", .query = escaped}), good) << "as some clients write it";
  EXPECT_EQ(check({.path = "/v/1", .query = query + "&sig-prefix=/"}), bad);
  EXPECT_EQ(check({.path = "/v/1", .query = query + "&sig=x"}), bad);
}

TEST(SignedUrls, MayBeForOneNetworkAlone) {
  for (const char* network : {"192.0.2.0/24", "192.0.2.7"}) {
    SignedUrl url{"media.example.com", "/a", "", now_s, "", network};
    std::string query = sign(keys().newest(), url);
    EXPECT_EQ(check({.path = "/a", .query = query}), good) << network;
    EXPECT_EQ(check({.path = "/a", .query = query, .from = "198.51.100.1"}), bad);
    EXPECT_EQ(check({.path = "/a", .query = query, .from = "2001:db8::1"}), bad);
  }
  SignedUrl six{"media.example.com", "/a", "", now_s, "", "2001:db8::/32"};
  EXPECT_EQ(check({.path = "/a", .query = sign(keys().newest(), six), .from = "2001:db8::1"}), good);
}

TEST(SignedUrls, OfEveryKeyInTheFileOpen) {
  SignedUrl url{"media.example.com", "/a", "", now_s, "", ""};
  EXPECT_EQ(check({.path = "/a", .query = sign(*keys().find("old_0"), url)}), good);
  EXPECT_EQ(check({.path = "/a", .query = sign({"k2", secret}, url)}), bad) << "a key that went";
  EXPECT_EQ(check({.path = "/a", .query = sign({"k1", secret + "older"}, url)}), bad);
}

TEST(UrlKeysFile, MistakesSayFileAndLine) {
  std::vector<std::string> errors;
  UrlKeys::parse("k1\n:" + secret + "\nk 2:" + secret + "\nk3:short\nk4:" + secret + "\r\nk4:" + secret + "\n", "keys",
                 errors);
  EXPECT_THAT(errors,
              ElementsAre(HasSubstr("keys:1: a line must be id:secret"), HasSubstr("keys:2: a line must be"),
                          HasSubstr("keys:3: a line must be"), HasSubstr("keys:4: the secret of key \"k3\" must"),
                          HasSubstr("keys:6: key \"k4\" is there already")));
  errors.clear();
  UrlKeys::parse("# none\n", "keys", errors);
  EXPECT_THAT(errors, ElementsAre(HasSubstr("keys:1: there is no key in it")));
}

// ── cache_bypass ──

TEST(CacheBypass, IsAskedForByCookieHeaderOrParameterWithAValue) {
  CacheBypassConfig config;
  config.cookies = {"preview", "wp_*"};
  config.headers = {"x-preview", "x-debug-*"};
  config.query = {"nocache"};
  struct Row {
    const char *name, *value, *query;
    bool passes;
  };
  const Row rows[] = {
      {"Cookie", "a=1; preview=yes", "", true},
      {"Cookie", "a=1; wp_user=x", "", true},
      {"Cookie", "preview=0", "", false},
      {"Cookie", "preview=", "", false},
      {"Cookie", "preview", "", false},
      {"Cookie", "previews=1", "", false},
      {"X-Preview", "1", "", true},
      {"X-Preview", "0", "", false},
      {"x-preview", "", "", false},
      {"X-Debug-Level", "3", "", true},
      {"X-Other", "1", "", false},
      {"X-Other", "1", "a=b&nocache=1", true},
      {"X-Other", "1", "nocache=0&nocache", false},
      {"X-Other", "1", "xnocache=1", false},
  };
  for (const Row& row : rows) {
    http::RequestHead head;
    head.query = row.query;
    head.fields.add(row.name, row.value);
    EXPECT_EQ(bypasses_cache(config, head), row.passes) << row.name << ": " << row.value << " ?" << row.query;
  }
}

}  // namespace
}  // namespace portolan::proxy
