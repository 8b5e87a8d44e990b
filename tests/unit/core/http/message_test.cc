#include "core/http/message.hh"

#include <gtest/gtest.h>

#include <array>

namespace portolan::http {
namespace {

const std::array<const char*, 56> names = {"Accept",
                                           "Accept-Encoding",
                                           "Accept-Ranges",
                                           "Age",
                                           "Allow",
                                           "Authorization",
                                           "Cache-Control",
                                           "Cache-Status",
                                           "CDN-Cache-Control",
                                           "Connection",
                                           "Content-Encoding",
                                           "Content-Language",
                                           "Content-Length",
                                           "Content-Location",
                                           "Content-Range",
                                           "Content-Type",
                                           "Cookie",
                                           "Date",
                                           "ETag",
                                           "Expect",
                                           "Expires",
                                           "Forwarded",
                                           "Host",
                                           "If-Match",
                                           "If-Modified-Since",
                                           "If-None-Match",
                                           "If-Range",
                                           "If-Unmodified-Since",
                                           "Keep-Alive",
                                           "Last-Modified",
                                           "Location",
                                           "Max-Forwards",
                                           "Origin",
                                           "Pragma",
                                           "Proxy-Authenticate",
                                           "Proxy-Authentication-Info",
                                           "Proxy-Authorization",
                                           "Proxy-Connection",
                                           "Range",
                                           "Referer",
                                           "Retry-After",
                                           "Server",
                                           "Set-Cookie",
                                           "TE",
                                           "Trailer",
                                           "Transfer-Encoding",
                                           "Upgrade",
                                           "User-Agent",
                                           "Vary",
                                           "Via",
                                           "Warning",
                                           "X-Forwarded-For",
                                           "X-Forwarded-Host",
                                           "X-Forwarded-Port",
                                           "X-Forwarded-Proto",
                                           "X-Real-IP"};

TEST(FieldIdTest, KnowsEveryNameInEveryCase) {
  for (size_t i = 0; i < names.size(); ++i) {
    std::string name = names[i];
    auto id = static_cast<FieldId>(i + 1);
    EXPECT_EQ(field_id(name), id) << name;
    for (char& c : name) c = static_cast<char>(toupper(c));
    EXPECT_EQ(field_id(name), id) << name;
    for (char& c : name) c = static_cast<char>(tolower(c));
    EXPECT_EQ(field_id(name), id) << name;
  }
  EXPECT_EQ(field_id("x-real-ip"), FieldId::x_real_ip);
}

TEST(FieldIdTest, NearMissesAreOther) {
  for (const char* base : names) {
    std::string name = base;
    EXPECT_EQ(field_id(name + "x"), FieldId::other);
    for (size_t i = 0; i < name.size(); ++i) {
      std::string changed = name;
      changed[i] = '~';
      EXPECT_EQ(field_id(changed), FieldId::other) << changed;
    }
  }
  EXPECT_EQ(field_id(""), FieldId::other);
  EXPECT_EQ(field_id("x"), FieldId::other);
  EXPECT_EQ(field_id(std::string(300, 'a')), FieldId::other);
  EXPECT_EQ(field_id("content_length"), FieldId::other);
}

TEST(FieldsTest, FindsCountsJoinsAndRemoves) {
  Fields f;
  f.add("Via", "1.1 a");
  f.add("X-Mine", "1");
  f.add("via", "1.0 b");
  EXPECT_EQ(f.find(FieldId::via), "1.1 a");
  EXPECT_EQ(f.find("VIA"), "1.1 a");
  EXPECT_EQ(f.find("x-mine"), "1");
  EXPECT_FALSE(f.find(FieldId::age));
  EXPECT_FALSE(f.find("age"));
  EXPECT_EQ(f.count(FieldId::via), 2u);
  EXPECT_EQ(f.joined(FieldId::via), "1.1 a, 1.0 b");
  EXPECT_FALSE(f.joined(FieldId::age));
  f.remove(FieldId::via);
  EXPECT_FALSE(f.has(FieldId::via));
  EXPECT_EQ(f.size(), 1u);
  f.remove("x-MINE");
  EXPECT_EQ(f.size(), 0u);
}

TEST(EqualIgnoringCase, IsAsciiOnly) {
  EXPECT_TRUE(equal_ignoring_case("HoSt", "hOsT"));
  EXPECT_FALSE(equal_ignoring_case("host", "hos"));
  EXPECT_FALSE(equal_ignoring_case("[", "{"));
  EXPECT_FALSE(equal_ignoring_case("\xc4", "\xe4"));
}

TEST(MethodTest, TokensAreCaseSensitive) {
  EXPECT_EQ(method_of("GET"), Method::get);
  EXPECT_EQ(method_of("DELETE"), Method::delete_);
  EXPECT_EQ(method_of("PATCH"), Method::patch);
  EXPECT_EQ(method_of("get"), Method::other);
  EXPECT_EQ(method_of("PROPFIND"), Method::other);
  EXPECT_TRUE(is_safe(Method::head));
  EXPECT_FALSE(is_safe(Method::put));
  EXPECT_TRUE(is_idempotent(Method::put));
  EXPECT_TRUE(is_idempotent(Method::get));
  EXPECT_FALSE(is_idempotent(Method::post));
  EXPECT_FALSE(is_idempotent(Method::other));
}

TEST(ReasonTest, KnownAndUnknown) {
  EXPECT_EQ(reason_phrase(200), "OK");
  EXPECT_EQ(reason_phrase(431), "Request Header Fields Too Large");
  EXPECT_EQ(reason_phrase(299), "");
  EXPECT_EQ(reason_phrase(-1), "");
  EXPECT_EQ(reason_phrase(999), "");
}

}  // namespace
}  // namespace portolan::http
