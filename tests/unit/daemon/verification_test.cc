// Checks of real stores, in a daemon and beside it.
#include "daemon/verification.hh"

#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/unit/edge/disk/fixture.hh"

namespace portolan::daemon {
namespace {

using edge::disk::SegmentReport;
using edge::disk::VerifyReport;
using nlohmann::json;

class VerificationTest : public edge::disk::test::DiskTest {
 protected:
  void fill() {
    open();
    for (uint64_t n = 0; n < 200; ++n) write(n, n + 1, 10'000);
  }
  void damage(uint64_t n) {
    auto found = disk->read(edge::disk::test::key_of(n));
    ASSERT_TRUE(found);
    auto data = real_files().open(config.path + "/data", FileSystem::Open::write);
    ASSERT_TRUE((*data)->write_at(std::string("wrong"), static_cast<uint64_t>(found->offset) + 5'000));
  }
  std::shared_ptr<Verification> check(uint64_t number = 1) {
    auto made = std::make_shared<Verification>(number, Verification::Disks{{"edge", borrowed()}});
    EXPECT_TRUE(made->begin(executor));
    return made;
  }
  // The fixture owns it.
  std::shared_ptr<edge::disk::Disk> borrowed() { return {std::shared_ptr<void>(), disk.get()}; }
  VerifyOptions offline(bool as_json = false) const { return {"", config.path, as_json, false}; }
  std::ostringstream out_, err_;
};

TEST_F(VerificationTest, SaysHowFarItIsAndWhatItFound) {
  fill();
  damage(17);
  auto made = check(4);
  VerifyState state = made->state();
  EXPECT_TRUE(state.running);
  EXPECT_EQ(exit_code(state), 2);
  ASSERT_EQ(state.stores.size(), 1u);
  EXPECT_EQ(state.stores[0].done, 0u);
  EXPECT_GT(state.stores[0].total, 2'000'000u);
  executor.run();
  made->wait();
  state = made->state();
  EXPECT_TRUE(made->ended());
  EXPECT_FALSE(state.running);
  EXPECT_EQ(state.number, 4u);
  EXPECT_EQ(state.stores[0].done, state.stores[0].total);
  EXPECT_EQ(to_text(state), "edge: 200 records, 1.9 MiB, 1 damaged, in segment 0\n");
  EXPECT_EQ(exit_code(state), 1);
  EXPECT_FALSE(disk->may_have(edge::disk::test::key_of(17)));
  made = check();
  executor.run();
  uint64_t current = 0, damaged = 0;
  for (const SegmentReport& s : made->state().stores[0].report->segments) {
    current += s.current;
    damaged += s.damaged;
  }
  EXPECT_EQ(current, 199u);
  EXPECT_EQ(damaged, 1u);
}

TEST_F(VerificationTest, CanBeStopped) {
  fill();
  auto made = check();
  made->stop();
  executor.run();
  EXPECT_TRUE(made->ended());
  EXPECT_EQ(exit_code(made->state()), 2);
  EXPECT_EQ(failures(made->state()).at(0).rfind("edge: not checked: ", 0), 0u);
}

TEST_F(VerificationTest, ADiskThatIsAsideSaysWhy) {
  config.path = "/proc/portolan";
  open();
  auto made = check();
  executor.run();
  EXPECT_EQ(exit_code(made->state()), 2);
  EXPECT_EQ(failures(made->state()).at(0), "edge: not checked: " + disk->stats().reason);
  EXPECT_FALSE(disk->stats().reason.empty());
}

TEST_F(VerificationTest, WhoHasTooMuchToDoRefuses) {
  fill();
  executor.full = true;
  auto made = std::make_shared<Verification>(1, Verification::Disks{{"edge", borrowed()}});
  EXPECT_FALSE(made->begin(executor));
}

TEST_F(VerificationTest, AStoreThatNobodyHasOpen) {
  fill();
  EXPECT_EQ(verify_directory(offline(), out_, err_), 2);
  EXPECT_EQ(err_.str(), "portolan: " + config.path +
                            ": not checked: a daemon has it open; leave out --store to have it check its caches\n");
  disk.reset();
  EXPECT_EQ(verify_directory(offline(), out_, err_), 0);
  EXPECT_EQ(out_.str(), config.path + ": 200 records, 1.9 MiB, none damaged\n");
  open();
  damage(3);
  disk.reset();
  out_.str("");
  EXPECT_EQ(verify_directory(offline(true), out_, err_), 1);
  json j = json::parse(out_.str())["stores"][0];
  EXPECT_EQ(j["damaged"], 1);
  uint64_t records = 0;
  for (const json& s : j["segments"]) {
    records += s["records"].get<uint64_t>();
    EXPECT_FALSE(s.contains("current"));
  }
  EXPECT_EQ(records, 200u);
}

TEST(VerifyState, GoesThroughJson) {
  VerifyState state{7, true, {{"a\"b\xff", 1, 2, "why", nullptr}, {"edge", 3, 3, "", nullptr}}};
  VerifyReport report{5, 6, 1, {{SegmentReport::Kind::main, 9, true, 1234, 5, 6, 1, 4}}, {}};
  report.sizes[0] = {4, 0};
  report.sizes[7] = {1, 6};
  state.stores[1].report = std::make_shared<const VerifyReport>(report);
  json j = json::parse(to_json(state, true));
  EXPECT_EQ(j["stores"][1]["segments"][0], json::parse(R"({"number":9, "kind":"main", "open":true, "opened_ms":1234,
      "records":5, "current":4, "bytes":6, "damaged":1})"));
  EXPECT_FALSE(j["stores"][0].contains("segments"));
  auto read = parse_verify_state(to_json(state, false));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->number, 7u);
  EXPECT_TRUE(read->running);
  ASSERT_EQ(read->stores.size(), 2u);
  EXPECT_EQ(read->stores[0].failure, "why");
  EXPECT_EQ(read->stores[0].total, 2u);
  EXPECT_FALSE(read->stores[0].report);
  ASSERT_TRUE(read->stores[1].report);
  EXPECT_EQ(read->stores[1].report->records, 5u);
  EXPECT_EQ(read->stores[1].report->damaged, 1u);
  EXPECT_EQ(damaged_segments(*read->stores[1].report), "9");
  EXPECT_EQ(read->stores[1].report->sizes[7].bytes, 6u);
  EXPECT_EQ(sizes_text(*read),
            "STORE  SIZE              RECORDS  BYTES\n"
            "edge   under 1.0 KiB           4    0 B\n"
            "       under 4.0 KiB           0    0 B\n"
            "       under 16.0 KiB          0    0 B\n"
            "       under 64.0 KiB          0    0 B\n"
            "       under 256.0 KiB         0    0 B\n"
            "       under 1.0 MiB           0    0 B\n"
            "       under 4.0 MiB           0    0 B\n"
            "       4.0 MiB and more        1    6 B\n");
  EXPECT_EQ(j["stores"][1]["sizes"][6]["below"], 4 << 20);
  EXPECT_EQ(j["stores"][1]["sizes"][7], json::parse(R"({"below":0, "records":1, "bytes":6})"));
  for (const char* wrong :
       {"", "[]", "{}", R"({"number":1,"running":true})", R"({"number":-1,"running":true,"stores":[]})",
        R"({"number":1,"running":1,"stores":[]})", R"({"number":1,"running":true,"stores":[7]})",
        R"({"number":1,"running":true,"stores":[{"name":"a","done":1,"total":1}]})",
        R"({"number":1,"running":true,"stores":[{"name":"a","done":1,"total":1,"failure":"",
                               "records":1}]})",
        R"({"number":1,"running":true,"stores":[{"name":"a","done":1,"total":1,"failure":"","records":1,"bytes":1,
            "damaged":0,"sizes":[{"records":1,"bytes":1}]}]})"})
    EXPECT_FALSE(parse_verify_state(wrong)) << wrong;
}

TEST(VerifyState, ABarShowsHowFarItIs) {
  std::ostringstream err;
  {
    VerifyBar bar(err, true);
    bar.draw({"edge", 512 << 20, 1 << 30, "", nullptr});
    EXPECT_EQ(err.str(), "\r\033[K[===============               ] edge: 512.0 MiB of 1.0 GiB");
    err.str("");
    bar.draw({"edge", 7, 0, "", nullptr});
    EXPECT_EQ(err.str(), "\r\033[K[==============================] edge: 7 B of 0 B");
    err.str("");
  }
  EXPECT_EQ(err.str(), "\r\033[K");
  VerifyBar(err, false).draw({"edge", 1, 2, "", nullptr});
  EXPECT_EQ(err.str(), "\r\033[K");
}

}  // namespace
}  // namespace portolan::daemon
