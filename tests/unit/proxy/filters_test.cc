// What changes in a head on its way through, and the lines of the access log.
#include "proxy/filters.hh"

#include <gtest/gtest.h>

#include "proxy/access_log.hh"

namespace portolan::proxy {
namespace {

// A request as the parser gives it; the text lives as long as this.
struct Request {
  explicit Request(std::string raw) : text(std::move(raw)) {
    http::Step step = parser.next(text);
    EXPECT_EQ(step.event, http::Event::head) << parser.reason() << "\n" << text;
  }
  http::RequestHead& head() { return parser.head(); }
  std::string text;
  http::RequestParser parser;
};

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

std::vector<IpNetwork> networks(std::initializer_list<const char*> list) {
  std::vector<IpNetwork> out;
  for (const char* n : list) out.push_back(*IpNetwork::parse(n));
  return out;
}

// The client a request with these fields is said to come from.
Client identified(const std::string& fields, const char* peer = "10.0.0.1") {
  Request request("GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n");
  return identify_client(request.head(), ip(peer), networks({"10.0.0.0/8", "fd00::/8"}));
}

TEST(Client, AStrangersWordCountsForNothing) {
  Client c = identified("X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\n", "192.0.2.9");
  EXPECT_EQ(c.address.to_string(), "192.0.2.9");
  EXPECT_FALSE(c.through_trusted);
  EXPECT_EQ(c.scheme, "http");
}

TEST(Client, IsTheLastOneATrustedProxyNames) {
  struct Case {
    const char *fields, *address;
  };
  for (const Case& c : {
           Case{"", "10.0.0.1"},
           Case{"X-Forwarded-For: 1.1.1.1\r\n", "1.1.1.1"},
           Case{"X-Forwarded-For: 6.6.6.6, 1.1.1.1\r\n", "1.1.1.1"},  // the first is the client's own claim
           Case{"X-Forwarded-For: 6.6.6.6, 1.1.1.1, 10.2.3.4\r\n", "1.1.1.1"},
           Case{"X-Forwarded-For: 6.6.6.6, 10.9.9.9, 1.1.1.1, 10.2.3.4\r\n", "1.1.1.1"},
           Case{"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 1.1.1.1\r\n", "1.1.1.1"},
           Case{"X-Forwarded-For: 10.2.3.4, 10.2.3.5\r\n", "10.2.3.4"},  // all trusted: the farthest
           Case{"X-Forwarded-For: 6.6.6.6, unknown\r\n", "10.0.0.1"},
           Case{"X-Forwarded-For: 6.6.6.6, unknown, 10.2.3.4\r\n", "10.2.3.4"},
           Case{"X-Forwarded-For: 1.1.1.1:4711\r\n", "1.1.1.1"},
           Case{"X-Forwarded-For: [2001:db8::1]:4711\r\n", "2001:db8::1"},
           Case{"X-Forwarded-For: 2001:db8::1\r\n", "2001:db8::1"},
           Case{"X-Forwarded-For: ::ffff:1.1.1.1\r\n", "1.1.1.1"},
           Case{"X-Forwarded-For: ,, 1.1.1.1 ,\r\n", "1.1.1.1"},
           Case{"Forwarded: for=6.6.6.6, for=\"[2001:db8::1]:80\";proto=https\r\n", "2001:db8::1"},
           Case{"Forwarded: for=6.6.6.6;by=1.2.3.4, For=1.1.1.1\r\n", "1.1.1.1"},
           Case{"Forwarded: for=6.6.6.6, for=_hidden\r\n", "10.0.0.1"},
       }) {
    Client found = identified(c.fields);
    EXPECT_EQ(found.address.to_string(), c.address) << c.fields;
    EXPECT_TRUE(found.through_trusted);
    EXPECT_EQ(found.peer.to_string(), "10.0.0.1");
  }
}

TEST(Client, ATrustedProxySaysTheScheme) {
  EXPECT_EQ(identified("X-Forwarded-Proto: HTTPS\r\n").scheme, "https");
  EXPECT_EQ(identified("X-Forwarded-Proto: gopher\r\n").scheme, "http");
  EXPECT_EQ(identified("").scheme, "http");
}

// The request as a server would get it.
std::string forwarded(const std::string& raw, Client client = {}, bool for_cache = false) {
  Request request(raw);
  if (client.address.family == IpAddress::Family::none) client.address = client.peer = ip("192.0.2.9");
  RequestFilter filter(client);
  filter.node = "edge-1";
  filter.authority = request.head().authority;
  filter.for_cache = for_cache;
  BlockWriter out;
  write_request(out, request.head(), filter);
  return std::string(out.view());
}

bool holds(const std::string& text, const std::string& line) {
  return text.find("\r\n" + line + "\r\n") != std::string::npos;
}

TEST(RequestFilter, HopByHopFieldsAndTheClientsFramingEndHere) {
  std::string out = forwarded(
      "POST /x?y HTTP/1.1\r\nHost: a\r\nConnection: close, X-Hop, host, authorization\r\nConnection: X-Other\r\n"
      "X-Hop: 1\r\nX-Other: 2\r\nX-Stays: 3\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nTE: trailers\r\n"
      "Trailer: X-T\r\nUpgrade: h2c\r\nProxy-Authorization: Basic eA==\r\nAuthorization: Basic eA==\r\n"
      "Transfer-Encoding: chunked\r\n\r\n");
  EXPECT_TRUE(out.starts_with("POST /x?y HTTP/1.1\r\nHost: a\r\n")) << out;
  for (const char* gone :
       {"Connection", "X-Hop", "X-Other", "Keep-Alive", "TE:", "Trailer", "Upgrade", "Transfer-Encoding"})
    EXPECT_EQ(out.find(gone), std::string::npos) << gone << "\n" << out;
  EXPECT_EQ(out.find("Proxy-"), std::string::npos);
  EXPECT_TRUE(holds(out, "X-Stays: 3"));
  EXPECT_TRUE(holds(out, "Authorization: Basic eA=="));  // Connection can't take that away
}

TEST(RequestFilter, TheClientsAddressIsWhatTheServerMayBelieve) {
  std::string spoofed =
      "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n"
      "Forwarded: for=6.6.6.6\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 1\r\n\r\n";
  std::string out = forwarded(spoofed);
  EXPECT_EQ(out.find("6.6.6.6"), std::string::npos) << out;
  EXPECT_EQ(out.find("evil"), std::string::npos);
  EXPECT_TRUE(holds(out, "X-Forwarded-For: 192.0.2.9"));
  EXPECT_TRUE(holds(out, "X-Real-IP: 192.0.2.9"));
  EXPECT_TRUE(holds(out, "X-Forwarded-Proto: http"));
  EXPECT_TRUE(holds(out, "X-Forwarded-Host: a"));
  EXPECT_EQ(out.find("X-Forwarded-Port"), std::string::npos);

  Client trusted{ip("1.1.1.1"), ip("10.0.0.1"), true, "https"};
  out = forwarded("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Host: www\r\n\r\n", trusted);
  EXPECT_TRUE(holds(out, "X-Forwarded-For: 1.1.1.1, 10.0.0.1"));
  EXPECT_TRUE(holds(out, "X-Real-IP: 1.1.1.1"));
  EXPECT_TRUE(holds(out, "X-Forwarded-Proto: https"));
  EXPECT_TRUE(holds(out, "X-Forwarded-Host: www"));
}

TEST(RequestFilter, HostViaAndNamesWithUnderscores) {
  std::string out = forwarded(
      "GET http://b.example:8080/x HTTP/1.1\r\nHost: b.example:8080\r\nVia: 1.0 old\r\n"
      "X_Real_IP: 6.6.6.6\r\nx-real_ip: 6.6.6.6\r\nContent_Length: 9\r\nX-Fine: a_b\r\n\r\n");
  EXPECT_TRUE(out.starts_with("GET /x HTTP/1.1\r\nHost: b.example:8080\r\n")) << out;
  EXPECT_EQ(out.find("6.6.6.6"), std::string::npos);
  EXPECT_EQ(out.find("Content_Length"), std::string::npos);
  EXPECT_TRUE(holds(out, "X-Fine: a_b"));
  EXPECT_LT(out.find("Via: 1.0 old"), out.find("Via: 1.1 edge-1"));
  EXPECT_EQ(out.find("Host:", 30), out.find("X-Forwarded-Host:") + 12);  // once
}

TEST(RequestFilter, AFetchForTheCacheAsksForTheWhole) {
  std::string raw =
      "GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\nIf-None-Match: \"x\"\r\nIf-Range: \"x\"\r\n"
      "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\nAccept: */*\r\n\r\n";
  std::string out = forwarded(raw, {}, true);
  for (const char* gone : {"Range", "If-None-Match", "If-Modified-Since"}) EXPECT_EQ(out.find(gone), std::string::npos);
  EXPECT_TRUE(holds(out, "Accept: */*"));
  EXPECT_TRUE(holds(forwarded(raw), "Range: bytes=0-1"));
}

TEST(ResponseFilter, HopByHopGoesAndWhatIsOursComes) {
  http::Fields fields;
  fields.add("Connection", "X-Hop");
  fields.add("X-Hop", "1");
  fields.add("Keep-Alive", "timeout=5");
  fields.add("Transfer-Encoding", "chunked");
  fields.add("Content-Length", "999");
  fields.add("Set-Cookie", "a=b");
  fields.add("Set-Cookie", "c=d");
  fields.add("Age", "7");
  Answer answer;
  answer.status = 200;
  answer.reason = "Fine";
  answer.fields = &fields;
  answer.age_s = 12;
  ResponseFilter filter;
  filter.node = "edge-1";
  filter.date = "Sun, 06 Nov 1994 08:49:37 GMT";
  filter.cache_status = "edge-1; hit";
  filter.framing = http::Framing::length;
  filter.length = 5;
  auto written = [&] {
    BlockWriter writer;
    write_response(writer, answer, filter);
    return std::string(writer.view());
  };
  std::string out = written();
  EXPECT_TRUE(out.starts_with("HTTP/1.1 200 Fine\r\n")) << out;
  EXPECT_TRUE(out.ends_with("\r\n\r\n"));
  EXPECT_EQ(out.find("X-Hop"), std::string::npos);
  EXPECT_EQ(out.find("chunked"), std::string::npos);
  EXPECT_EQ(out.find("999"), std::string::npos);
  EXPECT_EQ(out.find("Age: 7"), std::string::npos);
  for (const char* line : {"Set-Cookie: a=b", "Set-Cookie: c=d", "Age: 12", "Via: 1.1 edge-1", "Content-Length: 5",
                           "Cache-Status: edge-1; hit", "Date: Sun, 06 Nov 1994 08:49:37 GMT"})
    EXPECT_TRUE(holds(out, line)) << line << "\n" << out;
  fields.add("Date", "Mon, 07 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(written().find("Sun, 06"), std::string::npos);
}

TEST(Trailers, OnlyHarmlessOnesPass) {
  for (const char* name : {"X-Checksum", "ETag", "Server-Timing"})
    EXPECT_TRUE(may_be_trailer({name, "v", http::field_id(name)})) << name;
  for (const char* name :
       {"Content-Length", "Transfer-Encoding", "Host", "Authorization", "Set-Cookie", "Cache-Control", "Connection",
        "Content-Type", "Trailer", "Age", "Vary", "X-Forwarded-For", "Cookie"})
    EXPECT_FALSE(may_be_trailer({name, "v", http::field_id(name)})) << name;
}

// ── the access log ────────────────────────────────────────────────────────────────────────────

LogEntry entry() {
  LogEntry e;
  e.wall_ms = 1'700'000'000'123;
  e.duration_us = 12'345;
  e.client = ip("192.0.2.9");
  e.listener = "web";
  e.method = "GET";
  e.target = "/a?b";
  e.host = "a.example";
  e.status = 200;
  e.bytes = 5;
  e.route = "all";
  e.pool = "app";
  e.server = "127.0.0.1:8081";
  e.tries = 1;
  return e;
}

std::string line_of(const LogEntry& e, LogFormat format) {
  BlockWriter line;
  write_log_line(line, e, format);
  return std::string(line.view());
}

TEST(AccessLog, AJsonLine) {
  LogEntry e = entry();
  std::string line = line_of(e, LogFormat::json);
  EXPECT_EQ(line,
            "{\"time\":\"2023-11-14T22:13:20.123Z\",\"client\":\"192.0.2.9\",\"listener\":\"web\",\"method\":\"GET\","
            "\"host\":\"a.example\",\"target\":\"/a?b\",\"protocol\":\"HTTP/1.1\",\"status\":200,\"bytes\":5,"
            "\"duration_ms\":12.345,\"route\":\"all\",\"pool\":\"app\",\"server\":\"127.0.0.1:8081\"}\n");
  e.tries = 3;
  e.cache = "edge-1; hit";
  e.note = "answer cut";
  line = line_of(e, LogFormat::json);
  EXPECT_NE(line.find("\"tries\":3,\"cache\":\"edge-1; hit\",\"note\":\"answer cut\"}\n"), std::string::npos) << line;
}

TEST(AccessLog, NothingAClientSendsBreaksALine) {
  std::string nasty;
  for (int c = 0; c < 256; ++c) nasty += static_cast<char>(c);
  LogEntry e = entry();
  e.target = e.referer = e.user_agent = e.host = e.method = nasty;
  for (LogFormat format : {LogFormat::json, LogFormat::combined}) {
    std::string line = line_of(e, format);
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    for (char c : line.substr(0, line.size() - 1)) ASSERT_TRUE(c >= 0x20 && c < 0x7f) << static_cast<int>(c);
  }
  e = entry();
  e.target = "/\"}\\\n\x1b[31m";
  std::string json = line_of(e, LogFormat::json), combined = line_of(e, LogFormat::combined);
  EXPECT_NE(json.find("\"target\":\"/\\\"}\\\\\\u000a\\u001b[31m\","), std::string::npos) << json;
  EXPECT_NE(combined.find("\"GET /\\x22}\\x5C\\x0A\\x1B[31m HTTP/1.1\""), std::string::npos) << combined;
}

TEST(AccessLog, TheCombinedFormOfApache) {
  LogEntry e = entry();
  e.user_agent = "curl/8";
  EXPECT_EQ(line_of(e, LogFormat::combined),
            "192.0.2.9 - - [14/Nov/2023:22:13:20 +0000] \"GET /a?b HTTP/1.1\" 200 5 \"-\" \"curl/8\"\n");
}

TEST(Filters, AnInterimAnswersOwnConnectionCounts) {  // RFC 9110 §7.6.1
  http::ResponseHead head;
  head.status = 103;
  head.reason = "Early Hints";
  for (auto [name, value] : {std::pair{"Link", "</a>"},
                             {"Connection", "X-Hop"},
                             {"X-Hop", "1"},
                             {"Connection", "x-leap"},
                             {"X-Leap", "1"},
                             {"X-Kept", "1"}})
    head.fields.add(name, value);
  std::string out;
  write_interim(out, head);
  EXPECT_EQ(out, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX-Kept: 1\r\n\r\n");
}

}  // namespace
}  // namespace portolan::proxy
