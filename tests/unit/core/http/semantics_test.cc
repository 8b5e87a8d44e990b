#include "core/http/semantics.hh"
#include "core/http/byte_ranges.hh"

#include <gtest/gtest.h>

namespace portolan::http {
namespace {

using std::nullopt;
using std::string;
using std::string_view;

std::vector<string> elements(string_view value) {
  std::vector<string> out;
  ListCursor cursor(value);
  for (string_view e; cursor.next(e);) out.emplace_back(e);
  return out;
}

TEST(Lists, ElementsAndQuotes) {
  using List = std::vector<string>;
  EXPECT_EQ(elements(""), List{});
  EXPECT_EQ(elements(" , ,\t"), List{});
  EXPECT_EQ(elements("a"), (List{"a"}));
  EXPECT_EQ(elements(" a ,b,, c d "), (List{"a", "b", "c d"}));
  EXPECT_EQ(elements("a=\"x,y\", b"), (List{"a=\"x,y\"", "b"}));
  EXPECT_EQ(elements("\"a\\\",b\",c"), (List{"\"a\\\",b\"", "c"}));
  EXPECT_EQ(elements("a, \"open, b"), (List{"a", "\"open, b"}));
  EXPECT_EQ(elements("\"a\\"), (List{"\"a\\"}));
  ListCursor semicolons("a; b=\";\"", ';');
  string_view e;
  ASSERT_TRUE(semicolons.next(e));
  ASSERT_TRUE(semicolons.next(e));
  EXPECT_EQ(e, "b=\";\"");
  EXPECT_FALSE(semicolons.next(e));
}

TEST(Lists, ParametersAndUnquote) {
  EXPECT_EQ(split_parameter("a").name, "a");
  EXPECT_FALSE(split_parameter("a").value);
  EXPECT_EQ(split_parameter("a = b").name, "a");
  EXPECT_EQ(split_parameter("a = b=c").value, "b=c");
  EXPECT_EQ(split_parameter("a=").value, "");
  EXPECT_EQ(unquote("abc"), "abc");
  EXPECT_EQ(unquote("\"a \\\"b\\\\\""), "a \"b\\");
  EXPECT_EQ(unquote("\"\""), "");
  for (const char* bad : {"", "\"", "\"a", "a\"", "\"a\"b", "a b", "\"a\\\""}) EXPECT_EQ(unquote(bad), nullopt) << bad;
  EXPECT_TRUE(list_has("a, Upgrade ,b", "upgrade"));
  EXPECT_FALSE(list_has("upgraded", "upgrade"));
}

string names(const Fields& fields) {
  string out;
  for (const Field& f : fields) out.append(f.name).append(" ");
  return out;
}

TEST(HopByHop, FixedOnesAndNamedOnesGo) {
  Fields f;
  for (const char* name : {"Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding",
                           "Upgrade", "Proxy-Authenticate", "Proxy-Authorization"}) {
    f.add(name, "x");
  }
  f.add("Host", "a");
  f.add("X-One", "1");
  f.add("connection", "x-one,X-TWO");
  f.add("x-two", "2");
  f.add("X-Three", "3");
  remove_hop_by_hop(f);
  EXPECT_EQ(names(f), "Host X-Three ");
}

TEST(HopByHop, NamingAKnownFieldDoesNotRemoveIt) {
  for (const char* name : {"Host", "Content-Length", "Authorization", "Cache-Control", "Cookie", "X-Forwarded-For",
                           "Content-Type", "Set-Cookie", "Via"}) {
    Fields f;
    f.add("Connection", name);
    f.add(name, "x");
    remove_hop_by_hop(f);
    EXPECT_EQ(names(f), string(name) + " ");
    EXPECT_FALSE(is_hop_by_hop(Field{name, "x", field_id(name)}, name));
  }
  EXPECT_TRUE(is_hop_by_hop(Field{"X-A", "x", FieldId::other}, "close, x-a"));
  EXPECT_FALSE(is_hop_by_hop(Field{"X-A", "x", FieldId::other}, "close"));
  EXPECT_TRUE(is_hop_by_hop(Field{"TE", "x", FieldId::te}, ""));
}

TEST(StructuredFields, StringsAreQuoted) {
  string out = "a;detail=";
  append_sf_string(out, "x \"y\" \\ \x01\xe4");
  EXPECT_EQ(out, "a;detail=\"x \\\"y\\\" \\\\ ??\"");
}

TEST(Dates, AllThreeForms) {
  constexpr int64_t t = 784111777;
  EXPECT_EQ(parse_date("Sun, 06 Nov 1994 08:49:37 GMT"), t);
  EXPECT_EQ(parse_date("Sunday, 06-Nov-94 08:49:37 GMT"), t);
  EXPECT_EQ(parse_date("Sun Nov  6 08:49:37 1994"), t);
  EXPECT_EQ(parse_date("Wed Nov 16 08:49:37 1994"), t + 10 * 86400);
  EXPECT_EQ(format_date(t), "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST(Dates, FormatAndParseAgree) {
  // Every 1000003 s from 1600 to 2500, so that all days, months, leap years and negative times
  // come.
  for (int64_t t = -11676096000; t < 16725225600; t += 1000003) {
    ASSERT_EQ(parse_date(format_date(t)), t) << format_date(t);
  }
  EXPECT_EQ(format_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(format_date(-1), "Wed, 31 Dec 1969 23:59:59 GMT");
  EXPECT_EQ(format_date(951782400), "Tue, 29 Feb 2000 00:00:00 GMT");
  EXPECT_EQ(format_date(4107542400), "Mon, 01 Mar 2100 00:00:00 GMT");
}

TEST(Dates, TwoDigitYears) {
  constexpr int64_t in_2026 = 1780000000;
  auto year = [](string_view text, int64_t now) { return format_date(*parse_date(text, now)).substr(12, 4); };
  EXPECT_EQ(year("Sunday, 06-Nov-94 08:49:37 GMT", in_2026), "1994");
  EXPECT_EQ(year("Sunday, 06-Nov-76 08:49:37 GMT", in_2026), "2076");
  EXPECT_EQ(year("Sunday, 06-Nov-77 08:49:37 GMT", in_2026), "1977");
  EXPECT_EQ(year("Sunday, 06-Nov-69 08:49:37 GMT", 0), "2069");
  EXPECT_EQ(year("Sunday, 06-Nov-70 08:49:37 GMT", 0), "1970");
}

TEST(Dates, BadOnesAreRefused) {
  for (const char* bad : {"",
                          "0",
                          "-1",
                          "Sun",
                          "Sun,",
                          "784111777",
                          "Sun, 06 Nov 1994 08:49:37",
                          "Sun, 06 Nov 1994 08:49:37 UTC",
                          "Sun, 06 Nov 1994 08:49:37 GMT ",
                          "Sun, 6 Nov 1994 08:49:37 GMT",
                          "Sun, 00 Nov 1994 08:49:37 GMT",
                          "Sun, 31 Nov 1994 08:49:37 GMT",
                          "Sun, 29 Feb 1900 08:49:37 GMT",
                          "Sun, 29 Feb 2023 08:49:37 GMT",
                          "Sun, 06 Nov 1994 24:49:37 GMT",
                          "Sun, 06 Nov 1994 08:60:37 GMT",
                          "Sun, 06 Nov 1994 08:49:61 GMT",
                          "Sun, 06 anF 1994 08:49:37 GMT",
                          "Xyz, 06 Nov 1994 08:49:37 GMT",
                          "Sun, 06 Nov 94 08:49:37 GMT",
                          "Sunday, 06-Nov-1994 08:49:37 GMT",
                          "Sun, 06-Nov-94 08:49:37 GMT",
                          "Sun Nov   6 08:49:37 1994",
                          "Sun Nov 06 08:49:37 94",
                          "Sun Nov  6 08:49:37 1994 GMT",
                          "Sun Nov"}) {
    EXPECT_EQ(parse_date(bad), nullopt) << bad;
  }
  EXPECT_TRUE(parse_date("Sat, 31 Dec 2016 23:59:60 GMT"));
  for (const char* any_case :
       {"SUN, 06 nov 1994 08:49:37 gmt", "sunday, 06-NOV-94 08:49:37 Gmt", "sUN nOV  6 08:49:37 1994"})
    EXPECT_EQ(parse_date(any_case), 784111777) << any_case;  // RFC 9111 §4.2
}

TEST(CacheControl, Directives) {
  CacheDirectives d = parse_cache_control(
      "Max-Age=10, s-maxage=\"20\", must-revalidate, proxy-revalidate, public, immutable, "
      "must-understand, no-store, "
      "stale-while-revalidate=5, stale-if-error=6, only-if-cached, no-transform, min-fresh=7, "
      "max-stale=8, x=\"a,no-cache\"");
  EXPECT_EQ(d.max_age, 10u);
  EXPECT_EQ(d.s_maxage, 20u);
  EXPECT_EQ(d.stale_while_revalidate, 5u);
  EXPECT_EQ(d.stale_if_error, 6u);
  EXPECT_EQ(d.min_fresh, 7u);
  EXPECT_EQ(d.max_stale, 8u);
  EXPECT_TRUE(d.must_revalidate && d.proxy_revalidate && d.public_ && d.immutable && d.must_understand && d.no_store);
  EXPECT_TRUE(d.only_if_cached && d.no_transform);
  EXPECT_FALSE(d.no_cache || d.private_);
  CacheDirectives none = parse_cache_control("");
  EXPECT_FALSE(none.max_age || none.max_stale || none.no_store || none.public_);
}

TEST(CacheControl, NoCacheAndPrivateWithFields) {
  CacheDirectives d = parse_cache_control("no-cache=\"Set-Cookie, X-A\", private=X-B");
  EXPECT_FALSE(d.no_cache || d.private_);
  EXPECT_EQ(d.no_cache_fields, (std::vector<string>{"Set-Cookie", "X-A"}));
  EXPECT_EQ(d.private_fields, (std::vector<string>{"X-B"}));
  d = parse_cache_control("no-cache=\"a\", no-cache, private=\"\"");
  EXPECT_TRUE(d.no_cache);
  EXPECT_TRUE(d.private_);
  EXPECT_TRUE(parse_cache_control("private=\"open").private_);
  EXPECT_TRUE(parse_cache_control("no-cache=\"a b\"").no_cache);
}

TEST(CacheControl, TheMostRestrictiveCounts) {
  EXPECT_EQ(parse_cache_control("max-age=10, max-age=5, max-age=7").max_age, 5u);
  EXPECT_EQ(parse_cache_control("max-age=10, max-age=x").max_age, 0u);
  EXPECT_EQ(parse_cache_control("min-fresh=1, min-fresh=3, min-fresh=2").min_fresh, 3u);
  EXPECT_EQ(parse_cache_control("max-stale").max_stale, longest_delta_s);
  EXPECT_EQ(parse_cache_control("max-stale, max-stale=3").max_stale, 3u);
  EXPECT_EQ(parse_cache_control("max-stale=x").max_stale, 0u);
}

TEST(CacheControl, InvalidIsStaleAndLargeIsCut) {
  for (const char* bad : {"max-age", "max-age=", "max-age=-1", "max-age=1.5", "max-age= 1 0", "max-age=\"",
                          "max-age=+1", "max-age='1'", "max-age=0x1"}) {
    EXPECT_EQ(parse_cache_control(bad).max_age, 0u) << bad;
  }
  EXPECT_EQ(parse_cache_control("max-age=2147483648").max_age, longest_delta_s);
  EXPECT_EQ(parse_cache_control("max-age=99999999999999999999999999").max_age, longest_delta_s);
  EXPECT_EQ(parse_cache_control("max-age=2147483647").max_age, 2147483647u);
  EXPECT_EQ(parse_delta_seconds("007"), 7u);
  EXPECT_EQ(parse_delta_seconds(""), nullopt);
}

TEST(EntityTags, ParseAndCompare) {
  auto tag = parse_etag("W/\"a,b\"");
  ASSERT_TRUE(tag);
  EXPECT_TRUE(tag->weak);
  EXPECT_EQ(tag->opaque, "a,b");
  EXPECT_EQ(parse_etag("\"\"")->opaque, "");
  EXPECT_EQ(parse_etag("\"\\\"")->opaque, "\\");
  for (const char* bad :
       {"", "a", "\"", "\"a", "a\"", "w/\"a\"", "W/a", "W/", "\"a\" ", "\"a b\"", "\"a\"\"b\"", "*"}) {
    EXPECT_FALSE(parse_etag(bad)) << bad;
  }
  EntityTag strong{false, "1"}, weak{true, "1"}, other{false, "2"};
  EXPECT_TRUE(strong_match(strong, strong));
  EXPECT_FALSE(strong_match(strong, weak));
  EXPECT_FALSE(strong_match(weak, weak));
  EXPECT_FALSE(strong_match(strong, other));
  EXPECT_TRUE(weak_match(strong, weak));
  EXPECT_TRUE(weak_match(weak, weak));
  EXPECT_FALSE(weak_match(weak, other));
}

TEST(EntityTags, Lists) {
  EXPECT_TRUE(etag_list_matches("*", nullopt, true));
  EXPECT_TRUE(etag_list_matches(" * ", "\"a\"", false));
  EXPECT_FALSE(etag_list_matches("\"a\"", nullopt, false));
  EXPECT_TRUE(etag_list_matches("\"x\", \"a\"", "\"a\"", true));
  EXPECT_TRUE(etag_list_matches(",, \"x\" ,W/\"a\"", "\"a\"", false));
  EXPECT_FALSE(etag_list_matches("\"x\", W/\"a\"", "\"a\"", true));
  EXPECT_FALSE(etag_list_matches("\"a\"", "W/\"a\"", true));
  EXPECT_TRUE(etag_list_matches("\"x,\\\",\"a\"", "\"a\"", true));
  EXPECT_FALSE(etag_list_matches("\"x\" \"a\"", "\"a\"", true));
  EXPECT_FALSE(etag_list_matches("x, \"a\"", "\"a\"", true));
  EXPECT_FALSE(etag_list_matches("\"a\"", "a", true));
}

constexpr string_view early = "Sun, 06 Nov 1994 08:49:36 GMT", same = "Sun, 06 Nov 1994 08:49:37 GMT",
                      late = "Sun, 06 Nov 1994 08:49:38 GMT";
constexpr int64_t modified = 784111777;

Condition condition(std::vector<Field> list, Method method = Method::get, std::optional<string_view> etag = "\"a\"",
                    std::optional<int64_t> last_modified = modified) {
  Fields fields;
  for (Field& f : list) fields.add(f.name, f.value);
  return evaluate_conditions(fields, etag, last_modified, method);
}

TEST(Conditions, EachAlone) {
  EXPECT_EQ(condition({}), Condition::proceed);
  EXPECT_EQ(condition({{"If-Match", "\"a\""}}), Condition::proceed);
  EXPECT_EQ(condition({{"If-Match", "\"b\""}}), Condition::precondition_failed);
  EXPECT_EQ(condition({{"If-Match", "W/\"a\""}}), Condition::precondition_failed);
  EXPECT_EQ(condition({{"If-Match", "*"}}, Method::put), Condition::proceed);
  EXPECT_EQ(condition({{"If-Match", "\"b\""}, {"If-Match", "\"a\""}}), Condition::proceed);
  EXPECT_EQ(condition({{"If-Unmodified-Since", early}}), Condition::precondition_failed);
  EXPECT_EQ(condition({{"If-Unmodified-Since", same}}), Condition::proceed);
  EXPECT_EQ(condition({{"If-Unmodified-Since", "x"}}), Condition::proceed);
  EXPECT_EQ(condition({{"If-Unmodified-Since", early}}, Method::get, nullopt, nullopt), Condition::proceed);
  EXPECT_EQ(condition({{"If-None-Match", "W/\"a\""}}), Condition::not_modified);
  EXPECT_EQ(condition({{"If-None-Match", "\"a\""}}, Method::head), Condition::not_modified);
  EXPECT_EQ(condition({{"If-None-Match", "\"a\""}}, Method::put), Condition::precondition_failed);
  EXPECT_EQ(condition({{"If-None-Match", "*"}}, Method::put), Condition::precondition_failed);
  EXPECT_EQ(condition({{"If-None-Match", "\"b\""}}), Condition::proceed);
  EXPECT_EQ(condition({{"If-Modified-Since", same}}), Condition::not_modified);
  EXPECT_EQ(condition({{"If-Modified-Since", late}}), Condition::not_modified);
  EXPECT_EQ(condition({{"If-Modified-Since", early}}), Condition::proceed);
  EXPECT_EQ(condition({{"If-Modified-Since", same}}, Method::post), Condition::proceed);
  EXPECT_EQ(condition({{"If-Modified-Since", same}}, Method::get, "\"a\"", nullopt), Condition::proceed);
  EXPECT_EQ(condition({{"If-Modified-Since", late}, {"If-Modified-Since", late}}), Condition::proceed);
}

TEST(Conditions, InOrder) {
  EXPECT_EQ(condition({{"If-Match", "\"a\""}, {"If-Unmodified-Since", early}}), Condition::proceed);
  EXPECT_EQ(condition({{"If-None-Match", "\"b\""}, {"If-Modified-Since", late}}), Condition::proceed);
  EXPECT_EQ(condition({{"If-None-Match", "\"a\""}, {"If-Modified-Since", early}}), Condition::not_modified);
  EXPECT_EQ(condition({{"If-None-Match", "\"a\""}, {"If-Match", "\"b\""}}), Condition::precondition_failed);
  EXPECT_EQ(condition({{"If-None-Match", "\"a\""}, {"If-Match", "\"a\""}}), Condition::not_modified);
  EXPECT_EQ(condition({{"If-Modified-Since", same}, {"If-Unmodified-Since", same}}), Condition::not_modified);
}

string ranges(string_view value, uint64_t size, size_t most = 16) {
  RangeSet set = parse_range(value, size, most);
  if (set.kind == RangeKind::ignore) return "ignore";
  if (set.kind == RangeKind::unsatisfiable) return "unsatisfiable";
  string out;
  for (const ByteRange& r : set.ranges) out += std::to_string(r.first) + "-" + std::to_string(r.last()) + " ";
  return out;
}

TEST(Ranges, Forms) {
  EXPECT_EQ(ranges("bytes=0-4", 10), "0-4 ");
  EXPECT_EQ(ranges("BYTES=0-0", 10), "0-0 ");
  EXPECT_EQ(ranges("bytes=5-", 10), "5-9 ");
  EXPECT_EQ(ranges("bytes=-3", 10), "7-9 ");
  EXPECT_EQ(ranges("bytes=-30", 10), "0-9 ");
  EXPECT_EQ(ranges("bytes=8-99999999999999999999999", 10), "8-9 ");
  EXPECT_EQ(ranges("bytes=0-18446744073709551615", 10), "0-9 ");
  EXPECT_EQ(ranges("bytes=-99999999999999999999999", 10), "0-9 ");
  EXPECT_EQ(ranges("bytes= 0-1 , 4-5,,9-", 10), "0-1 4-5 9-9 ");
  EXPECT_EQ(ranges("bytes=6-7,0-1", 10), "6-7 0-1 ");
  EXPECT_EQ(ranges("bytes=0-1,20-30", 10), "0-1 ");
}

TEST(Ranges, Unsatisfiable) {
  for (const char* value :
       {"bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999999-", "bytes=10-,20-"}) {
    EXPECT_EQ(ranges(value, 10), "unsatisfiable") << value;
  }
  EXPECT_EQ(ranges("bytes=0-", 0), "unsatisfiable");
  EXPECT_EQ(ranges("bytes=-5", 0), "unsatisfiable");
}

TEST(Ranges, Ignored) {
  for (const char* value : {"",
                            "bytes",
                            "bytes=",
                            "bytes=,",
                            "items=0-1",
                            "bytes 0-1",
                            "bytes=-",
                            "bytes=1",
                            "bytes=a-b",
                            "bytes=4-2",
                            "bytes=0-1-2",
                            "bytes=+0-1",
                            "bytes=0 -1",
                            "bytes=0- 1",
                            "bytes=0-1;2-3",
                            "bytes=--1",
                            "bytes=0x0-1",
                            "bytes=0-5,5-6",
                            "bytes=0-,0-",
                            "bytes=0-1,x"}) {
    EXPECT_EQ(ranges(value, 10), "ignore") << value;
  }
  EXPECT_EQ(ranges("bytes=0-0,2-2,4-4", 10, 2), "ignore");
  EXPECT_EQ(ranges("bytes=0-0,2-2,4-4", 10, 3), "0-0 2-2 4-4 ");
  EXPECT_EQ(content_range({2, 3}, 10), "bytes 2-4/10");
}

TEST(Ranges, ManySmallOnesInNoOrderAreIgnored) {
  EXPECT_EQ(ranges("bytes=8-8,0-0,4-4", 10), "ignore");
  EXPECT_EQ(ranges("bytes=8-8,0-0", 10), "8-8 0-0 ");
  EXPECT_EQ(ranges("bytes=0-0,4-4,8-8", 10), "0-0 4-4 8-8 ");
  EXPECT_EQ(ranges("bytes=20000-29999,0-9999,10000-19999", 50'000), "20000-29999 0-9999 10000-19999 ");
}

string first(string_view value) {
  auto spec = first_range(value);
  if (!spec) return "none";
  return (spec->first ? std::to_string(*spec->first) : "") + "-" + (spec->last ? std::to_string(*spec->last) : "");
}

TEST(Ranges, TheFirstOneBeforeTheSizeIsKnown) {
  EXPECT_EQ(first("bytes=7-9,1-2"), "7-9");
  EXPECT_EQ(first("bytes=7-"), "7-");
  EXPECT_EQ(first("bytes= -9"), "-9");
  for (const char* value : {"", "bytes=", "bytes=x", "lines=1-2", "bytes=-", "bytes=5-4"})
    EXPECT_EQ(first(value), "none") << value;
}

string said(string_view value) {
  auto range = parse_content_range(value);
  if (!range) return "malformed";
  return std::to_string(range->range.first) + "+" + std::to_string(range->range.length) + " of " +
         (range->size ? std::to_string(*range->size) : "?");
}

TEST(Ranges, ContentRange) {
  EXPECT_EQ(said("bytes 2-4/10"), "2+3 of 10");
  EXPECT_EQ(said("Bytes 0-0/1"), "0+1 of 1");
  EXPECT_EQ(said("bytes 2-4/*"), "2+3 of ?");
  EXPECT_EQ(said("bytes */10"), "0+0 of 10");
  for (const char* value :
       {"", "bytes", "bytes ", "bytes */*", "bytes 4-2/10", "bytes 5-10/10", "bytes 0-4", "bytes 0-4/", "bytes 0-4/10 ",
        "bytes 0-4/10,", "bytes -4/10", "bytes 0-/10", "bytes=0-4/10", "items 0-4/10", "bytes 0-4/99999999999999999999",
        "bytes 0-18446744073709551615/*", "bytes +0-4/10", "bytes 0 -4/10", "bytes  0-4/10"})
    EXPECT_EQ(said(value), "malformed") << value;
}

TEST(Ranges, OfARequest) {
  auto asked = [](std::initializer_list<std::pair<const char*, const char*>> fields, Method method = Method::get) {
    Fields request;
    for (auto& [name, value] : fields) request.add(name, value);
    return asked_ranges(request, method, 10, "\"a\"", nullopt, nullopt).ranges.size();
  };
  EXPECT_EQ(asked({{"Range", "bytes=0-1"}}), 1u);
  EXPECT_EQ(asked({{"Range", "bytes=0-1"}}, Method::head), 0u);
  EXPECT_EQ(asked({{"Range", "bytes=0-1"}, {"Range", "bytes=4-5"}}), 0u);
  EXPECT_EQ(asked({{"Range", "bytes=0-1"}, {"If-Range", "\"a\""}}), 1u);
  EXPECT_EQ(asked({{"Range", "bytes=0-1"}, {"If-Range", "\"b\""}}), 0u);
}

TEST(Ranges, SeveralInOneBody) {
  ByteRanges body({{0, 2}, {8, 2}}, 10, "text/plain", 0xabc);
  EXPECT_EQ(body.content_type(), "multipart/byteranges; boundary=0000000000000abc");
  EXPECT_EQ(body.head(1), "\r\n--0000000000000abc\r\nContent-Type: text/plain\r\nContent-Range: bytes 8-9/10\r\n\r\n");
  EXPECT_EQ(body.tail(), "\r\n--0000000000000abc--\r\n");
  EXPECT_EQ(body.length(), body.head(0).size() + 2 + body.head(1).size() + 2 + body.tail().size());
}

TEST(Ranges, IfRange) {
  EXPECT_TRUE(if_range_matches("\"a\"", "\"a\"", nullopt, nullopt));
  EXPECT_FALSE(if_range_matches("\"a\"", "\"b\"", modified, modified + 9));
  EXPECT_FALSE(if_range_matches("W/\"a\"", "W/\"a\"", nullopt, nullopt));
  EXPECT_FALSE(if_range_matches("\"a\"", nullopt, nullopt, nullopt));
  EXPECT_TRUE(if_range_matches(same, nullopt, modified, modified + 1));
  EXPECT_FALSE(if_range_matches(same, nullopt, modified, modified));
  EXPECT_FALSE(if_range_matches(same, nullopt, modified, nullopt));
  EXPECT_FALSE(if_range_matches(late, nullopt, modified, modified + 9));
  EXPECT_FALSE(if_range_matches(same, nullopt, nullopt, modified + 9));
  EXPECT_FALSE(if_range_matches("x", "\"x\"", modified, modified + 9));
}

TEST(Paths, Decode) {
  EXPECT_EQ(percent_decode("a%20b%C3%a4+"), "a b\xc3\xa4+");
  for (const char* bad : {"%", "%2", "a%g0", "%0g"}) EXPECT_EQ(percent_decode(bad), nullopt) << bad;
  EXPECT_EQ(decode_path("/"), "/");
  EXPECT_EQ(decode_path("/a/b.txt"), "/a/b.txt");
  EXPECT_EQ(decode_path("/a/"), "/a/");
  EXPECT_EQ(decode_path("//a///b//"), "/a/b/");
  EXPECT_EQ(decode_path("/./a/./b/."), "/a/b/");
  EXPECT_EQ(decode_path("/."), "/");
  EXPECT_EQ(decode_path("/%2e/a"), "/a");
  EXPECT_EQ(decode_path("/..a/a../..."), "/..a/a../...");
  EXPECT_EQ(decode_path("/a%20b%c3%a4"), "/a b\xc3\xa4");
  EXPECT_EQ(decode_path("/%252f"), "/%2f");
  for (const char* bad : {"", "a", "*", "/..", "/../a", "/a/..", "/a/../b", "/%2e%2e/a", "/.%2E", "/a%2fb", "/a%2Fb",
                          "/a%5cb", "/a\\b", "/a%00", "/a%0a", "/a%7f", "/a%1f", "/%", "/%zz"}) {
    EXPECT_EQ(decode_path(bad), nullopt) << bad;
  }
}

TEST(Paths, ContentTypes) {
  EXPECT_EQ(content_type_of("/a/b.HTML"), "text/html; charset=utf-8");
  EXPECT_EQ(content_type_of("x.tar.gz"), "application/gzip");
  EXPECT_EQ(content_type_of("x.webmanifest"), "application/manifest+json");
  EXPECT_EQ(content_type_of("x.7z"), "application/x-7z-compressed");
  EXPECT_EQ(content_type_of("x.zst"), "application/zstd");
  for (const char* other : {"", "x", "x.", "x.zzz", "a.html/b", "x.averyveryverylongextension"}) {
    EXPECT_EQ(content_type_of(other), "application/octet-stream") << other;
  }
}

}  // namespace
}  // namespace portolan::http
