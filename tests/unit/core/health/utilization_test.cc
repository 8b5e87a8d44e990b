#include "core/health/utilization.hh"

#include <gtest/gtest.h>

namespace portolan::health {
namespace {

void add(Pool& pool, int64_t in_flight, int max_connections, State state = State::up, bool backup = false) {
  Member m;
  m.state = std::make_shared<ServerState>();
  m.state->in_flight = in_flight;
  m.max_connections = max_connections;
  m.health.state = state;
  m.backup = backup;
  pool.members.push_back(std::move(m));
}

TEST(Utilization, IsWhatIsInFlightByWhatServersThatServeTake) {
  Pool pool;
  add(pool, 30, 100);
  add(pool, 60, 200, State::unknown);
  EXPECT_DOUBLE_EQ(*utilization(pool), 0.3);
  add(pool, 50, 100, State::down);
  add(pool, 50, 100, State::draining);
  EXPECT_DOUBLE_EQ(*utilization(pool), 0.3) << "who gets nothing new has no room";
  add(pool, 0, 1000, State::up, true);
  EXPECT_DOUBLE_EQ(*utilization(pool), 0.3) << "a backup is no room either";
}

TEST(Utilization, CountsBackupsWhereTheyServe) {
  Pool pool;
  add(pool, 0, 100, State::down);
  add(pool, 25, 50, State::up, true);
  EXPECT_DOUBLE_EQ(*utilization(pool), 0.5);
}

TEST(Utilization, IsOneWhereNobodyServesAndNothingWhereNobodyKnows) {
  Pool pool;
  EXPECT_FALSE(utilization(pool));
  add(pool, 0, 100, State::down);
  EXPECT_DOUBLE_EQ(*utilization(pool), 1);
  add(pool, 7, 0);
  EXPECT_FALSE(utilization(pool)) << "one without a limit";
}

}  // namespace
}  // namespace portolan::health
