#include <gtest/gtest.h>

#include "tests/unit/core/http/split.hh"

namespace portolan::http::test {
namespace {

using std::string;

Record checked(const string& bytes, Method method = Method::get, const Limits& limits = {}) {
  Record whole, differs;
  auto run = [&](const std::vector<size_t>& cuts) { return run_response(bytes, cuts, limits, method); };
  EXPECT_TRUE(same_however_split(run, bytes.size(), 11, whole, differs))
      << bytes.substr(0, 400) << "\nwhole: " << whole.text << "\nsplit: " << differs.text;
  return whole;
}

struct Case {
  const char* name;
  string bytes;
  string text;  // part of the record; of a refused one, of its reason
  Method method = Method::get;
};
std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.name;
}
auto name_of = [](const auto& info) { return string(info.param.name); };

string ok(const string& fields, const string& body = "") {
  return "HTTP/1.1 200 OK\r\n" + fields + "\r\n" + body;
}
string line(const string& first) {
  return first + "\r\nContent-Length: 0\r\n\r\n";
}
string chunked(const string& body) {
  return ok("Transfer-Encoding: chunked\r\n", body);
}

class RefusedResponse : public testing::TestWithParam<Case> {};

TEST_P(RefusedResponse, IsAnErrorHoweverSplit) {
  Record r = checked(GetParam().bytes, GetParam().method);
  EXPECT_EQ(r.status, 502) << r.text;
  EXPECT_NE(r.reason.find(GetParam().text), string::npos) << r.reason;
}

INSTANTIATE_TEST_SUITE_P(
    StatusLine, RefusedResponse,
    testing::Values(Case{"Http09", "<html>", "status line"}, Case{"Icy", line("ICY 200 OK"), "status line"},
                    Case{"LowerCase", line("http/1.1 200 OK"), "status line"},
                    Case{"Version12", line("HTTP/1.2 200 OK"), "status line"},
                    Case{"Version20", line("HTTP/2.0 200 OK"), "status line"},
                    Case{"TwoSpaces", line("HTTP/1.1  200 OK"), "status line"},
                    Case{"Tab", line("HTTP/1.1\t200 OK"), "status line"},
                    Case{"TwoDigits", line("HTTP/1.1 20 OK"), "status line"},
                    Case{"FourDigits", line("HTTP/1.1 2000 OK"), "status line"},
                    Case{"Sign", line("HTTP/1.1 +20 OK"), "status line"},
                    Case{"NoSpaceAfterStatus", line("HTTP/1.1 200"), "status line"},
                    Case{"Status099", line("HTTP/1.1 099 X"), "out of range"},
                    Case{"Status600", line("HTTP/1.1 600 X"), "out of range"},
                    Case{"Status000", line("HTTP/1.1 000 X"), "out of range"},
                    Case{"BareLf", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", "bare LF"},
                    Case{"BareLfNoReason", "HTTP/1.1 200 \nContent-Length: 0\r\n\r\n", "bare LF"},
                    Case{"BareCr", "HTTP/1.1 200 OK\rX\r\n\r\n", "reason"},
                    Case{"CtlInReason", line("HTTP/1.1 200 O\x01K"), "reason"},
                    Case{"NulInReason", line(string("HTTP/1.1 200 O\0K", 16)), "reason"},
                    Case{"EmptyLineBefore", "\r\n" + ok(""), "status line"},
                    Case{"TooLong", "HTTP/1.1 200 " + string(40000, 'x'), "too long"},
                    Case{"TooLongWithEnd", line("HTTP/1.1 200 " + string(40000, 'x')), "too long"}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Head, RefusedResponse,
    testing::Values(Case{"LengthAndCoding", ok("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
                         "together"},
                    Case{"LengthAndCodingOn304",
                         "HTTP/1.1 304 x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", "together"},
                    Case{"LengthAndCodingToHead", ok("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), "together",
                         Method::head},
                    Case{"CodingIn10", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.0"},
                    Case{"CodingTwice", ok("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), "several"},
                    Case{"CodingUnknown", ok("Transfer-Encoding: gzip, chunked\r\n"), "unknown"},
                    Case{"CodingComma", ok("Transfer-Encoding: ,chunked\r\n"), "malformed"},
                    Case{"LengthEmpty", ok("Content-Length:\r\n"), "Content-Length"},
                    Case{"LengthPlus", ok("Content-Length: +1\r\n", "a"), "Content-Length"},
                    Case{"LengthList", ok("Content-Length: 1, 1\r\n", "a"), "Content-Length"},
                    Case{"LengthTwice", ok("Content-Length: 1\r\nContent-Length: 1\r\n", "a"), "several"},
                    Case{"LengthBadOn204", "HTTP/1.1 204 x\r\nContent-Length: x\r\n\r\n", "Content-Length"},
                    Case{"LengthOverflow", ok("Content-Length: 99999999999999999999\r\n", "a"), "Content-Length"},
                    Case{"Fold", ok("A: b\r\n c\r\n"), "folding"},
                    Case{"SpaceBeforeColon", ok("A : b\r\n"), "field name"}, Case{"NoColon", ok("abc\r\n"), "colon"},
                    Case{"Nul", ok(string("A: b\0\r\n", 7)), "field value"},
                    Case{"Cr", ok("A: b\rc\r\n"), "field value"}, Case{"BareLf", ok("A: b\nC: d\r\n"), "bare LF"},
                    Case{"TooLarge", ok("A: " + string(40000, 'x') + "\r\n"), "too large"},
                    Case{"TooMany", ok([] {
                           string s;
                           for (int i = 0; i < 101; ++i) s += "A: b\r\n";
                           return s;
                         }()),
                         "too many"}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Body, RefusedResponse,
    testing::Values(Case{"BytesAfterLength", ok("Content-Length: 1\r\n", "ab"), "after the response"},
                    Case{"BytesAfterChunks", chunked("0\r\n\r\nx"), "after the response"},
                    Case{"BytesAfterHead", ok("Content-Length: 1\r\n", "a"), "after the response", Method::head},
                    Case{"BytesAfter204", "HTTP/1.1 204 x\r\n\r\nabc", "after the response"},
                    Case{"BytesAfter304", "HTTP/1.1 304 x\r\nContent-Length: 3\r\n\r\nabc", "after the response"},
                    Case{"SecondResponse", ok("Content-Length: 0\r\n") + ok("Content-Length: 0\r\n"),
                         "after the response"},
                    Case{"ChunkSize", chunked("x\r\n"), "chunk size"},
                    Case{"ChunkEnd", chunked("1\r\nab\r\n"), "chunk data"},
                    Case{"ChunkExtension", chunked("1;\x01\r\na\r\n"), "extension"},
                    Case{"Trailer", chunked("0\r\nContent-Length: 1\r\n\r\n"), "trailers"},
                    Case{"InterimForever",
                         [] {
                           string s;
                           for (int i = 0; i < 101; ++i) s += "HTTP/1.1 100 \r\n\r\n";
                           return s;
                         }(),
                         "interim"}),
    name_of);

class AcceptedResponse : public testing::TestWithParam<Case> {};

TEST_P(AcceptedResponse, GivesItsEventsHoweverSplit) {
  Record r = checked(GetParam().bytes, GetParam().method);
  EXPECT_EQ(r.status, 0) << r.text;
  EXPECT_NE(r.text.find(GetParam().text), string::npos) << r.text;
}

INSTANTIATE_TEST_SUITE_P(
    All, AcceptedResponse,
    testing::Values(
        Case{"Length", ok("Content-Length: 3\r\n", "abc"),
             "head 200 'OK' 1.1 f=1 n=3 ka=true Content-Length=3(13)|\nbody 3:abc\nend \nwhole at "
             "close"},
        Case{"LengthZero", ok("Content-Length: 0\r\n"), "f=1 n=0 ka=true"},
        Case{"LengthShort", ok("Content-Length: 3\r\n", "ab"), "body 2:ab\nshort at close"},
        Case{"NoReason", line("HTTP/1.1 200 "), "head 200 '' 1.1"},
        Case{"ReasonWords", line("HTTP/1.1 404 Not\tFound \xe4"), "'Not\tFound \xe4'"},
        Case{"UntilClose", ok("", "abc"), "f=3 n=0 ka=false \nbody 3:abc\nwhole at close"},
        Case{"UntilCloseEmpty", ok(""), "f=3 n=0 ka=false \nwhole at close"},
        Case{"UntilClose10", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nabc", "1.0 f=3 n=0 ka=false"},
        Case{"KeepAlive10", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na",
             "1.0 f=1 n=1 ka=true"},
        Case{"Close", ok("Connection: close\r\nContent-Length: 1\r\n", "a"), "ka=false"},
        Case{"Chunked", chunked("1\r\na\r\n2;x=y\r\nbc\r\n0\r\nT: u\r\n\r\n"),
             "f=2 n=0 ka=true Transfer-Encoding=chunked(46)|\nbody 3:abc\nend T=u(0)|\nwhole at "
             "close"},
        Case{"ChunkedShort", chunked("1\r\na\r\n0\r\n"), "body 1:a\nshort at close"},
        Case{"HeadLength", ok("Content-Length: 3\r\n"), "f=0 n=0 ka=true Content-Length=3(13)|\nend", Method::head},
        Case{"HeadChunked", ok("Transfer-Encoding: chunked\r\n"), "f=0 n=0 ka=true Transfer-Encoding=chunked(46)|\nend",
             Method::head},
        Case{"HeadNothing", ok(""), "f=0 n=0 ka=true \nend", Method::head},
        Case{"NoContent", "HTTP/1.1 204 x\r\n\r\n", "head 204 'x' 1.1 f=0 n=0 ka=true \nend"},
        Case{"NotModified", "HTTP/1.1 304 x\r\nContent-Length: 3\r\n\r\n",
             "f=0 n=0 ka=true Content-Length=3(13)|\nend"},
        Case{"Interim",
             "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 \r\nLink: x\r\n\r\n" + ok("Content-Length: 1\r\n", "a"),
             "head 100 'Continue' 1.1 f=0 n=0 ka=true \nend \nhead 103 '' 1.1 f=0 n=0 ka=true "
             "Link=x(0)|\nend \nhead 200"},
        Case{"InterimOnly", "HTTP/1.1 100 \r\n\r\n", "end \nshort at close"},
        Case{"HeadUnfinished", "HTTP/1.1 200 OK\r\nA: b\r\n", "short at close"}, Case{"Nothing", "", "short at close"},
        Case{"Upgrade", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
             "head 101 'Switching' 1.1 f=0 n=0 ka=false Upgrade=x(47)|\nend \nwhole at close"},
        Case{"Connect", ok(""), "f=0 n=0 ka=false \nend", Method::connect},
        Case{"ConnectRefused", "HTTP/1.1 403 x\r\nContent-Length: 1\r\n\r\na", "f=1 n=1 ka=true", Method::connect}),
    name_of);

TEST(ResponseState, StartMakesItReadyAgain) {
  ResponseParser p;
  string bytes = ok("Content-Length: 0\r\n");
  for (int i = 0; i < 3; ++i) {
    p.start(Method::get);
    EXPECT_EQ(p.next("").event, Event::need_more);
    EXPECT_EQ(p.next(bytes).event, Event::head);
    EXPECT_EQ(p.next("").event, Event::end);
    EXPECT_EQ(p.next("").event, Event::need_more);
  }
  EXPECT_EQ(p.next("x").event, Event::error);
  EXPECT_STREQ(p.reason(), "bytes after the response");
  EXPECT_EQ(p.next("").event, Event::error);
  EXPECT_FALSE(p.finish_at_close());
  p.start(Method::get);
  EXPECT_EQ(p.next("HTTP").event, Event::need_more);
  EXPECT_EQ(p.next("").event, Event::need_more);  // fewer bytes than were seen: waits
  EXPECT_FALSE(p.finish_at_close());
}

TEST(ResponseState, InterimIsNotWholeAtClose) {
  ResponseParser p;
  p.start(Method::get);
  EXPECT_EQ(p.next("HTTP/1.1 100 \r\n\r\n").event, Event::head);
  EXPECT_FALSE(p.finish_at_close());
}

TEST(ResponseLimits, EveryHeadLimitBelowItsSizeIsAnError) {
  Limits limits;
  string head = ok("Content-Length: 0\r\n");
  limits.head_bytes = head.size();
  EXPECT_EQ(checked(head, Method::get, limits).status, 0);
  for (limits.head_bytes = 0; limits.head_bytes < head.size(); ++limits.head_bytes) {
    EXPECT_EQ(checked(head, Method::get, limits).status, 502) << limits.head_bytes;
  }
}

}  // namespace
}  // namespace portolan::http::test
