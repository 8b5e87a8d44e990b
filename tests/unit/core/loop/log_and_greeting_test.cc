// The access log's rings and writer, and the PROXY protocol's header.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <thread>

#include "core/base/log.hh"
#include "core/loop/log_writer.hh"
#include "core/loop/proxy_protocol.hh"

namespace portolan::loop {
namespace {

using Outcome = ProxyHeader::Outcome;

TEST(LogRing, LinesComeOutAsTheyWentInAcrossTheEnd) {
  LogRing ring(64);
  std::string in, out;
  for (int i = 0; i < 200; ++i) {
    std::string line = "line " + std::to_string(i) + "\n";
    ASSERT_TRUE(ring.append(line));
    in += line;
    if (i % 5 == 4) ring.take(out);
  }
  ring.take(out);
  EXPECT_EQ(out, in);
  EXPECT_EQ(ring.appended(), 200u);
  EXPECT_EQ(ring.dropped(), 0u);
  EXPECT_EQ(ring.take(out), 0u);
}

TEST(LogRing, AFullRingDropsWholeLinesAndCountsThem) {
  LogRing ring(16);
  EXPECT_TRUE(ring.append("0123456789\n"));
  EXPECT_FALSE(ring.append("abcdef\n"));
  EXPECT_TRUE(ring.append("abcd\n"));  // exactly the room there is
  EXPECT_FALSE(ring.append("\n"));
  EXPECT_EQ(ring.dropped(), 2u);
  std::string out;
  ring.take(out);
  EXPECT_EQ(out, "0123456789\nabcd\n");
  EXPECT_FALSE(ring.append(std::string(17, 'x')));
  EXPECT_TRUE(ring.append(std::string(16, 'x')));
}

TEST(LogRing, OneThreadWritesWhileAnotherTakes) {
  LogRing ring(4096);
  constexpr int lines = 50'000;
  uint64_t accepted = 0;
  std::thread producer([&] {
    for (int i = 0; i < lines; ++i) accepted += ring.append(std::to_string(i) + "\n");
  });
  std::string out;
  while (ring.appended() + ring.dropped() < lines) ring.take(out);
  producer.join();
  ring.take(out);
  std::istringstream all(out);
  int last = -1;
  uint64_t seen = 0;
  for (std::string line; std::getline(all, line); ++seen) {
    int number = std::atoi(line.c_str());
    ASSERT_GT(number, last);
    last = number;
  }
  EXPECT_EQ(seen, accepted);
  EXPECT_EQ(ring.appended(), accepted);
}

struct Folder {
  Folder() {
    char name[] = "/tmp/portolan-test-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string read(const std::string& name) const {
    std::ifstream in(path + "/" + name);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::string path;
};

bool comes(const std::function<bool()>& reached) {
  for (int i = 0; i < 5000 && !reached(); ++i) ::poll(nullptr, 0, 1);
  return reached();
}

TEST(LogWriter, WritesWhatIsLeftWhenItEnds) {
  Folder folder;
  {
    LogWriter writer;
    EXPECT_FALSE(writer.enabled());
    ASSERT_TRUE(writer.open(folder.path + "/log"));
    EXPECT_TRUE(writer.enabled());
    LogRing &a = writer.add_ring(), &b = writer.add_ring();
    a.append("a\n");
    b.append("b\n");  // and nobody woke it
  }
  EXPECT_EQ(folder.read("log"), "a\nb\n");
  struct stat s {};
  ASSERT_EQ(::stat((folder.path + "/log").c_str(), &s), 0);
  EXPECT_EQ(s.st_mode & 0137, 0u);  // at most 0640
}

TEST(LogWriter, ReopensARotatedFile) {
  Folder folder;
  LogWriter writer;
  ASSERT_TRUE(writer.open(folder.path + "/log"));
  LogRing& ring = writer.add_ring();
  ring.append("before\n");
  writer.wake(ring);
  ASSERT_TRUE(comes([&] { return writer.written() == 1; }));
  std::filesystem::rename(folder.path + "/log", folder.path + "/log.1");
  ASSERT_TRUE(writer.reopen());
  ring.append("after\n");
  writer.wake(ring);
  ASSERT_TRUE(comes([&] { return writer.written() == 2; }));
  EXPECT_EQ(folder.read("log.1"), "before\n");
  EXPECT_EQ(folder.read("log"), "after\n");
}

TEST(LogWriter, CountsTheLinesAFullDiskRefuses) {
  log::set_sink([](std::string_view) {});
  {
    LogWriter writer;
    ASSERT_TRUE(writer.open("/dev/full"));
    LogRing& ring = writer.add_ring();
    for (int i = 0; i < 3; ++i) ring.append("lost\n");
    writer.wake(ring);
    EXPECT_TRUE(comes([&] { return writer.dropped() == 3; }));
    EXPECT_EQ(writer.written(), 0u);
  }
  log::set_sink(nullptr);
}

TEST(LogWriter, SaysWhyAFileCannotBeOpened) {
  LogWriter writer;
  auto status = writer.open("/nonexistent/log");
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().text.find("/nonexistent/log"), std::string::npos);
  EXPECT_FALSE(writer.enabled());
}

// ── PROXY protocol ────────────────────────────────────────────────────────────────────────────

std::string v2(char version_command, char family, const std::string& rest) {
  std::string out("\r\n\r\n\0\r\nQUIT\n", 12);
  out += version_command;
  out += family;
  out += static_cast<char>(rest.size() >> 8);
  out += static_cast<char>(rest.size() & 0xff);
  return out + rest;
}

const std::string four("\xc6\x33\x64\x07\xcb\x00\x71\x01\x13\x88\x00\x50", 12);

std::string six() {
  std::string out(36, '\0');
  out[0] = 0x20, out[1] = 0x01, out[15] = 7, out[31] = 1, out[33] = 9, out[35] = 80;
  return out;
}

struct Good {
  std::string bytes;
  bool has_source;
  std::string source, destination;
};

std::vector<Good> good_headers() {
  return {
      {"PROXY TCP4 198.51.100.7 203.0.113.1 5000 80\r\n", true, "198.51.100.7:5000", "203.0.113.1:80"},
      {"PROXY TCP4 255.255.255.255 0.0.0.0 65535 1\r\n", true, "255.255.255.255:65535", "0.0.0.0:1"},
      {"PROXY TCP6 2001::7 ::1 9 80\r\n", true, "[2001::7]:9", "[::1]:80"},
      {"PROXY UNKNOWN\r\n", false, "", ""},
      {"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", false, "", ""},
      {v2(0x21, 0x11, four), true, "198.51.100.7:5000", "203.0.113.1:80"},
      {v2(0x21, 0x11, four + std::string("\x04\x00\x02hi", 5)), true, "198.51.100.7:5000", "203.0.113.1:80"},
      {v2(0x21, 0x21, six()), true, "[2001::7]:9", "[::1]:80"},
      {v2(0x20, 0x00, ""), false, "", ""},
      {v2(0x20, 0x11, four), false, "", ""},
      {v2(0x21, 0x31, std::string(216, 'u')), false, "", ""},
      {v2(0x21, 0x00, ""), false, "", ""},
  };
}

TEST(ProxyProtocol, GoodHeadersAreReadHoweverTheyAreSplit) {
  for (const Good& good : good_headers()) {
    std::string with_more = good.bytes + "GET / HTTP/1.1\r\n";
    ProxyHeader h = parse_proxy_header(with_more);
    ASSERT_EQ(h.outcome, Outcome::ok) << good.bytes;
    EXPECT_EQ(h.consumed, good.bytes.size());
    EXPECT_EQ(h.has_source, good.has_source) << good.bytes;
    if (good.has_source) {
      EXPECT_EQ(h.source.to_string(), good.source);
      EXPECT_EQ(h.destination.to_string(), good.destination);
    }
    for (size_t n = 0; n < good.bytes.size(); ++n)
      ASSERT_EQ(parse_proxy_header(good.bytes.substr(0, n)).outcome, Outcome::need_more)
          << n << " bytes of " << good.bytes;
  }
}

TEST(ProxyProtocol, BadHeadersAreInvalidAndNeverEndless) {
  for (const std::string& bad : {
           std::string("GET / HTTP/1.1\r\n"),
           std::string("proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n"),
           std::string("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n"),
           std::string("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n"),
           std::string("PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n"),
           std::string("PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n"),
           std::string("PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n"),
           std::string("PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n"),
           std::string("PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n"),
           std::string("PROXY TCP4 ::1 ::1 1 2\r\n"),
           std::string("PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n"),
           std::string("PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n"),
           std::string("PROXY UNKNOWNX\r\n"),
           std::string("PROXY \r\n"),
           "PROXY TCP4 " + std::string(200, '1'),
           "PROXY UNKNOWN " + std::string(100, 'x') + "\r\n",
           v2(0x11, 0x11, four),
           v2(0x22, 0x11, four),
           v2(0x21, 0x11, four.substr(0, 11)),
           v2(0x21, 0x21, four),
           v2(0x21, 0x11, std::string(521, '\0')),
           std::string("\r\n\r\n\0\r\nQUIX\n", 12),
       })
    EXPECT_EQ(parse_proxy_header(bad).outcome, Outcome::invalid) << bad;
  // However long what comes is, an answer is there after 536 bytes.
  for (const std::string& start : {std::string("PROXY "), v2(0x21, 0x11, four).substr(0, 12) + "\x21\x11\x02\x08"})
    EXPECT_NE(parse_proxy_header(start + std::string(536 - start.size(), 'x')).outcome, Outcome::need_more);
}

}  // namespace
}  // namespace portolan::loop
