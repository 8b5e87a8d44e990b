#include <gtest/gtest.h>

#include "tests/unit/core/http/split.hh"

namespace portolan::http::test {
namespace {

using std::string;
using std::string_view;

Record checked(const string& bytes, const Limits& limits = {}) {
  Record whole, differs;
  auto run = [&](const std::vector<size_t>& cuts) { return run_request(bytes, cuts, limits); };
  EXPECT_TRUE(same_however_split(run, bytes.size(), 7, whole, differs))
      << bytes.substr(0, 400) << "\nwhole: " << whole.text << "\nsplit: " << differs.text;
  return whole;
}

string operator""_s(const char* text, size_t size) {
  return string(text, size);
}

struct Refused {
  const char* name;
  string bytes;
  int status;
};
std::ostream& operator<<(std::ostream& out, const Refused& r) {
  return out << r.name;
}

class RefusedRequest : public testing::TestWithParam<Refused> {};

TEST_P(RefusedRequest, HasItsStatusHoweverSplit) {
  Record r = checked(GetParam().bytes);
  EXPECT_EQ(r.status, GetParam().status) << r.text;
  EXPECT_STRNE(r.reason.c_str(), "");
}

string get(const string& fields) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}
string post(const string& fields, const string& body = "") {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + body;
}
string chunked(const string& body) {
  return post("Transfer-Encoding: chunked\r\n", body);
}
string line(const string& first) {
  return first + "\r\nHost: a\r\n\r\n";
}
string host(const string& value) {
  return "GET / HTTP/1.1\r\nHost: " + value + "\r\n\r\n";
}

auto name_of = [](const auto& info) { return string(info.param.name); };

INSTANTIATE_TEST_SUITE_P(
    StartLine, RefusedRequest,
    testing::Values(
        Refused{"NoVersion", "GET /\r\n\r\n", 400}, Refused{"LowerCaseVersion", line("GET / http/1.1"), 400},
        Refused{"Version09", line("GET / HTTP/0.9"), 505}, Refused{"Version12", line("GET / HTTP/1.2"), 505},
        Refused{"Version20", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        Refused{"Version30", line("GET / HTTP/3.0"), 505}, Refused{"VersionNoMinor", line("GET / HTTP/1"), 400},
        Refused{"VersionTwoDigits", line("GET / HTTP/1.10"), 400},
        Refused{"VersionLeadingZero", line("GET / HTTP/01.1"), 400},
        Refused{"OtherProtocol", line("GET / ICY/1.1"), 400}, Refused{"TwoSpacesFirst", line("GET  / HTTP/1.1"), 400},
        Refused{"TwoSpacesSecond", line("GET /  HTTP/1.1"), 400}, Refused{"TabFirst", line("GET\t/ HTTP/1.1"), 400},
        Refused{"TabSecond", line("GET /\tHTTP/1.1"), 400}, Refused{"SpaceAtEnd", line("GET / HTTP/1.1 "), 400},
        Refused{"SpaceBefore", line(" GET / HTTP/1.1"), 400}, Refused{"EmptyMethod", line(" / HTTP/1.1"), 400},
        Refused{"MethodNotToken", line("G@T / HTTP/1.1"), 400}, Refused{"MethodColon", line("GET: / HTTP/1.1"), 400},
        Refused{"LongMethod", line(string(33, 'A') + " / HTTP/1.1"), 501},
        Refused{"BareLf", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
        Refused{"BareCr", "GET / HTTP/1.1\rHost: a\r\n\r\n", 400},
        Refused{"TwoCr", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400},
        Refused{"TwoEmptyLinesBefore", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Refused{"LfBefore", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Refused{"CrBefore", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Refused{"TlsHello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"_s, 400}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Target, RefusedRequest,
    testing::Values(Refused{"Fragment", line("GET /a#b HTTP/1.1"), 400},
                    Refused{"Nul", line("GET /a\0b HTTP/1.1"_s), 400}, Refused{"Ctl", line("GET /a\x01 HTTP/1.1"), 400},
                    Refused{"Del", line("GET /a\x7f HTTP/1.1"), 400},
                    Refused{"EightBit", line("GET /\xc3\xa4 HTTP/1.1"), 400},
                    Refused{"NoSlash", line("GET a HTTP/1.1"), 400}, Refused{"QueryOnly", line("GET ?a HTTP/1.1"), 400},
                    Refused{"StarForGet", line("GET * HTTP/1.1"), 400},
                    Refused{"StarAndMore", line("OPTIONS */ HTTP/1.1"), 400},
                    Refused{"AuthorityForGet", line("GET a:80 HTTP/1.1"), 400},
                    Refused{"OriginForConnect", line("CONNECT / HTTP/1.1"), 400},
                    Refused{"ConnectWithoutPort", line("CONNECT a HTTP/1.1"), 400},
                    Refused{"ConnectEmptyPort", line("CONNECT a: HTTP/1.1"), 400},
                    Refused{"OtherScheme", line("GET ftp://a/ HTTP/1.1"), 400},
                    Refused{"EmptyAuthority", line("GET http:///x HTTP/1.1"), 400},
                    Refused{"Userinfo", line("GET http://u@a/ HTTP/1.1"), 400},
                    Refused{"AuthorityOther", line("GET http://b/ HTTP/1.1"), 400},
                    Refused{"AuthorityOtherPort", line("GET http://a:81/ HTTP/1.1"), 400},
                    Refused{"AuthorityDefaultPortOfOtherScheme", line("GET https://a:80/ HTTP/1.1"), 400},
                    Refused{"AbsoluteWithoutHost", "GET http://a/ HTTP/1.1\r\n\r\n", 400},
                    Refused{"TooLong", line("GET /" + string(8192, 'a') + " HTTP/1.1"), 414},
                    Refused{"TooLongUnfinished", "GET /" + string(8192, 'a'), 414}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Field, RefusedRequest,
    testing::Values(Refused{"NoColon", get("abc\r\n"), 400}, Refused{"EmptyName", get(": x\r\n"), 400},
                    Refused{"SpaceBeforeColon", get("A : x\r\n"), 400},
                    Refused{"TabBeforeColon", get("A\t: x\r\n"), 400}, Refused{"SpaceInName", get("A B: x\r\n"), 400},
                    Refused{"EightBitName", get("\xe4: x\r\n"), 400}, Refused{"NulInName", get("A\0: x\r\n"_s), 400},
                    Refused{"FoldSpace", get("A: x\r\n y\r\n"), 400}, Refused{"FoldTab", get("A: x\r\n\ty\r\n"), 400},
                    Refused{"FirstLineFolded", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
                    Refused{"NulInValue", get("A: x\0y\r\n"_s), 400}, Refused{"CrInValue", get("A: x\ry\r\n"), 400},
                    Refused{"CrBeforeCrLf", get("A: x\r\r\n"), 400}, Refused{"CtlInValue", get("A: x\x0by\r\n"), 400},
                    Refused{"DelInValue", get("A: x\x7fy\r\n"), 400},
                    Refused{"CtlInLongValue", get("A: 0123456789abcdef\x1b[0m\r\n"), 400},
                    Refused{"BareLf", get("A: x\nB: y\r\n"), 400},
                    Refused{"BareLfAtEnd", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
                    Refused{"TooMany", get([] {
                              string s;
                              for (int i = 0; i < 100; ++i) s += "A: x\r\n";
                              return s;
                            }()),
                            431},
                    Refused{"TooLarge", get("A: " + string(32768, 'x') + "\r\n"), 431},
                    Refused{"TooLargeUnfinished", "GET / HTTP/1.1\r\nA: " + string(32768, 'x'), 431}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    HostField, RefusedRequest,
    testing::Values(
        Refused{"None", "GET / HTTP/1.1\r\n\r\n", 400}, Refused{"Two", get("Host: a\r\n"), 400},
        Refused{"TwoIn10", "GET / HTTP/1.0\r\nHost: a\r\nhost: a\r\n\r\n", 400}, Refused{"Empty", host(""), 400},
        Refused{"EmptyIn10", "GET / HTTP/1.0\r\nHost:\r\n\r\n", 400}, Refused{"TwoFinalDots", host("a.."), 400},
        Refused{"EmptyLabel", host("a..b"), 400}, Refused{"FirstDot", host(".a"), 400},
        Refused{"OnlyADot", host("."), 400}, Refused{"Comma", host("a,b"), 400},
        Refused{"CommaList", host("a, a"), 400}, Refused{"User", host("u@a"), 400}, Refused{"Space", host("a b"), 400},
        Refused{"Slash", host("a/b"), 400}, Refused{"Query", host("a?b"), 400}, Refused{"Hash", host("a#b"), 400},
        Refused{"Backslash", host("a\\b"), 400}, Refused{"EightBit", host("\xe4"), 400},
        Refused{"PortText", host("a:b"), 400}, Refused{"PortSign", host("a:+80"), 400},
        Refused{"PortTooLarge", host("a:65536"), 400}, Refused{"PortHuge", host("a:" + string(40, '9')), 400},
        Refused{"TwoPorts", host("a:1:2"), 400}, Refused{"PortOnly", host(":80"), 400},
        Refused{"Ip6Bare", host("::1"), 400}, Refused{"Ip6Open", host("[::1"), 400},
        Refused{"Ip6Bad", host("[::g]"), 400}, Refused{"Ip6Empty", host("[]"), 400},
        Refused{"Ip6Zone", host("[fe80::1%25eth0]"), 400}, Refused{"Ip6Tail", host("[::1]a"), 400},
        Refused{"Ip6Long", host("[" + string(100, ':') + "]"), 400}, Refused{"IpFuture", host("[v1.a]"), 400},
        Refused{"BadEscape", host("a%2"), 400}, Refused{"BadEscapeHex", host("a%zz"), 400}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Framing, RefusedRequest,
    testing::Values(
        Refused{"LengthAndCoding", post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
        Refused{"CodingAndLength", post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n"), 400},
        Refused{"LengthAndUnknownCoding", post("Content-Length: 3\r\nTransfer-Encoding: x\r\n", "abc"), 400},
        Refused{"CodingIn10", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        Refused{"CodingTwice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
        Refused{"CodingTwoLines", post("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"), 400},
        Refused{"ChunkedTwice", post("Transfer-Encoding: chunked, chunked\r\n"), 400},
        Refused{"ChunkedNotLast", post("Transfer-Encoding: chunked, gzip\r\n"), 400},
        Refused{"CommaChunked", post("Transfer-Encoding: ,chunked\r\n"), 400},
        Refused{"ChunkedComma", post("Transfer-Encoding: chunked,\r\n"), 400},
        Refused{"CodingEmpty", post("Transfer-Encoding:\r\n"), 400},
        Refused{"ChunkedParameter", post("Transfer-Encoding: chunked;a=b\r\n"), 400},
        Refused{"ChunkedQuoted", post("Transfer-Encoding: \"chunked\"\r\n"), 400},
        Refused{"ChunkedSpace", post("Transfer-Encoding: chu nked\r\n"), 400},
        Refused{"ChunkedVerticalTab",
                post("Transfer-Encoding: \x0b"
                     "chunked\r\n"),
                400},
        Refused{"ChunkedNbsp",
                post("Transfer-Encoding: \xa0"
                     "chunked\r\n"),
                400},
        Refused{"Identity", post("Transfer-Encoding: identity\r\n"), 501},
        Refused{"Gzip", post("Transfer-Encoding: gzip\r\n"), 501},
        Refused{"GzipChunked", post("Transfer-Encoding: gzip, chunked\r\n"), 501},
        Refused{"Xchunked", post("Transfer-Encoding: xchunked\r\n"), 501},
        Refused{"LengthEmpty", post("Content-Length:\r\n"), 400},
        Refused{"LengthPlus", post("Content-Length: +3\r\n", "abc"), 400},
        Refused{"LengthMinus", post("Content-Length: -3\r\n", "abc"), 400},
        Refused{"LengthHex", post("Content-Length: 0x3\r\n", "abc"), 400},
        Refused{"LengthUnderscore", post("Content-Length: 1_0\r\n", "abc"), 400},
        Refused{"LengthSpace", post("Content-Length: 1 0\r\n", "abc"), 400},
        Refused{"LengthList", post("Content-Length: 3, 3\r\n", "abc"), 400},
        Refused{"LengthComma", post("Content-Length: 3,\r\n", "abc"), 400},
        Refused{"LengthFraction", post("Content-Length: 3.0\r\n", "abc"), 400},
        Refused{"LengthTwice", post("Content-Length: 3\r\nContent-Length: 4\r\n", "abc"), 400},
        Refused{"LengthTwiceSame", post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), 400},
        Refused{"LengthOverflow64", post("Content-Length: 18446744073709551619\r\n", "abc"), 400},
        Refused{"LengthOverflow63", post("Content-Length: 9223372036854775808\r\n", "abc"), 400},
        Refused{"LengthHuge", post("Content-Length: " + string(100, '9') + "\r\n", "abc"), 400}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Chunk, RefusedRequest,
    testing::Values(Refused{"LeadingSpace", chunked(" 1\r\na\r\n0\r\n\r\n"), 400},
                    Refused{"TrailingSpace", chunked("1 \r\na\r\n0\r\n\r\n"), 400},
                    Refused{"Prefix0x", chunked("0x1\r\na\r\n0\r\n\r\n"), 400},
                    Refused{"Plus", chunked("+1\r\na\r\n0\r\n\r\n"), 400},
                    Refused{"Minus", chunked("-1\r\na\r\n0\r\n\r\n"), 400},
                    Refused{"Underscore", chunked("1_0\r\na\r\n0\r\n\r\n"), 400},
                    Refused{"NoDigits", chunked("\r\na\r\n0\r\n\r\n"), 400},
                    Refused{"OnlyExtension", chunked(";a\r\na\r\n0\r\n\r\n"), 400},
                    Refused{"NotHex", chunked("g\r\n"), 400}, Refused{"SizeBareLf", chunked("1\na\r\n0\r\n\r\n"), 400},
                    Refused{"SizeBareCr", chunked("1\ra\r\n0\r\n\r\n"), 400},
                    Refused{"SeventeenDigits", chunked("00000000000000001\r\na\r\n0\r\n\r\n"), 400},
                    Refused{"Above63Bits", chunked("8000000000000000\r\n"), 400},
                    Refused{"AllOnes", chunked("ffffffffffffffff\r\n"), 400},
                    Refused{"DataBareLf", chunked("1\r\na\n0\r\n\r\n"), 400},
                    Refused{"DataTooLong", chunked("1\r\nab\r\n0\r\n\r\n"), 400},
                    Refused{"DataCrOnly", chunked("1\r\na\r0\r\n\r\n"), 400},
                    Refused{"ExtensionBareLf", chunked("1;a\na\r\n0\r\n\r\n"), 400},
                    Refused{"ExtensionCr", chunked("1;a\rb\r\na\r\n0\r\n\r\n"), 400},
                    Refused{"ExtensionNul", chunked("1;a\0\r\na\r\n0\r\n\r\n"_s), 400},
                    Refused{"ExtensionLong", chunked("1;" + string(1024, 'x') + "\r\na\r\n0\r\n\r\n"), 400},
                    Refused{"ExtensionsLongInAll", chunked([] {
                              string s;
                              for (int i = 0; i < 20; ++i) s += "1;" + string(60, 'x') + "\r\na\r\n";
                              return s;
                            }()),
                            400},
                    Refused{"LastBareLf", chunked("0\n\n"), 400}, Refused{"EndBareLf", chunked("0\r\n\n"), 400},
                    Refused{"TrailerBareLf", chunked("0\r\nA: b\n\r\n"), 400},
                    Refused{"TrailerFold", chunked("0\r\nA: b\r\n c\r\n\r\n"), 400},
                    Refused{"TrailerSpaceBeforeColon", chunked("0\r\nA : b\r\n\r\n"), 400},
                    Refused{"TrailerNoColon", chunked("0\r\nGET / HTTP/1.1\r\n\r\n"), 400},
                    Refused{"TrailerLength", chunked("0\r\nContent-Length: 3\r\n\r\n"), 400},
                    Refused{"TrailerLengthThenBadLine", chunked("0\r\nContent-Length: 3\r\nbad\r\n\r\n"), 400},
                    Refused{"TrailerCoding", chunked("0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
                    Refused{"TrailerHost", chunked("0\r\nHost: b\r\n\r\n"), 400},
                    Refused{"TrailersLarge", chunked("0\r\nA: " + string(8192, 'x') + "\r\n\r\n"), 431},
                    Refused{"TrailersMany", chunked([] {
                              string s = "0\r\n";
                              for (int i = 0; i < 101; ++i) s += "A: b\r\n";
                              return s + "\r\n";
                            }()),
                            431}),
    name_of);

struct Accepted {
  const char* name;
  string bytes;
  string text;  // must be part of the record
};
std::ostream& operator<<(std::ostream& out, const Accepted& a) {
  return out << a.name;
}

class AcceptedRequest : public testing::TestWithParam<Accepted> {};

TEST_P(AcceptedRequest, GivesItsEventsHoweverSplit) {
  Record r = checked(GetParam().bytes);
  EXPECT_EQ(r.status, 0) << r.text;
  EXPECT_NE(r.text.find(GetParam().text), string::npos) << r.text;
  EXPECT_GT(r.ends, 0);
  EXPECT_EQ(r.left, 0u);
}

INSTANTIATE_TEST_SUITE_P(
    Head, AcceptedRequest,
    testing::Values(
        Accepted{"Plain", get(""), "head GET / s= a=a p=/ q= 1.1 f=0 n=0 ka=true ex=false Host=a(23)|\nend"},
        Accepted{"EmptyLineBefore", "\r\n" + get(""), "head GET / "},
        Accepted{"EmptyLineBetween", get("") + "\r\n" + get(""), "end \nhead GET / "},
        Accepted{"Query", line("GET /a?b=c?d HTTP/1.1"), "p=/a q=?b=c?d "},
        Accepted{"EmptyQuery", line("GET /a? HTTP/1.1"), "p=/a q=? "},
        Accepted{"Absolute", line("GET HTTP://A:80/x?y HTTP/1.1"), "s=http a=A:80 p=/x q=?y "},
        Accepted{"AbsoluteEmptyPath", line("GET http://a HTTP/1.1"), "s=http a=a p=/ q= "},
        Accepted{"AbsoluteQueryOnly", line("GET https://a?x HTTP/1.1"), "s=https a=a p=/ q=?x "},
        Accepted{"AbsoluteOptions", line("OPTIONS http://a HTTP/1.1"), "p=* "},
        Accepted{"AbsoluteIn10", "GET http://a/x HTTP/1.0\r\n\r\n", "s=http a=a p=/x q= 1.0 "},
        Accepted{"Options", line("OPTIONS * HTTP/1.1"), "p=* "},
        Accepted{"Connect", line("CONNECT b:443 HTTP/1.1"), "head CONNECT b:443 s= a=b:443 p= "},
        Accepted{"OwnMethod", line("M-SEARCH / HTTP/1.1"), "head M-SEARCH / "},
        Accepted{"Http10", "GET / HTTP/1.0\r\n\r\n", "a= p=/ q= 1.0 f=0 n=0 ka=false "},
        Accepted{"Http10KeepAlive", "GET / HTTP/1.0\r\nConnection: x, Keep-Alive\r\n\r\n", "ka=true"},
        Accepted{"Close", get("Connection: Upgrade ,\tCLOSE\r\n"), "ka=false"},
        Accepted{"CloseOnSecondLine", get("Connection: a\r\nConnection: close\r\n"), "ka=false"},
        Accepted{"CloseAndKeepAlive", "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", "ka=false"},
        Accepted{"NotClose", get("Connection: closed\r\n"), "ka=true"},
        Accepted{"ValueTrimmed", get("A: \t x\ty \t\r\n"), "A=x\ty(0)|"},
        Accepted{"EmptyValue", get("A:\r\nB: \t\r\n"), "A=(0)|B=(0)|"},
        Accepted{"ObsText", get("A: \xe4\xff\x80\r\n"), "A=\xe4\xff\x80(0)|"},
        Accepted{"ObsTextIsNotSpace", get("A: \xa0x\x85\r\n"), "A=\xa0x\x85(0)|"},
        Accepted{"UnderscoreByDefault", get("a_b: x\r\n"), "a_b=x(0)|"},
        Accepted{"HundredFields",
                 "GET / HTTP/1.1\r\nHost: a\r\n" +
                     [] {
                       string s;
                       for (int i = 0; i < 99; ++i) s += "A: x\r\n";
                       return s;
                     }() +
                     "\r\n",
                 "A=x"},
        Accepted{"HostPort", host("a.example:8080"), "a=a.example:8080 "},
        Accepted{"HostEmptyPort", host("a:"), "a=a: "},
        Accepted{"HostIp6", host("[2001:db8::1]:80"), "a=[2001:db8::1]:80 "},
        Accepted{"HostEscape", host("a%2db"), "a=a%2db "}, Accepted{"HostSubDelims", host("a!$&'()*+;=_~b"), "a=a!$&"},
        Accepted{"AbsoluteIp6", "GET http://[::1]/ HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "a=[::1] "}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Body, AcceptedRequest,
    testing::Values(
        Accepted{"Length", post("Content-Length: 3\r\n", "abc"),
                 "f=1 n=3 ka=true ex=false Host=a(23)|Content-Length=3(13)|\nbody 3:abc\nend"},
        Accepted{"LengthOfGet", get("Content-Length: 2\r\n") + "xy", "body 2:xy\nend"},
        Accepted{"LengthZero", post("Content-Length: 0\r\n"), "f=1 n=0"},
        Accepted{"LengthLeadingZeros", post("Content-Length: 0003\r\n", "abc"), "n=3"},
        Accepted{"Pipelined", post("Content-Length: 3\r\n", "abc") + get(""), "body 3:abc\nend \nhead GET"},
        Accepted{"Chunked", chunked("3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"),
                 "f=2 n=0 ka=true ex=false Host=a(23)|Transfer-Encoding=chunked(46)|\nbody "
                 "13:abc0123456789\nend \n"},
        Accepted{"ChunkedAnyCase", post("transfer-encoding: CHUNKED\r\n", "0\r\n\r\n"), "f=2"},
        Accepted{"ChunkExtension", chunked("3;a=b;c=\"d e\"\r\nabc\r\n0;x\r\n\r\n"), "body 3:abc\nend"},
        Accepted{"ChunkExtensionAtLimit", chunked("1;" + string(1023, 'x') + "\r\na\r\n0\r\n\r\n"), "body 1:a\nend"},
        Accepted{"ChunkSixteenDigits", chunked("0000000000000001\r\na\r\n0000\r\n\r\n"), "body 1:a\nend"},
        Accepted{"ChunkDataLooksLikeFraming", chunked("5\r\n0\r\n\r\n\r\n0\r\n\r\n"), "body 5:0\r\n\r\n\nend"},
        Accepted{"Trailers", chunked("0\r\nA: b\r\nExpires: c\r\n\r\n") + get(""),
                 "end A=b(0)|Expires=c(21)|\nhead GET"},
        Accepted{"Expect", post("Expect: 100-Continue\r\nContent-Length: 1\r\n", "x"), "ex=true"},
        Accepted{"ExpectWithoutBody", get("Expect: 100-continue\r\n"), "ex=false"},
        Accepted{"ExpectIn10", "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx", "ex=false"},
        Accepted{"ExpectOther", post("Expect: x\r\nContent-Length: 1\r\n", "x"), "ex=false"}),
    name_of);

TEST(RequestLimits, CountFromTheFirstByteOfTheHead) {
  Limits limits;
  string head = get("");
  limits.head_bytes = head.size();
  EXPECT_EQ(checked("\r\n" + head, limits).status, 0);
  limits.head_bytes = head.size() - 1;
  EXPECT_EQ(checked(head, limits).status, 431);
  for (size_t bytes = 0; bytes < head.size(); ++bytes) {
    limits.head_bytes = bytes;
    Record r = checked(head, limits);
    EXPECT_EQ(r.status, bytes >= 4 && bytes <= 5 ? 414 : 431) << bytes << r.text;
  }
}

TEST(RequestLimits, TargetAtItsLimit) {
  Limits limits;
  limits.target_bytes = 10;
  EXPECT_EQ(checked(line("GET /123456789 HTTP/1.1"), limits).status, 0);
  EXPECT_EQ(checked(line("GET /123456789a HTTP/1.1"), limits).status, 414);
}

TEST(RequestLimits, UnderscoresByOption) {
  Limits limits;
  limits.refuse_underscores = true;
  EXPECT_EQ(checked(get("a_b: x\r\n"), limits).status, 400);
  EXPECT_EQ(checked(get("a-b: x_y\r\n"), limits).status, 0);
}

// What is wrong is refused with the byte that makes it wrong, not with the end of the head.
TEST(RequestEarly, BadLinesAreRefusedAtOnce) {
  for (const string& start :
       {string("G\x01"), string("GET\r"), string("GET  "), string("GET /\x7f"), string("GET /#"), string("GET / X"),
        string("GET / HTTP/1.1\n"), string("GET / HTTP/2.0\r\n"), string("GET x HTTP/1.1\r\n"),
        string("GET / HTTP/1.1\r\nHost: a\n"), string("GET / HTTP/1.1\r\nbad\r\n"),
        string("GET / HTTP/1.1\r\n x: y\r\n"), string(33, 'M'), "GET /" + string(8192, 'a')}) {
    EXPECT_NE(checked(start).status, 0) << start.substr(0, 40);
    EXPECT_EQ(checked(start.substr(0, start.size() - 1)).status, 0) << start.substr(0, 40);
  }
}

TEST(RequestState, StartedIsTheFirstByteOfARequest) {
  RequestParser p;
  EXPECT_FALSE(p.started());
  EXPECT_EQ(p.next("").event, Event::need_more);
  EXPECT_FALSE(p.started());
  Step s = p.next("\r\n");
  EXPECT_EQ(s.event, Event::need_more);
  EXPECT_EQ(s.consumed, 2u);
  EXPECT_FALSE(p.started());
  EXPECT_EQ(p.next("G").event, Event::need_more);
  EXPECT_TRUE(p.started());
  EXPECT_EQ(p.next("").event, Event::need_more);  // fewer bytes than were seen: waits
  string rest = get("");
  s = p.next(rest);
  EXPECT_EQ(s.event, Event::head);
  EXPECT_EQ(s.consumed, rest.size());
  EXPECT_EQ(p.next("").event, Event::end);
  EXPECT_FALSE(p.started());
}

TEST(RequestState, ErrorStays) {
  RequestParser p;
  EXPECT_EQ(p.next(" ").event, Event::error);
  EXPECT_EQ(p.status(), 400);
  EXPECT_EQ(p.next(get("")).event, Event::error);
  EXPECT_EQ(p.status(), 400);
}

TEST(RequestState, BodyViewsPointIntoTheInput) {
  RequestParser p;
  string bytes = post("Content-Length: 3\r\n", "abcGET");
  Step s = p.next(bytes);
  ASSERT_EQ(s.event, Event::head);
  string_view rest = string_view(bytes).substr(s.consumed);
  s = p.next(rest);
  ASSERT_EQ(s.event, Event::body);
  EXPECT_EQ(s.data.data(), rest.data());
  EXPECT_EQ(s.data, "abc");
}

TEST(BodyParserAlone, FramingAndClose) {
  BodyParser b;
  EXPECT_EQ(b.next("x").event, Event::need_more);  // nothing was started
  b.start(Framing::until_close, 0);
  EXPECT_EQ(b.next("").event, Event::need_more);
  EXPECT_EQ(b.next("xyz").data, "xyz");
  EXPECT_TRUE(b.finish_at_close());
  b.start(Framing::length, 3);
  EXPECT_EQ(b.next("").event, Event::need_more);
  EXPECT_EQ(b.next("x").consumed, 1u);
  EXPECT_FALSE(b.finish_at_close());
  EXPECT_EQ(b.next("yz!").data, "yz");
  EXPECT_TRUE(b.finish_at_close());
  b.start(Framing::chunked, 0);
  EXPECT_FALSE(b.finish_at_close());
  EXPECT_EQ(b.next("!").event, Event::error);
  EXPECT_EQ(b.status(), 400);
  EXPECT_STREQ(b.reason(), "bad chunk size");
  EXPECT_EQ(b.next("0\r\n\r\n").event, Event::error);
  EXPECT_FALSE(b.finish_at_close());
  b.start(Framing::chunked, 0);
  string bytes = "0\r\nA: b\r\n";
  EXPECT_EQ(b.next(bytes).consumed, 3u);
  EXPECT_EQ(b.next("").event, Event::need_more);
}

}  // namespace
}  // namespace portolan::http::test
