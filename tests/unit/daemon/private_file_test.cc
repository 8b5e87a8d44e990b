// The directory of what is kept over a restart.
#include "daemon/private_file.hh"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "core/base/log.hh"

namespace portolan::daemon {
namespace {

std::string logged;

struct PrivateFile : ::testing::Test {
  void SetUp() override {
    char pattern[] = "/tmp/portolan-XXXXXX";
    ASSERT_TRUE(::mkdtemp(pattern));
    folder = pattern;
  }
  void TearDown() override {
    log::set_sink(nullptr);
    std::filesystem::remove_all(folder);
  }
  static mode_t mode(const std::string& path) {
    struct stat s {};
    return ::stat(path.c_str(), &s) == 0 ? s.st_mode & 0777 : 0;
  }
  std::string folder;
};

TEST_F(PrivateFile, ItsDirectoryIsMadeForNobodyElse) {
  EXPECT_TRUE(make_private_directory(folder + "/state/of/edge", ""));
  EXPECT_EQ(mode(folder + "/state"), 0700u);
  EXPECT_EQ(mode(folder + "/state/of/edge"), 0700u);
  ::chmod((folder + "/state").c_str(), 0755);
  EXPECT_TRUE(make_private_directory(folder + "/state/of/edge/", ""));
  EXPECT_EQ(mode(folder + "/state"), 0755u) << "what is there stays as it is";
  std::ofstream(folder + "/file") << "x";
  auto made = make_private_directory(folder + "/file/state", "");
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().text, folder + "/file is not a directory");
}

TEST_F(PrivateFile, WhatIsNotKeptNamesTheSetting) {
  logged.clear();
  log::set_sink([](std::string_view line) { logged += line; });
  keep_key(folder + "/missing", "sticky-key");
  EXPECT_NE(logged.find("setting=server.state"), std::string::npos) << logged;
  logged.clear();
  const auto key = keep_key(folder, "sticky-key");
  EXPECT_EQ(logged, "");
  EXPECT_EQ(keep_key(folder, "sticky-key"), key);
}

}  // namespace
}  // namespace portolan::daemon
