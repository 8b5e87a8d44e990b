// What is told of spilling: where it begins, where it ends.
#include "daemon/dns_keeper.hh"

#include <gtest/gtest.h>

#include "core/base/log.hh"

namespace portolan::daemon {
namespace {

std::string logged;

size_t count(const std::string& what) {
  size_t n = 0;
  for (size_t at = logged.find(what); at != std::string::npos; at = logged.find(what, at + 1)) ++n;
  return n;
}

TEST(DnsKeeper, SpillingIsToldOnceWhereItBeginsAndEnds) {
  logged.clear();
  log::set_sink([](std::string_view line) { logged += line; });
  FakeClock clock;
  metrics::Registry registry;
  loop::Worker control(0, "test", clock, 1, registry.add_shard());
  DnsKeeper keeper(control, {});
  geodns::GeodnsConfig config;
  config.datacenters = {{"t", "us", true, 40, -74, 0.4}, {"t", "eu", true, 50, 8, 0.4}};
  geodns::ServiceConfig web{"t", "web", {}};
  web.sites["us"].addresses = {*IpAddress::parse("192.0.2.1")};
  web.sites["eu"].addresses = {*IpAddress::parse("192.0.2.2")};
  config.services = {web};
  std::vector<geodns::Mistake> mistakes;
  auto view = geodns::build_view(config, 1, mistakes);
  ASSERT_TRUE(view);
  keeper.set_view(view);
  EXPECT_TRUE(keeper.limited());

  geodns::ServiceStates states;
  states.states = {{geodns::State::up, geodns::State::up}};
  keeper.tell_rooms(states);
  EXPECT_EQ(logged, "");
  states.states[0][1].room = geodns::Condition::full_room / 2;
  for (int i = 0; i < 3; ++i) keeper.tell_rooms(states);
  EXPECT_EQ(count("event=\"a datacenter begins to spill\" service=web datacenter=eu takes=50%"), 1u) << logged;
  EXPECT_EQ(count("event="), 1u) << logged;
  states.states[0][1].room = geodns::Condition::full_room;
  for (int i = 0; i < 3; ++i) keeper.tell_rooms(states);
  EXPECT_EQ(count("event=\"a datacenter takes all again\" service=web datacenter=eu"), 1u) << logged;
  EXPECT_EQ(count("event="), 2u) << logged;
  log::set_sink(nullptr);
}

}  // namespace
}  // namespace portolan::daemon
