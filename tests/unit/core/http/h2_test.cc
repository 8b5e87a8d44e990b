#include "core/http/h2.hh"

#include <gtest/gtest.h>

#include <map>

namespace portolan::http {
namespace {

using Role = H2Session::Role;

// One side: a session, and what came of it as text.
struct Side : H2Session::Events {
  explicit Side(Role role, const H2Limits& limits = {}) : session(role, limits, *this) {}

  void on_request(H2Stream& s) override {
    last = &s;
    events += "request " + std::string(s.request.method_text) + " " + std::string(s.request.authority) +
              std::string(s.request.target);
    if (s.refusal) events += " refused " + std::to_string(s.refusal);
    for (const Field& f : s.request.fields) events += " " + std::string(f.name) + "=" + std::string(f.value);
    events += "\n";
    requests.push_back(&s);
  }
  void on_response(H2Stream& s) override {
    events += "response " + std::to_string(s.response.status);
    for (const Field& f : s.response.fields) events += " " + std::string(f.name) + "=" + std::string(f.value);
    events += "\n";
  }
  void on_readable(H2Stream& s) override {
    Slice bytes;
    while (reads && session.read(s, bytes)) bodies[s.id()].append(bytes.view());
    if (!s.peer_done()) return;
    events += "body " + bodies[s.id()];
    for (const Field& f : s.trailers()) events += " " + std::string(f.name) + "=" + std::string(f.value);
    events += "\n";
  }
  void on_room(H2Stream&) override {}
  void on_closed(H2Stream& s, H2Error why) override {
    events += "closed " + std::string(h2_error_name(why)) + "\n";
    std::erase(requests, &s);
  }

  H2Session session;
  bool reads = true;
  std::string events;
  std::map<int32_t, std::string> bodies;
  H2Stream* last = nullptr;
  std::vector<H2Stream*> requests;  // open ones of a server
};

constexpr uint64_t plenty = 1 << 30;

std::string output(Side& side) {
  Body out;
  side.session.collect(out, plenty);
  return out.to_string();
}

void feed(Side& side, std::string_view bytes, size_t piece = SIZE_MAX, int64_t now_ms = 1) {
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size())))
    side.session.feed(Slice::copy_of(bytes.substr(0, piece)), now_ms);
}

// Lets both sides talk until they have nothing more to say.
void talk(Side& client, Side& server, size_t piece = SIZE_MAX) {
  for (;;) {
    std::string up = output(client), down = output(server);
    if (up.empty() && down.empty()) return;
    feed(server, up, piece);
    feed(client, down, piece);
  }
}

Body body(std::string_view text) {
  Body b;
  b.append(Slice::copy_of(text));
  return b;
}

// ── frames by hand ──
std::string frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) {
  std::string out;
  for (int shift : {16, 8, 0}) out.push_back(static_cast<char>(payload.size() >> shift));
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(flags));
  for (int shift : {24, 16, 8, 0}) out.push_back(static_cast<char>(stream >> shift));
  return out.append(payload);
}

constexpr uint8_t data = 0, headers = 1, priority = 2, rst_stream = 3, settings = 4, ping = 6, window_update = 8,
                  continuation = 9;
constexpr uint8_t end_stream = 1, end_headers = 4;

std::string number(uint32_t n) {
  std::string out;
  for (int shift : {24, 16, 8, 0}) out.push_back(static_cast<char>(n >> shift));
  return out;
}

// Literals without indexing (RFC 7541 §6.2.2); texts shorter than 127 bytes.
std::string block(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string out;
  for (const auto& [name, value] : fields) {
    out.push_back(0);
    out.push_back(static_cast<char>(name.size()));
    out.append(name);
    out.push_back(static_cast<char>(value.size()));
    out.append(value);
  }
  return out;
}

using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs get_with(const Pairs& more) {
  Pairs fields{{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a.test"}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

std::string hello() {
  return std::string(h2_preface) + frame(settings, 0, 0, "");
}

std::string request(uint32_t stream, const Pairs& fields, uint8_t flags = end_headers | end_stream) {
  return frame(headers, flags, stream, block(fields));
}

// ── requests and answers ──

void exchange(Side& client, Side& server, size_t piece) {
  H2Stream* asked = client.session.send_request(
      "POST /up?x=1 HTTP/1.1\r\nHost: a.test\r\nX-One: 1\r\nConnection: x\r\n\r\n", {}, false);
  ASSERT_NE(asked, nullptr);
  Body first = body("hello ");
  client.session.send(*asked, first);
  talk(client, server, piece);
  ASSERT_EQ(server.requests.size(), 1u);
  Body second = body("world");
  client.session.send(*asked, second);
  Fields trailers;
  trailers.add("X-Sum", "11");
  client.session.end(*asked, &trailers);
  talk(client, server, piece);
  H2Stream& answer = *server.last;
  server.session.send_interim(answer, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
  server.session.send_response(answer, "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n",
                               false);
  Body reply = body(std::string(100'000, 'x'));
  server.session.send(answer, reply);
  server.session.end(answer, &trailers);
  talk(client, server, piece);
}

TEST(H2, CarriesRequestsAndAnswersHoweverTheBytesAreSplit) {
  std::string client_saw, server_saw;
  for (size_t piece : {size_t{1}, size_t{2}, size_t{7}, size_t{100}, size_t{16'393}, SIZE_MAX}) {
    Side client(Role::client), server(Role::server);
    exchange(client, server, piece);
    EXPECT_EQ(server.events, "request POST a.test/up?x=1 x-one=1\nbody hello world x-sum=11\nclosed NO_ERROR\n");
    EXPECT_EQ(client.events, "response 103 link=</a>\nresponse 200 content-type=a/b\nbody " +
                                 std::string(100'000, 'x') + " x-sum=11\nclosed NO_ERROR\n");
    EXPECT_EQ(client.session.streams() + server.session.streams(), 0u);
  }
}

TEST(H2, AHeadAloneHasNoBody) {
  Side client(Role::client), server(Role::server);
  client.session.send_request("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", {.wants_trailers = true}, true);
  talk(client, server);
  EXPECT_EQ(server.events, "request GET a.test/ te=trailers\n");
  EXPECT_EQ(server.last->request.framing, Framing::none);
  EXPECT_TRUE(server.last->request.http2);
  server.session.send_response(*server.last, "HTTP/1.1 204 No Content\r\n\r\n", true);
  talk(client, server);
  EXPECT_EQ(client.events, "response 204\nclosed NO_ERROR\n");
}

TEST(H2, NoMoreIsTakenThanTheReaderHasRoomFor) {
  H2Limits limits;
  limits.stream_window = 70'000;
  Side client(Role::client), server(Role::server, limits);
  server.reads = false;
  talk(client, server);
  H2Stream* asked = client.session.send_request("POST / HTTP/1.1\r\nHost: a.test\r\n\r\n", {}, false);
  Body all = body(std::string(200'000, 'x'));
  client.session.send(*asked, all);
  talk(client, server);
  EXPECT_EQ(asked->unsent(), 130'000u);
  Slice bytes;
  while (server.session.read(*server.last, bytes)) {
  }
  talk(client, server);
  EXPECT_LT(asked->unsent(), 100'000u);  // at least half a window was given back
}

TEST(H2, AnEmptyBodyIsTold) {
  Side server(Role::server);
  feed(server, hello() + request(1, {{":method", "POST"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}}));
  EXPECT_EQ(server.last->request.framing, Framing::length);
  EXPECT_EQ(server.last->request.content_length, 0u);
}

TEST(H2, CookiesComeInPiecesAndLeaveAsOne) {
  Side server(Role::server);
  feed(server, hello() + request(1, get_with({{"cookie", "a=1"}, {"x", "y"}, {"cookie", "b=2"}, {"cookie", "c=3"}})));
  EXPECT_EQ(server.events, "request GET a.test/ cookie=a=1; b=2; c=3 x=y\n");
}

TEST(H2, WhatCouldBeReadTwoWaysIsRefused) {
  const Pairs plain{{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a.test"}};
  auto with = [&](size_t at, const std::string& value) {
    Pairs fields = plain;
    fields[at].second = value;
    return fields;
  };
  const std::vector<Pairs> refused{
      get_with({{"connection", "close"}}),
      get_with({{"transfer-encoding", "chunked"}}),
      get_with({{"keep-alive", "1"}}),
      get_with({{"proxy-connection", "x"}}),
      get_with({{"upgrade", "h2c"}}),
      get_with({{"te", "gzip"}}),
      get_with({{"Upper", "1"}}),
      get_with({{"a b", "1"}}),
      get_with({{"", "1"}}),
      get_with({{"x", "a\r\nInjected: 1"}}),
      get_with({{"x", std::string("a\0b", 3)}}),
      get_with({{"x", " a"}}),
      get_with({{"x", "a "}}),
      get_with({{":path", "/two"}}),
      get_with({{":unknown", "1"}}),
      get_with({{"host", "other.test"}}),
      get_with({{"host", "a.test"}, {"host", "a.test"}}),
      get_with({{"content-length", "5"}}),
      get_with({{"content-length", "0"}, {"content-length", "0"}}),
      get_with({{"content-length", "+0"}}),
      with(0, "G ET"),
      with(1, "ftp"),
      with(2, ""),
      with(2, "no-slash"),
      with(2, "/a b"),
      with(2, "/a\r\nX: y"),
      with(2, "*"),
      with(3, "a.test/"),
      with(3, "user@a.test"),
      with(3, "a.test:99999"),
      {{":method", "GET"}, {":path", "/"}, {":authority", "a"}},
      {{":scheme", "http"}, {":path", "/"}, {":authority", "a"}},
      {{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}},
      {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}},
      {{":method", "GET"}, {":scheme", "http"}, {"x", "y"}, {":path", "/"}, {":authority", "a"}},
      {{":method", "CONNECT"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a:1"}},
  };
  for (const Pairs& fields : refused) {
    Side server(Role::server);
    feed(server, hello());
    output(server);
    feed(server, request(1, fields) + request(3, plain));
    std::string out = output(server);
    EXPECT_NE(out.find(frame(rst_stream, 0, 1, number(1))), std::string::npos) << block(fields);
    EXPECT_EQ(server.events, "request GET a.test/\n") << block(fields);  // the connection goes on
    EXPECT_EQ(server.session.reason(), std::string());
  }
}

TEST(H2, HostStandsInForAnAuthority) {
  Side server(Role::server);
  feed(server, hello() + request(1, {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {"host", "b.test"}}) +
                   request(3, get_with({{"host", "A.test:80"}})));
  EXPECT_EQ(server.events, "request GET b.test/ host=b.test\nrequest GET a.test/ host=A.test:80\n");
}

TEST(H2, BodiesMatchTheirLength) {
  for (const char* length : {"3", "5"}) {
    Side server(Role::server);
    feed(server, hello() + request(1, get_with({{"content-length", length}}), end_headers) +
                     frame(data, end_stream, 1, "four"));
    EXPECT_NE(output(server).find(frame(rst_stream, 0, 1, number(1))), std::string::npos);
  }
}

TEST(H2, LargeHeadsAreRefusedAndHugeOnesEndTheConnection) {
  H2Limits limits;
  limits.head.head_bytes = 1000;
  limits.head.field_count = 8;
  limits.head.target_bytes = 50;
  auto head_of = [](size_t fields, size_t size) {
    Pairs more;
    for (size_t i = 0; i < fields; ++i) more.push_back({"x" + std::to_string(i), std::string(size, 'v')});
    return get_with(more);
  };
  auto status = [&](const Pairs& fields) {
    Side server(Role::server, limits);
    feed(server, hello() + request(1, fields));
    if (*server.session.reason()) return std::string(server.session.reason());
    return std::to_string(server.last->refusal);
  };
  EXPECT_EQ(status(head_of(8, 10)), "0");
  EXPECT_EQ(status(head_of(9, 10)), "431");
  EXPECT_EQ(status(head_of(100, 1)), "431");
  EXPECT_EQ(status(head_of(8, 100)), "431");
  EXPECT_EQ(status(head_of(40, 100)), "a head far too large");
  Pairs far = get_with({});
  far[2].second = "/" + std::string(60, 'x');
  EXPECT_EQ(status(far), "414");
}

// Cookie crumbs that a few bytes of compression refer to again and again.
TEST(H2, ACompressionBombIsCutShort) {
  Side server(Role::server);
  std::string bomb = block(get_with({}));
  bomb += std::string(
              "\x40\x06"
              "cookie\x7f\x81\x1d",
              11) +
          std::string(4000, 'c');       // with indexing: entry 62
  bomb += std::string(12'000, '\xbe');  // twelve thousand times
  feed(server, hello() + frame(headers, end_headers | end_stream, 1, bomb));
  EXPECT_EQ(server.session.reason(), std::string("a head far too large"));
  EXPECT_EQ(server.events, "");
}

TEST(H2, ExtendedConnectNamesItsProtocol) {
  Side client(Role::client), server(Role::server);
  talk(client, server);
  EXPECT_TRUE(client.session.allows_extended_connect());
  client.session.send_request("GET /chat HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\n\r\n",
                              {.protocol = "websocket"}, false);
  talk(client, server);
  EXPECT_EQ(server.events, "request CONNECT a.test/chat\n");
  EXPECT_EQ(server.last->protocol, "websocket");
}

TEST(H2, AServerThatShutsDownTakesWhatIsUnderWay) {
  Side client(Role::client), server(Role::server);
  client.session.send_request("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n", {}, true);
  talk(client, server);
  server.session.announce_shutdown();
  talk(client, server);
  EXPECT_FALSE(client.session.can_request());
  server.session.shut_down();
  talk(client, server);
  EXPECT_FALSE(server.session.over());
  server.session.send_response(*server.last, "HTTP/1.1 204 No Content\r\n\r\n", true);
  talk(client, server);
  EXPECT_EQ(client.events, "response 204\nclosed NO_ERROR\n");
  EXPECT_TRUE(server.session.over());
}

// ── abuse ──

// How many frames of a kind a connection takes before it is ended; 0: more than `most`.
int frames_until_the_end(Side& server, const std::function<std::string(uint32_t)>& make, int most = 5000) {
  feed(server, hello());
  for (int i = 0; i < most; ++i) {
    feed(server, make(static_cast<uint32_t>(2 * i + 1)));
    output(server);
    if (*server.session.reason()) return i + 1;
  }
  return 0;
}

TEST(H2, FloodsEndTheConnection) {
  const std::string get = block(get_with({}));
  const std::map<std::string, std::function<std::string(uint32_t)>> floods{
      {"PING frames", [](uint32_t) { return frame(ping, 0, 0, "12345678"); }},
      {"SETTINGS frames", [](uint32_t) { return frame(settings, 0, 0, ""); }},
      {"RST_STREAM frames",
       [&](uint32_t id) {
         return frame(headers, end_headers | end_stream, id, get) + frame(rst_stream, 0, id, number(8));
       }},
      {"frames without use", [](uint32_t id) { return frame(priority, 0, id, number(0) + "\x10"); }},
      {"frames without use: unknown", [](uint32_t) { return frame(0x77, 0, 0, "x"); }},
      {"WINDOW_UPDATE frames", [](uint32_t) { return frame(window_update, 0, 0, number(1)); }},
      {"empty DATA frames",
       [&](uint32_t id) { return (id == 1 ? frame(headers, end_headers, 1, get) : "") + frame(data, 0, 1, ""); }},
      {"streams that had to be reset",
       [](uint32_t id) {
         return request(id, get_with({{"connection", "x"}}));
       }},
      {"streams that had to be reset: by windows too large",
       [&](uint32_t id) {
         return frame(headers, end_headers, id, get) + frame(window_update, 0, id, number(0x7fffffff));
       }},
  };
  for (const auto& [offence, make] : floods) {
    Side server(Role::server);
    int taken = frames_until_the_end(server, make);
    EXPECT_GT(taken, 50) << offence;
    EXPECT_LE(taken, H2Budget::most + 2) << offence;
    EXPECT_EQ(server.session.reason(), offence.substr(0, offence.find(':')));
  }
}

// The streams of DATA frames, in their order.
std::vector<uint32_t> data_streams(std::string_view bytes) {
  std::vector<uint32_t> streams;
  auto at = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(bytes[i])); };
  while (bytes.size() >= 9) {
    size_t length = at(0) << 16 | at(1) << 8 | at(2);
    if (at(3) == data) streams.push_back(at(5) << 24 | at(6) << 16 | at(7) << 8 | at(8));
    bytes.remove_prefix(9 + length);
  }
  return streams;
}

// RFC 9218: what is urgent goes first, whatever was asked for first; and a client may change its mind.
TEST(H2, UrgentAnswersGoFirst) {
  constexpr uint8_t priority_update = 16;
  for (bool changed : {false, true}) {
    Side server(Role::server);
    feed(server, hello() + request(1, get_with({{"priority", "u=6"}})) + request(3, get_with({{"priority", "u=1"}})));
    if (changed) feed(server, frame(priority_update, 0, 0, number(1) + "u=0"));
    ASSERT_EQ(server.requests.size(), 2u);
    for (H2Stream* stream : server.requests) {
      server.session.send_response(*stream, "HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n", false);
      Body whole = body(std::string(40'000, 'x'));
      server.session.send(*stream, whole);
      server.session.end(*stream, nullptr);
    }
    std::vector<uint32_t> order = data_streams(output(server));
    ASSERT_GE(order.size(), 4u);
    EXPECT_EQ(order.front(), changed ? 1u : 3u);
    std::vector<uint32_t> in_turn = order;
    std::stable_sort(in_turn.begin(), in_turn.end(), [&](uint32_t a, uint32_t b) { return changed ? a < b : a > b; });
    EXPECT_EQ(order, in_turn) << "one after the other, as they don't say incremental";
  }
}

TEST(H2, AHeadInTooManyPiecesEndsTheConnection) {
  Side server(Role::server);
  feed(server, hello() + frame(headers, 0, 1, block(get_with({}))));
  for (int i = 0; i < H2Budget::most_continuations; ++i) feed(server, frame(continuation, 0, 1, ""));
  EXPECT_EQ(server.session.reason(), std::string());
  feed(server, frame(continuation, 0, 1, ""));
  EXPECT_EQ(server.session.reason(), std::string("CONTINUATION frames"));
}

TEST(H2, InterimAnswersHaveAnEnd) {
  Side client(Role::client);
  client.session.send_request("GET / HTTP/1.1\r\nHost: a\r\n\r\n", {}, true);
  output(client);
  feed(client, frame(settings, 0, 0, ""));
  for (int i = 0; i < 2 * H2Budget::most; ++i)
    feed(client, frame(headers, end_headers, 1, block({{":status", "103"}})));
  output(client);
  EXPECT_EQ(client.session.reason(), std::string("interim answers"));
}

TEST(H2, TimeForgives) {
  Side server(Role::server);
  feed(server, hello());
  for (int second = 1; second < 100; ++second)
    for (int i = 0; i < 90; ++i) feed(server, frame(ping, 0, 0, "12345678"), SIZE_MAX, second * 1000), output(server);
  EXPECT_EQ(server.session.reason(), std::string());
}

// Each at a rate that time would forgive, if there were not so many.
TEST(H2, ManyThatWasteALittleEndTogether) {
  H2SharedBudget all;
  H2Limits limits;
  limits.waste = &all;
  std::vector<std::unique_ptr<Side>> wasteful;
  for (int i = 0; i < 100; ++i) wasteful.push_back(std::make_unique<Side>(Role::server, limits));
  Side modest(Role::server, limits);
  for (auto& side : wasteful) feed(*side, hello());
  feed(modest, hello());
  auto living = [&] {
    return std::count_if(wasteful.begin(), wasteful.end(), [](auto& s) { return *s->session.reason() == 0; });
  };
  for (int second = 1; second <= 20; ++second) {
    for (int i = 0; i < 90; ++i)
      for (auto& side : wasteful) feed(*side, frame(ping, 0, 0, "12345678"), SIZE_MAX, second * 1000), output(*side);
    for (int i = 0; i < 10; ++i) feed(modest, frame(ping, 0, 0, "12345678"), SIZE_MAX, second * 1000), output(modest);
    if (second == 3) EXPECT_EQ(living(), 100) << "together 9,000 a second, forgiven 5,000: 20,000 last a while";
  }
  EXPECT_LT(living(), 60);
  EXPECT_EQ(modest.session.reason(), std::string());
}

TEST(H2, UseEarnsWhatItCosts) {
  Side client(Role::client), server(Role::server);
  for (int i = 0; i < 5000; ++i) {
    client.session.send_request("GET / HTTP/1.1\r\nHost: a\r\n\r\n", {}, true);
    talk(client, server);
    ASSERT_EQ(server.requests.size(), 1u) << i << server.session.reason();
    Fields trailers;
    trailers.add("grpc-status", "0");
    server.session.send_response(*server.last, "HTTP/1.1 200 OK\r\n\r\n", false);
    server.session.end(*server.last, &trailers);
    talk(client, server);
    ASSERT_EQ(client.session.reason(), std::string()) << i;
  }
  // A long download, every frame of which is confirmed twice.
  client.session.send_request("GET / HTTP/1.1\r\nHost: a\r\n\r\n", {}, true);
  talk(client, server);
  server.session.send_response(*server.last, "HTTP/1.1 200 OK\r\n\r\n", false);
  for (int i = 0; i < 1000; ++i) {
    Body part = body(std::string(64 * 1024, 'x'));
    server.session.send(*server.last, part);
    talk(client, server);
    ASSERT_EQ(server.session.reason(), std::string());
  }
}

TEST(H2, FramesForStreamsThatAreOver) {
  auto after = [](const std::string& frames, bool reset_by_us) {
    Side server(Role::server);
    feed(server, hello() + request(1, get_with({}), end_headers));
    if (reset_by_us) {
      server.session.reset(*server.last, H2Error::cancel);
    } else {
      server.session.send_response(*server.last, "HTTP/1.1 204 No Content\r\n\r\n", true);
      feed(server, frame(data, end_stream, 1, ""));
    }
    output(server);
    feed(server, frames);
    return std::string(server.session.reason());
  };
  EXPECT_EQ(after(frame(data, 0, 1, "late"), true), "");  // it was on its way
  EXPECT_EQ(after(frame(data, 0, 1, "late"), false), "a frame on a closed stream");
  EXPECT_EQ(after(request(1, get_with({})), false), "a frame on a closed stream");
  EXPECT_EQ(after(request(5, get_with({})) + request(3, get_with({})), false), "a stream's number below one before it");
}

}  // namespace
}  // namespace portolan::http
