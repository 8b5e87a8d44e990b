// The keeper of disk tiers, with real files and threads: who may check them, and when it ends.
#include "daemon/disk_keeper.hh"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "core/base/log.hh"
#include "tests/unit/edge/support.hh"

namespace portolan::daemon {
namespace {

std::string logged;  // by the control worker

class DiskKeeperTest : public ::testing::Test {
 protected:
  DiskKeeperTest() {
    logged.clear();
    log::set_sink([](std::string_view line) { logged += line; });
    std::string name = (std::filesystem::temp_directory_path() / "portolan-keeper-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
    for (const char* cache : {"assets", "pages", "plain"}) {
      edge::CacheConfig c = edge::test::config(64 << 20);
      c.name = cache;
      if (c.name != "plain") c.disk = edge::DiskConfig{directory_ + "/" + cache, 256ull << 20};
      config_.caches.push_back(c);
      caches_[cache] = std::make_shared<edge::Cache>(c, 1);
    }
    config_.server.name = "edge-1";
  }
  ~DiskKeeperTest() override {
    caches_.clear();
    keeper_.reset();
    log::set_sink(nullptr);
    std::filesystem::remove_all(directory_);
  }
  void apply() {
    if (!keeper_) keeper_ = std::make_unique<DiskKeeper>(control_, clock_);
    keeper_->apply(config_, caches_);
  }
  // The state at the end.
  VerifyState ended() {
    for (int i = 0; i < 5000 && keeper_->check().running; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return keeper_->check();
  }
  int code(const std::string& cache) {
    Status begun = keeper_->begin_check(cache);
    return begun ? 0 : begun.error().code;
  }

  std::string directory_;
  SystemClock clock_;
  metrics::Shard shard_;
  loop::Worker control_{0, "control", clock_, 1, shard_};
  Config config_;
  Caches caches_;
  std::unique_ptr<DiskKeeper> keeper_;
};

TEST_F(DiskKeeperTest, ChecksOneDiskOrAll) {
  apply();
  EXPECT_EQ(keeper_->check().number, 0u);
  EXPECT_EQ(code("plain"), 404);
  EXPECT_EQ(code("none"), 404);
  EXPECT_EQ(code("pages"), 0);
  VerifyState state = ended();
  EXPECT_EQ(state.number, 1u);
  ASSERT_EQ(state.stores.size(), 1u);
  EXPECT_EQ(state.stores[0].name, "pages");
  EXPECT_EQ(exit_code(state), 0) << (failures(state).empty() ? "" : failures(state)[0]);
  EXPECT_EQ(code(""), 0);
  state = ended();
  EXPECT_EQ(state.number, 2u);
  ASSERT_EQ(state.stores.size(), 2u);
  EXPECT_EQ(state.stores[0].name, "assets");
  EXPECT_EQ(exit_code(state), 0);
  ASSERT_EQ(keeper_->segments().caches.size(), 2u);
  EXPECT_EQ(keeper_->segments().caches[0].second.size(), 8u);  // of 32 MiB
}

TEST_F(DiskKeeperTest, ChecksOneAfterTheOther) {
  apply();
  bool refused = false;  // most often at once
  for (int i = 0; i < 1000 && !refused; ++i) {
    EXPECT_EQ(code(""), 0);
    uint64_t number = keeper_->check().number;
    int second = code("");
    refused = second == 409;
    EXPECT_EQ(keeper_->check().number, number + (refused ? 0 : 1));
    ended();
  }
  EXPECT_TRUE(refused);
  EXPECT_EQ(code(""), 0);
}

TEST_F(DiskKeeperTest, SaysInTheLogWhatCameOfIt) {
  apply();
  EXPECT_EQ(code(""), 0);
  ended();
  for (int64_t until = clock_.now_ms() + 5'000;
       clock_.now_ms() < until && logged.find("stored objects are whole") == std::string::npos;)
    control_.turn(50);
  EXPECT_NE(logged.find("stored objects are whole"), std::string::npos) << logged;
}

TEST_F(DiskKeeperTest, SaysWhatWasSetAside) {
  const std::string path = directory_ + "/assets";
  std::filesystem::create_directories(path);
  std::ofstream(path + "/store", std::ios::binary) << std::string(8192, 'x');
  std::ofstream(path + "/data", std::ios::binary) << std::string(8192, 'x');
  apply();
  for (int64_t until = clock_.now_ms() + 5'000;
       clock_.now_ms() < until && logged.find(".set-aside-1 now") == std::string::npos;)
    control_.turn(50);
  EXPECT_NE(logged.find("what the cache's disk held was set aside"), std::string::npos) << logged;
  EXPECT_NE(logged.find(path), std::string::npos) << logged;
  EXPECT_TRUE(std::filesystem::exists(path + "/data.set-aside-1"));
  const size_t once = logged.size();
  apply();
  for (int i = 0; i < 30; ++i) control_.turn(50);
  EXPECT_EQ(logged.find(".set-aside-1 now", once), std::string::npos) << "once";
}

TEST_F(DiskKeeperTest, WithoutADiskThereIsNothing) {
  for (edge::CacheConfig& c : config_.caches) c.disk.reset();
  apply();
  EXPECT_EQ(code(""), 404);
  EXPECT_TRUE(keeper_->segments().caches.empty());
}

TEST_F(DiskKeeperTest, EndsWhileACheckRuns) {
  for (int i = 0; i < 20; ++i) {
    apply();
    EXPECT_EQ(code(""), 0);
    for (auto& [name, cache] : caches_) cache->use_disk(nullptr, nullptr);
    keeper_.reset();
  }
}

TEST_F(DiskKeeperTest, TellsOfDamageWhereItIs) {
  apply();
  const std::string body(100'000, 'x');
  edge::test::Request request("/a");
  edge::Lookup lookup = caches_["pages"]->find(request.at(clock_.wall_ms()));
  ASSERT_TRUE(lookup.writer);
  edge::test::fill(lookup, edge::test::Response(edge::test::Pairs{{"Cache-Control", "max-age=600"}}), body,
                   clock_.wall_ms());
  lookup = {};
  auto written = [&] { return caches_["pages"]->stats().disk->objects == 1; };
  for (int64_t until = clock_.now_ms() + 5'000; clock_.now_ms() < until && !written();) control_.turn(20);
  ASSERT_TRUE(written());
  std::fstream data(directory_ + "/pages/data", std::ios::in | std::ios::out | std::ios::binary);
  std::string bytes(1 << 20, '\0');
  data.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  data.clear();
  data.seekp(static_cast<std::streamoff>(bytes.find(body) + 50'000));
  data.put('y').flush();
  EXPECT_EQ(code(""), 0);
  EXPECT_EQ(exit_code(ended()), 1);
  auto told = [&] { return logged.find("are damaged") != std::string::npos; };
  for (int64_t until = clock_.now_ms() + 5'000; clock_.now_ms() < until && !told();) control_.turn(20);
  EXPECT_NE(
      logged.find("event=\"stored objects are damaged\" cache=pages damaged=1 reason=\"their checksums are wrong\" "
                  "file=" +
                  directory_ + "/pages/data segments=0"),
      std::string::npos)
      << logged;
  EXPECT_NE(logged.find("event=\"stored objects are whole\" cache=assets"), std::string::npos) << logged;
  EXPECT_EQ(logged.find("cut short"), std::string::npos) << logged;
}

TEST_F(DiskKeeperTest, ADiskThatLeavesIsLetGo) {
  for (int i = 0; i < 20; ++i) {
    auto assets = config_.caches[0].disk;
    apply();
    EXPECT_EQ(code(""), 0);
    config_.caches[0].disk.reset();
    apply();
    ended();
    EXPECT_EQ(code("assets"), 404);
    EXPECT_EQ(code("pages"), 0);
    VerifyState state = ended();
    EXPECT_EQ(exit_code(state), 0);
    config_.caches[0].disk = assets;
  }
}

// It gives up its directory, so that whoever comes next needn't wait until the daemon ends.
TEST_F(DiskKeeperTest, ADiskThatLeftMayComeBack) {
  auto serves = [&] {
    auto stats = caches_["assets"]->stats();
    return stats.disk && stats.disk->state == edge::disk::Stats::State::serving;
  };
  auto wait_until = [&](const auto& reached) {
    for (int64_t until = clock_.now_ms() + 5'000; clock_.now_ms() < until && !reached();) control_.turn(20);
    return reached();
  };
  apply();
  ASSERT_TRUE(wait_until(serves));
  auto assets = config_.caches[0].disk;
  for (int i = 0; i < 3; ++i) {
    config_.caches[0].disk.reset();
    apply();
    EXPECT_FALSE(caches_["assets"]->stats().disk);
    config_.caches[0].disk = assets;
    apply();
    EXPECT_TRUE(wait_until(serves)) << i;
    config_.caches[0].disk->bytes += 64 << 20;  // the same directory at another size
    assets = config_.caches[0].disk;
    apply();
    EXPECT_TRUE(wait_until(serves)) << i;
  }
}

}  // namespace
}  // namespace portolan::daemon
