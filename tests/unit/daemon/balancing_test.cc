// What the daemon adds to balancing: where servers stand from here, keys that are kept, cookies that caches look past.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "core/base/log.hh"
#include "daemon/assembly.hh"
#include "daemon/private_file.hh"
#include "daemon/sticky_keys.hh"

namespace portolan::daemon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<int> tiers(const Config& config) {
  std::vector<int> found;
  const health::MonitorSpec spec = assemble_monitor(config);
  for (const health::ServerSpec& server : spec.pools.at(0).servers) found.push_back(server.tier);
  return found;
}

Config six_servers() {
  Config config;
  config.server.datacenter = "berlin";
  auto place = [&](const char* name, double latitude, double longitude) {
    geodns::DatacenterConfig d;
    d.name = name;
    d.has_location = true;
    d.latitude = latitude;
    d.longitude = longitude;
    config.geodns.datacenters.push_back(d);
  };
  place("berlin", 52.5, 13.4);
  place("paris", 48.9, 2.4);
  place("tokyo", 35.7, 139.7);
  config.geodns.datacenters.emplace_back().name = "somewhere";
  proxy::PoolConfig pool;
  pool.name = "app";
  for (const char* datacenter : {"tokyo", "", "somewhere", "berlin", "paris", "paris"}) {
    proxy::ServerConfig server;
    server.address = *HostPort::parse("10.0.0." + std::to_string(pool.servers.size() + 1) + ":80");
    server.datacenter = datacenter;
    pool.servers.push_back(server);
  }
  config.pools.push_back(pool);
  return config;
}

TEST(Places, AreTiersByTheirDistanceFromHere) {
  Config config = six_servers();
  EXPECT_THAT(tiers(config), ElementsAre(2, 0, 3, 0, 1, 1));
  config.server.datacenter = "tokyo";
  EXPECT_THAT(tiers(config), ElementsAre(0, 0, 3, 1, 2, 2));
}

TEST(Places, AreOneTierWhereNobodyKnowsHowFarTheyAre) {
  Config config = six_servers();
  config.server.datacenter = "somewhere";
  EXPECT_THAT(tiers(config), ElementsAre(1, 0, 0, 1, 1, 1));
  config.server.datacenter = "";
  EXPECT_THAT(tiers(config), ElementsAre(1, 0, 1, 1, 1, 1));
}

TEST(StickyKeys, AreThisNodesOwnOrThoseOfAFile) {
  std::string path = ::testing::TempDir() + "sticky-" + std::to_string(getpid()) + ".key";
  std::ofstream(path) << std::string(32, 'k');
  Config config;
  config.pools.resize(3);
  config.pools[0].sticky = config.pools[1].sticky = proxy::StickyConfig{};
  config.pools[1].sticky->key_file = path;
  crypto::MacKey own{1, 2, 3};
  EXPECT_TRUE(give_sticky_keys(config, own).empty());
  EXPECT_EQ(config.pools[0].sticky->key, own);
  EXPECT_EQ(config.pools[1].sticky->key, crypto::key_from(std::string(32, 'k')));
  EXPECT_FALSE(config.pools[2].sticky);
  std::ofstream(path) << "short";
  EXPECT_THAT(give_sticky_keys(config, own), ElementsAre(HasSubstr("is no key: it must hold at least 32 bytes")));
  ::unlink(path.c_str());
  EXPECT_THAT(give_sticky_keys(config, own), ElementsAre(HasSubstr("No such file or directory")));
}

TEST(StickyKeys, AreKeptWhereNobodyElseCanReadThem) {
  log::set_sink([](std::string_view) {});
  std::string directory = ::testing::TempDir();
  std::string name = "kept-" + std::to_string(getpid()), path = directory + "/" + name;
  crypto::MacKey first = keep_key(directory, name);
  struct stat s {};
  ASSERT_EQ(::stat(path.c_str(), &s), 0);
  EXPECT_EQ(s.st_mode & 0777, 0600u);
  EXPECT_EQ(keep_key(directory, name), first);
  ::chmod(path.c_str(), 0644);
  EXPECT_NE(keep_key(directory, name), first) << "others may have read it";
  EXPECT_NE(keep_key("", name), keep_key("", name)) << "in memory alone";
  EXPECT_NE(keep_key("/nonexistent", name), first);
  ::unlink(path.c_str());
  log::set_sink(nullptr);
}

TEST(Caches, LookPastOurOwnCookies) {
  Config config;
  config.caches.emplace_back().name = "edge";
  config.pools.resize(2);
  config.pools[1].sticky = proxy::StickyConfig{};
  config.pools[1].sticky->cookie = "seat";
  auto caches = assemble_caches(config, {});
  http::RequestHead head;
  head.fields.add("Cookie", "seat=1; other=2");
  EXPECT_EQ(caches.at("edge")->filter_cookies(head), "other=2");
}

}  // namespace
}  // namespace portolan::daemon
