// Allow and deny, users files, and what Authorization says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/access_log.hh"
#include "proxy/admit/access.hh"
#include "proxy/admit/users.hh"

namespace portolan::proxy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string alice = "$2y$05$mVD9jVG.cJLHQUAe7B58EO/ZADvoDbN5gPcvDn/r35MVLNqmsHaga";
const std::string bob =
    "$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG.";

std::shared_ptr<const geo::Table> world() {
  geo::Table::Builder builder;
  geo::Location germany, france;
  germany.country = {'D', 'E'};
  france.country = {'F', 'R'};
  EXPECT_TRUE(builder.insert(*IpNetwork::parse("192.0.2.0/24"), germany));
  EXPECT_TRUE(builder.insert(*IpNetwork::parse("198.51.100.0/24"), france));
  return builder.finish();
}

AccessList list(const std::vector<std::string>& entries) {
  std::vector<AccessEntry> out;
  for (const std::string& e : entries) {
    AccessEntry entry;
    if (e.starts_with("country:")) {
      entry.country = e.substr(8);
    } else {
      entry.network = *IpNetwork::parse(e);
    }
    out.push_back(entry);
  }
  return AccessList(out);
}

TEST(AccessRules, DenyWinsAndAllowIsForThoseOnIt) {
  auto geo = world();
  auto passes = [&](const AccessRules& rules, const char* address) {
    ClientCountry country;
    return rules.pass(*IpAddress::parse(address), country, geo.get());
  };
  AccessRules none{};
  EXPECT_TRUE(none.empty());
  EXPECT_TRUE(passes(none, "203.0.113.1"));

  AccessRules networks{list({"10.0.0.0/8", "2001:db8::/32"}), list({"10.9.0.0/16"})};
  EXPECT_TRUE(passes(networks, "10.1.2.3"));
  EXPECT_TRUE(passes(networks, "2001:db8:1::1"));
  EXPECT_FALSE(passes(networks, "10.9.2.3")) << "denied within what is allowed";
  EXPECT_FALSE(passes(networks, "203.0.113.1")) << "not on the list";

  AccessRules denied{{}, list({"203.0.113.0/24", "country:FR"})};
  EXPECT_TRUE(passes(denied, "192.0.2.1"));
  EXPECT_FALSE(passes(denied, "203.0.113.9"));
  EXPECT_FALSE(passes(denied, "198.51.100.1"));
  EXPECT_TRUE(passes(denied, "10.0.0.1")) << "of no known country, so of none that is denied";

  AccessRules germans{list({"country:DE", "country:AT", "10.0.0.0/8"}), {}};
  EXPECT_TRUE(passes(germans, "192.0.2.1"));
  EXPECT_TRUE(passes(germans, "10.0.0.1"));
  EXPECT_FALSE(passes(germans, "198.51.100.1"));
  EXPECT_FALSE(passes(germans, "203.0.113.1")) << "of no known country";
}

TEST(UsersFile, IsReadAsHtpasswdWritesIt) {
  std::vector<std::string> errors;
  auto users = Users::parse("# staff\n\nalice:" + alice + "\r\nbob:" + bob + ":Robert, since 2020\nb\xc3\xa4r:" + alice,
                            "users", errors);
  EXPECT_THAT(errors, ElementsAre());
  ASSERT_EQ(users->size(), 3u);
  EXPECT_EQ(*users->find("alice"), alice);
  EXPECT_EQ(*users->find("bob"), bob);
  EXPECT_TRUE(users->find("b\xc3\xa4r"));
  EXPECT_FALSE(users->find("Alice"));
  EXPECT_FALSE(users->find(""));
  EXPECT_TRUE(users->decoy("mallory") == alice || users->decoy("mallory") == bob);
  EXPECT_EQ(users->decoy("mallory"), users->decoy("mallory"));
}

TEST(UsersFile, TellsEveryMistakeByFileAndLine) {
  std::vector<std::string> errors;
  Users::parse("alice:" + alice + "\nnobody\n:" + alice + "\nalice:" + bob +
                   "\ncarol:$apr1$JrPzyTyv$MH9sae4zWrnsdBtBSPMzc.\ndave:secret\n" + std::string(256, 'x') + ":" + bob +
                   "\nx\ty:" + bob + "\n",
               "/etc/users", errors);
  EXPECT_THAT(
      errors,
      ElementsAre("/etc/users:2: a line must be name:hash", "/etc/users:3: a line must be name:hash",
                  "/etc/users:4: user \"alice\" stands at /etc/users:1 already",
                  "/etc/users:5: user \"carol\": MD5 hashes are too weak to be taken; make one with `htpasswd "
                  "-B` or `openssl passwd -6`",
                  "/etc/users:6: user \"dave\": a plain password or DES hash is not taken; make one with "
                  "`htpasswd -B` or `openssl passwd -6`",
                  "/etc/users:7: a name may have 255 bytes", "/etc/users:8: a name must not have control characters"));
  errors.clear();
  Users::parse("# nobody yet\n", "/etc/users", errors);
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_THAT(errors[0], HasSubstr("/etc/users:1: there is nobody in it"));
}

TEST(UsersFile, EachReadingHasANumberOfItsOwn) {
  std::vector<std::string> errors;
  EXPECT_NE(Users::parse("a:" + alice, "f", errors)->id(), Users::parse("a:" + alice, "f", errors)->id());
}

TEST(BasicCredentials, AreReadStrictly) {
  struct Case {
    const char* value;
    Credentials::Read outcome;
    std::string user, password;
  };
  using enum Credentials::Read;
  for (const Case& c : {
           Case{"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", ok, "Aladdin", "open sesame"},  // RFC 7617 §2
           Case{"basic dGVzdDoxMjPCow==", ok, "test", "123\xc2\xa3"},                 // RFC 7617 §2.1
           Case{"BASIC   YTpi", ok, "a", "b"},
           Case{"Basic YTo=", ok, "a", ""},
           Case{"Basic Og==", ok, "", ""},
           Case{"Basic YTpiOmM=", ok, "a", "b:c"},
           Case{"", none, "", ""},
           Case{"Bearer abc", none, "", ""},
           Case{"Basics YTpi", none, "", ""},
           Case{"Basic", malformed, "", ""},
           Case{"Basic ", malformed, "", ""},
           Case{"Basic YTpi YTpi", malformed, "", ""},
           Case{"Basic YTpi=", malformed, "", ""},
           Case{"Basic YTp", malformed, "", ""},
           Case{"Basic YTo", malformed, "", ""},   // no padding
           Case{"Basic YTp=", malformed, "", ""},  // bits left over
           Case{"Basic Y===", malformed, "", ""},
           Case{"Basic ====", malformed, "", ""},
           Case{"Basic YWI=", malformed, "", ""},  // no colon
           Case{"Basic YTpi\n", malformed, "", ""},
           Case{"Basic YQA6Yg==", malformed, "", ""},  // a zero byte
           Case{"Basic YTpiCg==", malformed, "", ""},  // a newline
           Case{"Basic YT-_", malformed, "", ""},      // another alphabet
       }) {
    Credentials got;
    EXPECT_EQ(got.read(c.value), c.outcome) << c.value;
    if (c.outcome != ok) continue;
    EXPECT_EQ(got.user(), c.user) << c.value;
    EXPECT_EQ(got.password(), c.password) << c.value;
  }
  // 255 bytes of each and no more; "YWFh" is "aaa".
  auto times = [](size_t n) {
    std::string out;
    while (n-- > 0) out += "YWFh";
    return out;
  };
  Credentials longest;
  EXPECT_EQ(longest.read("Basic " + times(85) + "OmFh" + times(84) + "YQ=="), ok);
  EXPECT_EQ(longest.user().size(), 255u);
  EXPECT_EQ(longest.password(), std::string(255, 'a'));
  for (const std::string& too_long : {times(85) + "YTph" + times(80), "YTph" + times(85),
                                      times(85) + "OmFh" + times(85), times(1000), times(100) + "Og=="}) {
    Credentials got;
    EXPECT_EQ(got.read("Basic " + too_long), malformed) << too_long;
  }
}

TEST(BasicCredentials, AreLoggedWithTheRequest) {
  LogEntry entry;
  entry.user = "al\"ice";
  BlockWriter json, combined, nobody;
  write_log_line(json, entry, LogFormat::json);
  EXPECT_THAT(std::string(json.view()), HasSubstr(R"("user":"al\"ice")")) << json.view();
  write_log_line(combined, entry, LogFormat::combined);
  EXPECT_THAT(std::string(combined.view()), HasSubstr("- - al\\x22ice [")) << combined.view();
  entry.user = {};
  write_log_line(nobody, entry, LogFormat::combined);
  EXPECT_THAT(std::string(nobody.view()), HasSubstr("- - - [")) << nobody.view();
}

}  // namespace
}  // namespace portolan::proxy
