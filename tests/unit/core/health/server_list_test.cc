// Lists of servers in files: their lines, and reading them.
#include "core/health/server_list.hh"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace portolan::health {
namespace {

std::string trouble(const std::string& text) {
  auto list = parse_server_list(text, "/l");
  return list ? "" : list.error().text;
}

TEST(ServerLists, SayOneServerALineWithWhatDiffers) {
  auto list = parse_server_list(
      "# the app\n"
      "10.0.0.11:8080\n"
      "\n"
      "  10.0.0.12:8080\tweight=2  max_connections=200 # the large one\r\n"
      "[2001:db8::1]:80 backup\n"
      "unix:/run/app.sock max_connections=0\n"
      "app-3.internal:8080 backup weight=1000",
      "/l");
  ASSERT_TRUE(list) << list.error().text;
  ASSERT_EQ(list->size(), 5u);
  const auto& l = *list;
  EXPECT_EQ(l[0].at.to_string(), "10.0.0.11:8080");
  EXPECT_FALSE(l[0].weight || l[0].max_connections || l[0].backup);
  EXPECT_EQ(l[1].weight, 2);
  EXPECT_EQ(l[1].max_connections, 200);
  EXPECT_EQ(l[2].at.to_string(), "[2001:db8::1]:80");
  EXPECT_EQ(l[2].backup, true);
  EXPECT_EQ(l[3].at.to_string(), "unix:/run/app.sock");
  EXPECT_EQ(l[3].max_connections, 0);
  EXPECT_FALSE(l[4].at.is_literal);
  EXPECT_EQ(l[4].weight, 1000);
}

TEST(ServerLists, MistakesSayFileAndLine) {
  EXPECT_EQ(trouble("10.0.0.1:80\n\n10.0.0.1\n"),
            "/l:3: \"10.0.0.1\" is not a server: write \"host:port\", \"[v6]:port\" or \"unix:/path\"");
  EXPECT_EQ(trouble("10.0.0.1:80 weight=0"), "/l:1: weight= takes a whole number from 1 to 1000, not \"0\"");
  EXPECT_EQ(trouble("10.0.0.1:80 weight=1001"), "/l:1: weight= takes a whole number from 1 to 1000, not \"1001\"");
  EXPECT_EQ(trouble("10.0.0.1:80 weight="), "/l:1: weight= takes a whole number from 1 to 1000, not \"\"");
  EXPECT_EQ(trouble("10.0.0.1:80 weight=2 weight=2"), "/l:1: weight= stands twice");
  EXPECT_EQ(trouble("10.0.0.1:80 max_connections=-1"),
            "/l:1: max_connections= takes a whole number from 0 to 1000000, not \"-1\"");
  EXPECT_EQ(trouble("10.0.0.1:80 wieght=2"), "/l:1: \"wieght=2\" is none of weight=N, max_connections=N and backup");
  EXPECT_EQ(trouble("10.0.0.1:80\n10.0.0.1:80 weight=2\n"), "/l:2: \"10.0.0.1:80\" stands twice");
  EXPECT_EQ(trouble(""), "/l:1: no server in the file");
  EXPECT_EQ(trouble("# nobody\n\n"), "/l:2: no server in the file");
  EXPECT_EQ(trouble("\x1b[2J:80"),
            "/l:1: \"?[2J:80\" is not a server: write \"host:port\", \"[v6]:port\" or "
            "\"unix:/path\"");
  EXPECT_EQ(trouble("unix:/a\x01"),
            "/l:1: \"unix:/a?\" is not a server: write \"host:port\", \"[v6]:port\" or "
            "\"unix:/path\"");
  std::string many;
  for (size_t i = 0; i <= most_listed_servers; ++i) many += "h" + std::to_string(i) + ":80\n";
  EXPECT_EQ(trouble(many), "/l:10001: more than 10,000 servers");
}

class ServerListFiles : public ::testing::Test {
 protected:
  ServerListFiles() {
    char name[] = "/tmp/server_list_XXXXXX";
    folder_ = ::mkdtemp(name);
    path = folder_ + "/list";
  }
  ~ServerListFiles() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& text, const std::string& name = "list") const {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << text;
  }
  std::string folder_;
  std::string path;
};

TEST_F(ServerListFiles, AreReadWhenTheyChanged) {
  write("10.0.0.1:80\n");
  ListReading first = read_server_list(path, {});
  ASSERT_TRUE(first.changed);
  ASSERT_TRUE(first.places);
  EXPECT_EQ(first.places->size(), 1u);
  EXPECT_FALSE(read_server_list(path, first.stamp).changed);
  write("10.0.0.2:80\n", "next");  // as long as the one before
  ASSERT_EQ(std::rename((folder_ + "/next").c_str(), path.c_str()), 0);
  ListReading second = read_server_list(path, first.stamp);
  ASSERT_TRUE(second.changed);
  EXPECT_EQ(second.places->front().at.to_string(), "10.0.0.2:80");
}

TEST_F(ServerListFiles, ThatCantBeReadSayWhy) {
  ListReading none = read_server_list(path, {});
  EXPECT_TRUE(none.changed);
  EXPECT_EQ(none.places.error().text, "cannot open " + path + ": No such file or directory");
  EXPECT_EQ(read_server_list(folder_, {}).places.error().text, folder_ + " is not a file");
  write(std::string(largest_server_list + 1, '#'));
  EXPECT_EQ(read_server_list(path, {}).places.error().text, path + " is larger than 1 MiB");
  // One that comes back as it was before is read again.
  write("10.0.0.1:80\n");
  ListReading good = read_server_list(path, {});
  ASSERT_EQ(std::rename(path.c_str(), (folder_ + "/away").c_str()), 0);
  ListReading away = read_server_list(path, good.stamp);
  ASSERT_EQ(std::rename((folder_ + "/away").c_str(), path.c_str()), 0);
  EXPECT_TRUE(read_server_list(path, away.stamp).changed);
}

}  // namespace
}  // namespace portolan::health
