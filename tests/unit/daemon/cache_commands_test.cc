// `portolan purge` and `portolan cache warm` against a daemon's admin socket.
#include <cstdio>
#include <fstream>

#include "daemon/cache_warm.hh"
#include "daemon/signed_routes.hh"
#include "tests/unit/daemon/cli_fixture.hh"

namespace portolan::daemon {
namespace {

class CacheCommands : public CliWithDaemon {
 protected:
  ~CacheCommands() override { std::remove(list_.c_str()); }
  void write(const std::string& text) const { std::ofstream(list_, std::ios::trunc) << text; }
  std::string list_ = ::testing::TempDir() + "list-" + std::to_string(getpid());
};

TEST_F(CacheCommands, APurgeSaysThatTheDiskIsNotCounted) {
  EXPECT_EQ(remote({"purge", "http://a/b"}), 0) << err();
  EXPECT_EQ(out(), "3 objects purged\n");
  in_daemon([&] { backend_.disk = true; });
  EXPECT_EQ(remote({"purge", "http://a/b"}), 0) << err();
  EXPECT_EQ(out(), "3 objects in memory purged; what is on the disk is outdated with them, and not counted\n");
  EXPECT_EQ(remote({"purge", "--host", "a"}), 0) << err();
  EXPECT_EQ(out(), "host a is purged\n");
}

TEST_F(CacheCommands, WarmRefusesWhatIsNoEncoding) {
  write("");
  for (const char* good : {"br", "gzip;q=0.5, zstd", "identity"})
    EXPECT_EQ(remote({"cache", "warm", list_.c_str(), "--encoding", good}), 0) << err();
  for (const char* wrong : {"foo", "br, foo", "deflate"})
    EXPECT_EQ(remote({"cache", "warm", list_.c_str(), "--encoding", wrong}), 2) << wrong;
  EXPECT_EQ(err(), "portolan: a cache knows no encoding deflate; there are br, gzip, zstd and identity\n");
}

TEST_F(CacheCommands, WarmSaysWhyAListCannotBeRead) {
  EXPECT_EQ(remote({"cache", "warm", "/nowhere/list"}), 2);
  EXPECT_EQ(err(), "portolan: cannot read /nowhere/list: No such file or directory\n");
  EXPECT_EQ(remote({"cache", "load", "/"}), 2);
  EXPECT_EQ(err(), "portolan: cannot read /: Is a directory\n");
}

// A port that nobody listens at: the URL fails, but was to be asked for with its signature.
TEST_F(CacheCommands, WarmHasTheDaemonSignItsUrls) {
  in_daemon([&] { backend_.report.listeners = {{"web", "127.0.0.1:1"}}; });
  write("http://a/1\nhttp://a/2\n");
  EXPECT_EQ(remote({"cache", "load", list_.c_str()}), 1);
  EXPECT_NE(err().find("http://a/1: "), std::string::npos) << err();
  EXPECT_EQ(err().find("signed"), std::string::npos) << "a signature is nobody's to read";
  std::vector<std::string> calls;
  in_daemon([&] { calls = backend_.calls; });
  EXPECT_EQ(calls, std::vector<std::string>{R"(sign {"listener":"web","urls":["http://a/1","http://a/2"]})"});
}

TEST_F(CacheCommands, ALongListIsSignedInPieces) {
  in_daemon([&] { backend_.report.listeners = {{"web", "127.0.0.1:1"}}; });
  std::string list;
  for (int i = 0; i < 30; ++i) list += "http://a/" + std::string(5000, 'x') + std::to_string(i) + "\n";
  write(list);
  EXPECT_EQ(remote({"cache", "load", list_.c_str()}), 1);
  EXPECT_NE(out().find("30 requests"), std::string::npos) << out() << err();
  size_t calls = 0;
  in_daemon([&] { calls = backend_.calls.size(); });
  EXPECT_EQ(calls, 3u);
}

TEST(SignOrder, IsJson) {
  auto order = parse_sign_order(to_json(SignOrder{{"http://a/1"}, "web"}));
  ASSERT_TRUE(order);
  EXPECT_EQ(order->urls, std::vector<std::string>{"http://a/1"});
  EXPECT_EQ(order->listener, "web");
  for (const char* wrong :
       {"", "[]", "{}", R"({"urls":"http://a/"})", R"({"urls":[1]})", R"({"urls":[],"listener":1})"})
    EXPECT_FALSE(parse_sign_order(wrong)) << wrong;
  EXPECT_EQ(*parse_urls(urls_to_json({"a", "b"})), (std::vector<std::string>{"a", "b"}));
  EXPECT_FALSE(parse_urls("{}"));
}

}  // namespace
}  // namespace portolan::daemon
