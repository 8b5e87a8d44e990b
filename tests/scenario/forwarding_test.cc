// Requests and answers on their way through, when all goes well.
#include "world.hh"

namespace portolan::scenario {
namespace {

TEST(Forwarding, ARequestPassesWithWhatAProxyAdds) {
  World w;
  auto client = w.client();
  client.sends("GET /a?b=c HTTP/1.1\r\nHost: A.example\r\nConnection: x-mine\r\nX-Mine: 1\r\nAccept: */*\r\n\r\n");
  auto server = w.origin().accepts();
  Message got = server.receives();
  EXPECT_EQ(got.start, "GET /a?b=c HTTP/1.1");
  EXPECT_EQ(got.field("Host"), "A.example");
  EXPECT_EQ(got.field("Accept"), "*/*");
  EXPECT_EQ(got.field("X-Forwarded-For"), "127.0.0.1");
  EXPECT_EQ(got.field("X-Forwarded-Proto"), "http");
  EXPECT_EQ(got.field("Via"), "1.1 edge-1");
  EXPECT_FALSE(got.has("X-Mine"));
  EXPECT_FALSE(got.has("Connection"));
  server.answers("hello", "Keep-Alive: timeout=5\r\nServer: app\r\n");
  Message answer = client.gets();
  EXPECT_EQ(answer.status(), 200);
  EXPECT_EQ(answer.body, "hello");
  EXPECT_EQ(answer.field("Server"), "app");
  EXPECT_EQ(answer.field("Via"), "1.1 edge-1");
  EXPECT_EQ(answer.field("Date"), "Tue, 14 Nov 2023 22:13:21 GMT");
  EXPECT_FALSE(answer.has("Keep-Alive"));
  EXPECT_EQ(w.count("portolan_requests_total", "status=\"200\""), 1u);
}

TEST(Forwarding, BothConnectionsAreKeptAndUsedAgain) {
  World w;
  auto client = w.client();
  client.asks("GET /1");
  auto server = w.origin().accepts();
  for (int i = 1; i <= 5; ++i) {
    if (i > 1) client.asks("GET /" + std::to_string(i));
    EXPECT_EQ(server.receives().start, "GET /" + std::to_string(i) + " HTTP/1.1");
    server.answers(std::to_string(i));
    EXPECT_EQ(client.gets().body, std::to_string(i));
  }
  w.origin().nobody_comes();
  auto other = w.client();
  other.asks("GET /other");
  EXPECT_EQ(server.receives().start, "GET /other HTTP/1.1");
  server.answers("x", "Connection: close\r\n");
  EXPECT_EQ(other.gets().body, "x");
  server.is_closed();
}

TEST(Forwarding, PipelinedRequestsAreAnsweredInOrder) {
  World w;
  auto client = w.client();
  client.sends(
      "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
      "GET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /never HTTP/1.1\r\nHost: a\r\n\r\n");
  auto server = w.origin().accepts();
  EXPECT_EQ(server.receives().start, "GET /1 HTTP/1.1");
  server.gets_nothing();
  server.answers("one");
  Message second = server.receives();
  EXPECT_EQ(second.start + second.body, "POST /2 HTTP/1.1abc");
  server.answers("two");
  EXPECT_EQ(server.receives().start, "GET /3 HTTP/1.1");
  server.answers("three");
  EXPECT_EQ(client.gets().body, "one");
  EXPECT_EQ(client.gets().body, "two");
  Message last = client.gets();
  EXPECT_EQ(last.body, "three");
  EXPECT_EQ(last.field("Connection"), "close");
  client.is_closed();
  server.gets_nothing();
}

TEST(Forwarding, ChunksAndTrailersPassBothWays) {
  World w;
  auto client = w.client();
  client.sends(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n\r\n"
      "5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 42\r\nCache-Control: no-store\r\n\r\n");
  auto server = w.origin().accepts();
  Message got = server.receives();
  EXPECT_TRUE(got.chunked);
  EXPECT_FALSE(got.has("Content-Length"));
  EXPECT_EQ(got.body, "hello world");
  ASSERT_EQ(got.trailers.size(), 1u);
  EXPECT_EQ(got.trailers[0].first + got.trailers[0].second, "X-Sum42");
  server.sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  Message head = client.gets_head();
  EXPECT_EQ(head.field("Transfer-Encoding"), "chunked");
  EXPECT_EQ(client.reads(8), "3\r\nabc\r\n");  // passes as it comes, not at the end
  server.sends("0\r\nX-Check: ok\r\nSet-Cookie: a=b\r\n\r\n");
  EXPECT_EQ(client.reads(18), "0\r\nX-Check: ok\r\n\r\n");
  EXPECT_EQ(client.get("/", "X-Unanswered: 1\r\nConnection: close\r\nTransfer-Encoding: x\r\n").status(), 501);
}

TEST(Forwarding, HeadHasALengthAndNoBody) {
  World w;
  auto client = w.client();
  client.asks("HEAD /");
  auto server = w.origin().accepts();
  EXPECT_EQ(server.receives().start, "HEAD / HTTP/1.1");
  server.sends("HTTP/1.1 200 OK\r\nContent-Length: 12345\r\nETag: \"x\"\r\n\r\n");
  Message answer = client.gets(Kind::answer_to_head);
  EXPECT_EQ(answer.field("Content-Length"), "12345");
  client.asks("GET /next");
  EXPECT_EQ(server.receives().start, "GET /next HTTP/1.1");
  server.sends("HTTP/1.1 204 No Content\r\n\r\n");
  Message empty = client.gets();
  EXPECT_EQ(empty.status(), 204);
  EXPECT_FALSE(empty.has("Content-Length"));
  client.asks("GET /third");
  server.receives();
  server.sends("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n");
  EXPECT_EQ(client.gets().status(), 304);
  client.gets_nothing();
}

TEST(Forwarding, AClientOfHttp10GetsNoChunks) {
  World w;
  auto client = w.client();
  client.sends("GET / HTTP/1.0\r\n\r\n");
  auto server = w.origin().accepts();
  Message got = server.receives();
  EXPECT_EQ(got.start, "GET / HTTP/1.1");
  EXPECT_EQ(got.field("Via"), "1.0 edge-1");
  server.sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
  Message answer = client.gets();
  EXPECT_EQ(answer.body, "hello");
  EXPECT_FALSE(answer.chunked);
  EXPECT_EQ(answer.field("Connection"), "close");

  auto kept = w.client();
  kept.sends("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
  server.receives();
  server.answers("again");
  Message second = kept.gets();
  EXPECT_EQ(second.body + second.field("Connection"), "againkeep-alive");
  kept.gets_nothing();
}

TEST(Forwarding, AServersEndEndsAnAnswerWithoutFraming) {
  World w;
  auto client = w.client();
  auto server = w.asked(client);
  server.sends("HTTP/1.0 200 OK\r\nServer: old\r\n\r\nuntil the end");
  server.closes();
  Message answer = client.gets();
  EXPECT_TRUE(answer.chunked);
  EXPECT_EQ(answer.body, "until the end");
  client.gets_nothing();
}

TEST(Forwarding, ContinueIsTheServersToSay) {
  World w;
  auto client = w.client();
  client.sends("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  auto server = w.origin().accepts();
  EXPECT_EQ(server.gets_head().field("Expect"), "100-continue");
  client.gets_nothing();
  server.sends("HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(client.gets().status(), 100);
  client.sends("hello");
  EXPECT_EQ(server.reads(5), "hello");
  server.answers("thanks");
  EXPECT_EQ(client.gets().body, "thanks");
  client.gets_nothing();
}

TEST(Forwarding, ARefusalInsteadOfContinueEndsTheConnection) {
  World w;
  auto client = w.client();
  client.sends("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  auto server = w.origin().accepts();
  server.gets_head();
  server.answers("no", "", "413 Content Too Large");
  EXPECT_EQ(client.gets().status(), 413);
  server.is_closed();  // it waits for a body that won't come
}

TEST(Forwarding, EarlyHintsPassAndOldClientsAreSpared) {
  World w;
  auto client = w.client();
  auto server = w.asked(client);
  server.sends("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n");
  Message hints = client.gets();
  EXPECT_EQ(hints.status(), 103);
  EXPECT_EQ(hints.field("Link"), "</a.css>");
  server.sends("HTTP/1.1 103 Early Hints\r\nLink: </b.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_EQ(client.gets().field("Link"), "</b.css>");
  EXPECT_EQ(client.gets().body, "ok");
  auto old = w.client();
  old.sends("GET / HTTP/1.0\r\n\r\n");
  server.receives();
  server.sends("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_EQ(old.gets().status(), 200);
}

TEST(Forwarding, AServerWaitsForAClientThatDoesNotRead) {
  World w;
  auto client = w.client();
  auto server = w.asked(client, "GET /large");
  constexpr size_t size = 32 << 20;
  server.sends("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n");
  size_t poured = server.pours(size);
  EXPECT_LT(poured, size / 2) << "the proxy keeps what the client doesn't take";
  client.gets_head();
  size_t read = client.reads(poured).size();
  while (read < size) {
    size_t more = server.pours(std::min<size_t>(size - poured, 1 << 20));
    poured += more;
    read += client.reads(poured - read).size();
  }
  client.gets_nothing();
  EXPECT_EQ(client.fd() >= 0, true);
}

TEST(Forwarding, AClientWaitsForAServerThatDoesNotRead) {
  World w;
  auto client = w.client();
  constexpr size_t size = 32 << 20;
  client.sends("PUT /large HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n");
  auto server = w.origin().accepts();
  size_t poured = client.pours(size);
  EXPECT_LT(poured, size / 2);
  server.gets_head();
  size_t read = server.reads(poured).size();
  while (read < size) {
    poured += client.pours(std::min<size_t>(size - poured, 1 << 20));
    read += server.reads(poured - read).size();
  }
  server.answers("done");
  EXPECT_EQ(client.gets().body, "done");
}

TEST(Forwarding, AnAnswerBeforeTheRequestsEndIsDelivered) {
  World w;
  auto client = w.client();
  client.sends("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf.");
  auto server = w.origin().accepts();
  server.gets_head();
  server.answers("no", "", "401 Unauthorized");
  EXPECT_EQ(client.gets().status(), 401);
  client.sends("half.");
  client.asks("GET /next");            // the rest was read and dropped
  auto second = w.origin().accepts();  // the first connection stands amid a request
  EXPECT_EQ(second.receives().start, "GET /next HTTP/1.1");
  second.answers("ok");
  EXPECT_EQ(client.gets().body, "ok");
}

TEST(Forwarding, AClientThatClosedItsSideStillGetsItsAnswer) {
  World w;
  auto client = w.client();
  client.asks("GET /");
  client.ends_its_side();
  auto server = w.origin().accepts();
  server.receives();
  server.answers("ok");
  EXPECT_EQ(client.gets().body, "ok");
  client.is_closed();
}

TEST(Forwarding, HowBytesAreSplitChangesNothing) {
  World w;
  auto client = w.client();
  auto server = w.asked(client, "GET /first");
  server.answers("");
  client.gets();
  for (const std::string& message : {
           std::string("GET /a?b HTTP/1.1\r\nHost: a\r\nX-One: 1\r\n\r\n"),
           std::string("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabcdef"),
           std::string("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                       "chunked\r\n\r\n3;e\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n"),
           std::string("\r\nPUT http://a/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n!"),
       }) {
    client.sends(message);
    std::string whole = server.receives().summary();
    server.answers("");
    client.gets();
    for (size_t cut = 1; cut < message.size(); ++cut) {
      client.sends(message.substr(0, cut));
      w.worker.turn(0);
      client.sends(message.substr(cut));
      ASSERT_EQ(server.receives().summary(), whole) << "split at " << cut << " of " << message;
      server.answers("");
      ASSERT_EQ(client.gets().status(), 200);
    }
  }
}

TEST(Forwarding, HowAnAnswerIsSplitChangesNothing) {
  World w;
  auto client = w.client();
  client.asks("GET /");
  auto server = w.origin().accepts();
  for (const std::string& message : {
           std::string("HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX: 1\r\n\r\nabcdef"),
           std::string(
               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;e\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n"),
           std::string("HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n"),
       }) {
    server.receives();
    server.sends(message);
    std::string whole = client.gets().summary();
    client.asks("GET /");
    for (size_t cut = 1; cut < message.size(); ++cut) {
      server.receives();
      server.sends(message.substr(0, cut));
      w.worker.turn(0);
      server.sends(message.substr(cut));
      ASSERT_EQ(client.gets().summary(), whole) << "split at " << cut << " of " << message;
      client.asks("GET /");
    }
  }
}

}  // namespace
}  // namespace portolan::scenario
