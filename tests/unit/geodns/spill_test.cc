// What datacentres are asked to bear, and that one that fails doesn't topple the next.
#include "geodns/spill.hh"

#include "geodns/steering.hh"
#include "tests/unit/geodns/fixture.hh"

namespace portolan::geodns {
namespace {

// Orders of one after the other, each with its queries.
class Flows {
 public:
  void add(std::vector<uint8_t> order, double queries) {
    std::vector<Ranked>& list = orders_.emplace_back();
    for (uint8_t d : order) list.push_back({d, d, static_cast<uint16_t>(list.size() + 1), 1});
    queries_.push_back(queries);
  }
  std::vector<FlowDemand> list() const {
    std::vector<FlowDemand> flows;
    for (size_t i = 0; i < orders_.size(); i++) flows.push_back({0, orders_[i], queries_[i]});
    return flows;
  }

 private:
  std::vector<std::vector<Ranked>> orders_;
  std::vector<double> queries_;
};

ServiceStates states(std::vector<Condition> conditions) {
  ServiceStates s;
  s.states.push_back(std::move(conditions));
  return s;
}

TEST(Rooms, AreFullWhereAllFits) {
  Flows flows;
  flows.add({0, 1}, 40);
  flows.add({1, 0}, 50);
  EXPECT_EQ(find_rooms(flows.list(), states({State::up, State::up}), {60, 60}), (std::vector<double>{1, 1}));
}

TEST(Rooms, WhatIsTooMuchGoesOnToTheNextAndTheNextAfterThat) {
  Flows flows;
  flows.add({0, 1, 2}, 100);
  flows.add({1, 2, 0}, 50);
  const auto all = flows.list();
  const auto up = states({State::up, State::up, State::up});
  const auto loads = find_loads(all, up, find_rooms(all, up, {60, 60, 0}));
  EXPECT_NEAR(loads[0], 60, 0.6);
  EXPECT_NEAR(loads[1], 60, 0.6);
  EXPECT_NEAR(loads[2], 30, 1.2);
}

TEST(Rooms, NobodyIsAboveHisCapacityWhileAnotherHasRoom) {
  Rng rng(17);
  for (int round = 0; round < 300; round++) {
    const size_t count = 2 + rng.below(10);
    Flows flows;
    double total = 0;
    for (auto n = 1 + rng.below(30); n > 0; n--) {
      std::vector<uint8_t> order(count);
      for (size_t i = 0; i < count; i++) order[i] = static_cast<uint8_t>(i);
      for (size_t i = count; i > 1; i--) std::swap(order[i - 1], order[rng.below(i)]);
      const double queries = 1 + rng.unit() * 100;
      total += queries;
      flows.add(order, queries);
    }
    std::vector<Condition> conditions;
    std::vector<double> capacity;
    double can = 0;
    for (size_t d = 0; d < count; d++) {
      conditions.emplace_back(rng.below(4) || d == 0 ? State::up : State::down);
      capacity.push_back(total * (0.1 + rng.unit()) * 2 / static_cast<double>(count));
      if (usable(conditions.back().state)) can += capacity.back();
    }
    const auto all = flows.list();
    const auto now = states(conditions);
    const auto loads = find_loads(all, now, find_rooms(all, now, capacity));
    double borne = 0;
    for (size_t d = 0; d < count; d++) {
      borne += loads[d];
      if (!usable(conditions[d].state)) {
        ASSERT_EQ(loads[d], 0);
      }
      if (can > total * 1.1) {
        ASSERT_LE(loads[d], capacity[d] * 1.03) << "round " << round << ", datacentre " << d << ", " << can / total;
      }
    }
    ASSERT_NEAR(borne, total, total * 1e-6) << "nobody is left";
  }
}

TEST(Rooms, WhereAllIsTooMuchEachBearsTheSameOfWhatItCan) {
  Flows flows;
  flows.add({0, 1}, 300);
  const auto up = states({State::up, State::up});
  const auto all = flows.list();
  const auto loads = find_loads(all, up, find_rooms(all, up, {100, 50}));
  EXPECT_NEAR(loads[0] + loads[1], 300, 1e-6);
  EXPECT_GT(loads[1], 50);
  EXPECT_GT(loads[0], loads[1]);
}

// Through the real answer path: workers count, control decides, workers spill.
TEST(Spill, AFailureDoesNotToppleTheNext) {
  GeodnsConfig config = test::config();
  config.datacenters[0].capacity = 0.5;   // us
  config.datacenters[1].capacity = 0.45;  // eu
  config.datacenters[2].capacity = 0.9;   // jp
  std::vector<Mistake> mistakes;
  auto view = build_view(config, 1, mistakes);
  ASSERT_TRUE(view);
  give_places(*view, test::table(), nullptr);
  std::shared_ptr<const View> now = view;
  Demand demand;
  Spill spill;
  spill.set_view(*now);
  Rng rng(3);
  Answerer answerer(rng);
  std::array<int, 3> answered{};
  const auto ask = [&](int times) {
    answered = {};
    demand.set_view(*now);
    for (int i = 0; i < times; i++) {
      test::Ask question;
      question.name = "www.example.com";
      question.edns = true;
      const char* from[] = {"10.9.", "10.1.", "10.9.", "10.1.", "10.1."};  // Boston and Paris
      // By a /24 each, so that there are blocks to spill.
      question.options = test::subnet_option(std::string(from[i % 5]) + std::to_string(i % 251) + ".0/24");
      const test::Packet packet = make(question);
      test::Packet out(1232);
      AnswerInfo info;
      answerer.answer(packet, test::ip("127.0.0.1"), Transport::udp, *now, out, info);
      demand.count(info.flow, info.order);
      ASSERT_GE(info.datacenter, 0);
      answered[static_cast<size_t>(info.datacenter)]++;
    }
    spill.add(demand.take());
  };
  const auto set = [&](State us, State eu, State jp) {
    ServiceStates s;
    s.states = {{us, eu, jp}};
    spill.apply(s);
    now = with_states(*now, s);
  };
  ask(1000);
  EXPECT_EQ(answered[0], 400);
  EXPECT_EQ(answered[1], 600) << "over its capacity: nothing was known yet";
  spill.tick({});
  set(State::up, State::up, State::up);
  EXPECT_LT(now->states.of(0, 1).room, Condition::full_room);
  EXPECT_EQ(now->states.of(0, 1).horizon_s, Spill::interval_s) << "that may change soon";
  ServiceStates later;
  later.states = {{State::up, State::up, State::up}};
  ask(1000);
  spill.apply(later, 4);
  EXPECT_EQ(later.of(0, 1).horizon_s, 4u) << "soon";
  EXPECT_EQ(later.of(0, 1).room, now->states.of(0, 1).room) << "until then it holds, whoever has asked since";
  // The demand is that of the asker, not of who answered: nothing is forgotten while it is spilled.
  const auto all = spill.queries();
  EXPECT_EQ(all, 2000);
  set(State::down, State::up, State::up);
  const Condition eu = now->states.of(0, 1);
  EXPECT_NEAR(eu.room / 65535.0, 0.45, 0.02)
      << "all would come to it: it takes what it can at once, and Tokyo the rest";
  for (unsigned i = 0; i < Spill::intervals; i++) spill.tick({});
  EXPECT_EQ(spill.queries(), 0) << "after five minutes";
}

TEST(Spill, AUtilizationThatIsTooHighLowersTheRoomAndGivesItBackInSteps) {
  GeodnsConfig config = test::config();
  std::vector<Mistake> mistakes;
  const auto view = build_view(config, 1, mistakes);
  Spill spill;
  spill.set_view(*view);
  EXPECT_FALSE(spill.wanted());
  const auto room = [&](double used) {
    spill.tick({{used, -1, -1}, {-1, -1, -1}});
    ServiceStates s;
    s.states = {{State::up, State::up, State::up}};
    spill.apply(s);
    EXPECT_EQ(s.states[0][1].room, Condition::full_room) << "of whom nothing is known";
    return s.states[0][0].room / 65535.0;
  };
  EXPECT_EQ(room(0.5), 1);
  EXPECT_NEAR(room(1.8), 0.5, 0.01);
  EXPECT_NEAR(room(0.9), 0.5, 0.01);
  EXPECT_NEAR(room(0.3), 0.625, 0.01);
  EXPECT_NEAR(room(-1), 0.78, 0.01);
  // A reload in which the datacentre stands elsewhere: it is as full as before.
  std::swap(config.datacenters[0], config.datacenters[2]);
  spill.set_view(*build_view(config, 2, mistakes));
  ServiceStates s;
  s.states = {{State::up, State::up, State::up}};
  spill.apply(s);
  EXPECT_NEAR(s.states[0][2].room / 65535.0, 0.78, 0.01);
  EXPECT_EQ(s.states[0][0].room, Condition::full_room);
}

TEST(Spill, OtherLocationsLeaveWhatWasCounted) {
  GeodnsConfig config = test::config();
  config.datacenters[0].capacity = 0.5;
  std::vector<Mistake> mistakes;
  const auto built = build_view(config, 1, mistakes);
  ASSERT_TRUE(built);
  give_places(*built, test::table(), nullptr);
  const auto moved = build_view(config, 1, mistakes);
  moved->zones = built->zones;
  geo::Table::Builder builder;
  geo::Location tokyo;
  tokyo.latitude = 35;
  tokyo.longitude = 139;
  tokyo.has_coordinates = true;
  ASSERT_TRUE(builder.insert(*IpNetwork::parse("10.0.0.0/8"), tokyo));
  give_places(*moved, builder.finish(), nullptr);
  Spill spill;
  spill.set_view(*built);
  Demand demand;
  demand.set_view(*built);
  for (int flow = 0; flow < static_cast<int>(built->zones->flows().size()); flow++)
    for (int i = 0; i < 100; i++) demand.count(flow, 0);  // of those whose place nobody knows
  spill.add(demand.take());
  const double all = spill.queries();
  EXPECT_GT(all, 0);
  spill.tick({});
  spill.set_view(*moved);
  EXPECT_EQ(spill.queries(), all);
  for (unsigned i = 0; i < Spill::intervals; i++) spill.tick({});
  EXPECT_EQ(spill.queries(), 0) << "it ends as it would have";
}

}  // namespace
}  // namespace portolan::geodns
