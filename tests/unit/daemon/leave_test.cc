// A node that leaves, on a fake clock: in which order it says and does what.
#include "daemon/leave.hh"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/base/clock.hh"
#include "core/base/log.hh"

namespace portolan::daemon {
namespace {

class Leaving : public ::testing::Test {
 protected:
  Leaving() {
    log::set_sink([](std::string_view) {});
  }
  ~Leaving() override { log::set_sink(nullptr); }
  void passes(int64_t ms) {
    for (int64_t gone = 0; gone < ms; gone += 4) {
      clock.advance_ms(4);
      worker.turn(0);
    }
  }
  void hold(int64_t ms) {
    leave.hold(ms, [this] { did.emplace_back("answered"); });
  }
  using Did = std::vector<std::string>;

  FakeClock clock;
  metrics::Shard shard;
  loop::Worker worker{0, "control", clock, 7, shard};
  int64_t connections = 3;
  Did did;
  Leave leave{worker,
              {[this](bool on) { did.emplace_back(on ? "leaving" : "staying"); }, [this] { did.emplace_back("end"); },
               [this](bool on) { did.emplace_back(on ? "hold" : "release"); }, [this] { return connections; }}};
};

TEST_F(Leaving, HoldsLetsThoseArriveEndsAllAndOnlyThenAnswers) {
  leave.begin();
  leave.begin();
  hold(2'000);
  EXPECT_EQ(did, (Did{"leaving", "hold"}));
  passes(92);
  EXPECT_EQ(did.size(), 2u) << "those whose handshake was under way may still send their request";
  passes(20);
  EXPECT_EQ(did.back(), "end");
  passes(100);
  EXPECT_EQ(did.back(), "end") << "not while requests are under way";
  connections = 0;
  passes(24);
  EXPECT_EQ(did, (Did{"leaving", "hold", "end", "answered"}));
  EXPECT_TRUE(leave.holding());
  passes(1'700);
  EXPECT_TRUE(leave.holding());
  passes(100);
  EXPECT_EQ(did.back(), "release") << "nobody took over";
  EXPECT_TRUE(leave.leaving());
}

TEST_F(Leaving, WaitsNoLongerThanHalfASecond) {
  leave.begin();
  hold(2'000);
  passes(480);
  EXPECT_NE(did.back(), "answered");
  passes(48);
  EXPECT_EQ(did.back(), "answered");
}

TEST_F(Leaving, WhoeverAsksAgainProlongsIt) {
  leave.begin();
  connections = 0;
  hold(1'000);
  hold(1'000);
  passes(200);
  EXPECT_EQ(did, (Did{"leaving", "hold", "end", "answered", "answered"}));
  passes(600);
  hold(1'000);
  EXPECT_EQ(did.back(), "answered") << "at once";
  passes(900);
  EXPECT_TRUE(leave.holding());
  passes(200);
  EXPECT_FALSE(leave.holding());
}

TEST_F(Leaving, WhoStaysHoldsNothing) {
  hold(1'000);
  EXPECT_EQ(did, Did{"answered"});
  did.clear();
  leave.begin();
  hold(1'000);
  leave.end();
  EXPECT_EQ(did, (Did{"leaving", "hold", "release", "answered", "staying"}));
  passes(2'000);
  EXPECT_EQ(did.size(), 5u);
}

}  // namespace
}  // namespace portolan::daemon
