// What a reload prepares, what it doesn't read again, and how what it replaced is freed.
#include "daemon/preparation.hh"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "core/geo/demo.hh"
#include "daemon/retired.hh"

namespace portolan::daemon {
namespace {

struct PreparationTest : ::testing::Test {
  void SetUp() override {
    char pattern[] = "/tmp/portolan-XXXXXX";
    ASSERT_TRUE(::mkdtemp(pattern));
    folder = pattern;
    database = folder + "/demo.mmdb";
    ASSERT_TRUE(geo::write_demo_database(database));
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  LoadResult file(const std::string& more = "") {
    std::string path = folder + "/portolan.toml";
    std::ofstream(path) << "[listener.web]\nlisten = [\"127.0.0.1:8080\"]\n[geo]\ndatabases = [\"" << database
                        << "\"]\n"
                        << more;
    return load(path);
  }
  std::string folder, database;
};

TEST_F(PreparationTest, MakesWhatServesOfAFile) {
  Preparation p = prepare(file("[[route]]\npath = \"/a\"\nrespond = { body = \"x\" }\n"), {}, {}, 1);
  ASSERT_TRUE(p.errors.empty()) << p.errors.front();
  ASSERT_EQ(p.snapshot->routes.size(), 1u);
  EXPECT_EQ(p.snapshot->router->match({"web", "a.test", "/a/b", "GET"}), 0u);
  EXPECT_TRUE(p.snapshot->listeners.contains("web"));
  EXPECT_EQ(p.view->geo, p.geo.table);
  EXPECT_EQ(p.snapshot->geo, p.geo.table);
  EXPECT_GT(p.geo.table->location_count(), 20u);
}

TEST_F(PreparationTest, AMistakeIsAllThatComesOfIt) {
  Preparation p = prepare(file("[[route]]\npool = \"nowhere\"\n"), {}, {}, 1);
  ASSERT_EQ(p.errors.size(), 1u);
  EXPECT_FALSE(p.snapshot);
  std::ofstream(database) << "rubbish";
  p = prepare(file(), {}, {}, 1);
  ASSERT_EQ(p.errors.size(), 1u);
  EXPECT_THAT(p.errors.front(), ::testing::StartsWith(folder + "/portolan.toml:4:14: databases in [geo]: " + database));
}

TEST_F(PreparationTest, EveryFileThatIsNoGoodIsNamed) {
  std::ofstream(folder + "/nets.txt") << "rubbish\n";
  std::ofstream(folder + "/portolan.toml")
      << "[server.purge]\nlisten = \"127.0.0.1:9147\"\ntokens_file = \"/nonexistent/tokens\"\n"
      << "[listener.web]\nlisten = [\"127.0.0.1:8080\"]\n[geo]\ndatabases = [\n\"" << folder
      << "/portolan.toml\",\n{ path = \"" << database << "\", kind = \"asn\" },\n{ path = \"" << folder
      << "/nets.txt\", kind = \"networks\" },\n]\n";
  Preparation p = prepare(load(folder + "/portolan.toml"), {}, {}, 1);
  const std::string file = folder + "/portolan.toml:";
  EXPECT_THAT(p.errors,
              ::testing::ElementsAre(
                  ::testing::StartsWith(file + "8:1: databases in [geo]: " + folder + "/portolan.toml: "),
                  ::testing::AllOf(::testing::StartsWith(file + "9:1: databases in [geo]: " + database + ": "),
                                   ::testing::HasSubstr("has no numbers of networks")),
                  ::testing::StartsWith(file + "10:1: databases in [geo]: " + folder + "/nets.txt: line 1: "),
                  ::testing::HasSubstr("/nonexistent/tokens")));
  EXPECT_FALSE(p.view);
}

TEST_F(PreparationTest, AnUnchangedDatabaseIsNotReadAgain) {
  Preparation first = prepare(file(), {}, {}, 1);
  EXPECT_EQ(prepare(file(), first.geo, {}, 2).geo.table, first.geo.table);
  // Another file of the same content, and another way to read the same file.
  std::filesystem::copy_file(database, database + ".new");
  std::filesystem::rename(database + ".new", database);
  Preparation second = prepare(file(), first.geo, {}, 3);
  ASSERT_TRUE(second.errors.empty());
  EXPECT_NE(second.geo.table, first.geo.table);
  GeoFiles otherwise = second.geo;
  otherwise.databases[0].kind = "country";
  EXPECT_NE(prepare(file(), otherwise, {}, 4).geo.table, second.geo.table);
}

struct LaterExecutor final : Executor {
  bool submit(std::function<void()> work) override {
    queue.push_back(std::move(work));
    return true;
  }
  std::vector<std::function<void()>> queue;
};

TEST(Retired, FreesWhatNobodyHoldsAndNotOnTheLoop) {
  FakeClock clock;
  metrics::Registry registry;
  loop::Worker control(0, "test", clock, 1, registry.add_shard());
  LaterExecutor executor;
  Retired retired(control, executor);
  auto object = std::make_shared<int>(1);
  std::weak_ptr<int> watch = object;
  retired.add(object);
  auto look = [&] {
    clock.advance_ms(600);
    control.turn(0);
  };
  look();
  EXPECT_TRUE(executor.queue.empty()) << "somebody still holds it";
  object.reset();
  EXPECT_FALSE(watch.expired()) << "its last holder does not free it";
  look();
  ASSERT_EQ(executor.queue.size(), 1u);
  EXPECT_FALSE(watch.expired()) << "nor does the loop";
  executor.queue.front()();
  EXPECT_TRUE(watch.expired());
}

TEST(Restart, IsNamedForEachKeyThatNeedsIt) {
  ProcessConfig running;
  running.user = "portolan";
  running.workers = 2;
  ProcessConfig next = running;
  EXPECT_THAT(waits_for_restart(running, 2, next), ::testing::ElementsAre());
  next.user = "";
  next.state = "/var/lib/portolan";
  next.workers = 3;
  EXPECT_THAT(waits_for_restart(running, 2, next),
              ::testing::ElementsAre(
                  "server.workers takes effect at the next start: 2 until then, 3 in the file",
                  "server.user takes effect at the next start: portolan until then, none in the file",
                  "server.state takes effect at the next start: none until then, /var/lib/portolan in the file"));
}

}  // namespace
}  // namespace portolan::daemon
