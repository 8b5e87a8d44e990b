#include <gtest/gtest.h>

#include "tests/unit/core/http/replay.hh"

namespace portolan::http::test {
namespace {

TEST(HeadWriterTest, Request) {
  std::string out = "before|";
  HeadWriter w(out);
  w.request_line("GET", "/a?b");
  w.field("Host", "x");
  w.field("Empty", "");
  w.field("Max-Forwards", uint64_t{7});
  w.framing(Framing::none, 9);
  w.end();
  EXPECT_EQ(out, "before|GET /a?b HTTP/1.1\r\nHost: x\r\nEmpty: \r\nMax-Forwards: 7\r\n\r\n");
}

TEST(HeadWriterTest, ResponseAndFraming) {
  std::string out;
  HeadWriter w(out);
  w.status_line(200);
  w.framing(Framing::length, UINT64_MAX);
  w.status_line(404, "Nope");
  w.framing(Framing::chunked, 3);
  w.status_line(299);
  w.framing(Framing::until_close, 3);
  EXPECT_EQ(out,
            "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\nHTTP/1.1 404 "
            "Nope\r\nTransfer-Encoding: "
            "chunked\r\nHTTP/1.1 299 \r\n");
}

TEST(ChunkHeaderTest, Sizes) {
  char buffer[18];
  auto text = [&](uint64_t n) { return std::string(buffer, chunk_header(buffer, n)); };
  EXPECT_EQ(text(0), "0\r\n");
  EXPECT_EQ(text(0x1a2b), "1a2b\r\n");
  EXPECT_EQ(text(UINT64_MAX), "ffffffffffffffff\r\n");
}

}  // namespace
}  // namespace portolan::http::test
