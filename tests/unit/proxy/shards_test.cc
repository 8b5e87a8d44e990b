// Maps of slots, what moves, and that every request goes to an owner of its slot.
#include "proxy/shards.hh"

#include <map>
#include <set>

#include "core/base/clock.hh"
#include "proxy/cluster.hh"
#include "tests/unit/proxy/balance_fixture.hh"

namespace portolan::proxy {
namespace {

std::vector<std::string> owners(const std::vector<ShardConfig>& map) {
  std::vector<std::string> by_slot(ShardsConfig::slots);
  for (const ShardConfig& shard : map)
    for (const SlotRange& range : shard.slots)
      for (uint32_t slot = range.first; slot <= range.last; ++slot) by_slot[slot] = name_of(shard);
  return by_slot;
}

// The moves are what differs between the two maps, no more and no less.
void expect_true(const std::vector<ShardConfig>& before, const ShardPlan& plan) {
  auto was = owners(before), is = owners(plan.map);
  std::map<uint32_t, std::pair<std::string, std::string>> told;
  for (const ShardMove& move : plan.moves)
    for (const SlotRange& range : move.slots)
      for (uint32_t slot = range.first; slot <= range.last; ++slot) told[slot] = {move.from, move.to};
  for (uint32_t slot = 0; slot < ShardsConfig::slots; ++slot) {
    auto move = told.find(slot);
    if (move == told.end()) {
      ASSERT_EQ(was[slot], is[slot]) << slot;
    } else {
      ASSERT_EQ(move->second, std::pair(was[slot], is[slot])) << slot;
    }
  }
  EXPECT_EQ(mistake_in(plan.map), "");
}

TEST(Shards, SlotsAreReadAndWritten) {
  EXPECT_EQ(*parse_slots("0-4095"), (SlotRange{0, 4095}));
  EXPECT_EQ(*parse_slots("7"), (SlotRange{7, 7}));
  EXPECT_EQ(to_string(SlotRange{7, 7}), "7");
  EXPECT_EQ(to_string(SlotRange{7, 9}), "7-9");
  for (const char* text : {"", "-", "1-", "-1", "2-1", "16384", "0-16384", "a", "1-2-3", "1 - 2"})
    EXPECT_FALSE(parse_slots(text)) << text;
}

TEST(Shards, AMapHasEverySlotOnce) {
  auto map = even_shards({"a", "b", "c"});
  EXPECT_EQ(mistake_in(map), "");
  map[1].slots[0].first += 1;
  EXPECT_EQ(mistake_in(map), "slot 5462 belongs to no shard");
  map[1].slots[0].first -= 2;
  EXPECT_EQ(mistake_in(map), "slot 5461 belongs to two shards");
}

TEST(Shards, AServerThatComesTakesItsShareAndNothingElseMoves) {
  auto map = even_shards({"a"});
  for (int n = 2; n <= 40; ++n) {
    ShardPlan plan = plan_with(map, "server" + std::to_string(n));
    expect_true(map, plan);
    uint32_t moved = 0;
    for (const ShardMove& move : plan.moves) moved += count_slots(move.slots);
    EXPECT_LE(moved, ShardsConfig::slots / static_cast<uint32_t>(n) + 1);
    for (const ShardConfig& shard : plan.map)
      EXPECT_NEAR(count_slots(shard.slots), ShardsConfig::slots / static_cast<uint32_t>(n), 1) << n;
    map = plan.map;
  }
}

TEST(Shards, AServerThatGoesLeavesItsSlotsToTheOthersEvenly) {
  auto map = even_shards({"a", "b", "c", "d", "e"});
  for (const char* server : {"c", "a", "e"}) {
    auto plan = plan_without(map, server);
    ASSERT_TRUE(plan);
    expect_true(map, *plan);
    for (const ShardConfig& shard : plan->map)
      EXPECT_NEAR(count_slots(shard.slots), ShardsConfig::slots / plan->map.size(), 1);
    map = plan->map;
  }
  EXPECT_FALSE(plan_without(map, "c"));
  map = plan_without(map, "b")->map;
  EXPECT_FALSE(plan_without(map, "d")) << "the last";
}

TEST(Shards, OneOfSeveralOwnersGoesAndNothingMoves) {
  std::vector<ShardConfig> map = {{{{0, 16383}}, {"a", "b"}}};
  auto plan = plan_without(map, "a");
  ASSERT_TRUE(plan);
  EXPECT_TRUE(plan->moves.empty());
  EXPECT_EQ(name_of(plan->map[0]), "b");
}

TEST(Shards, AreWrittenAsAFileHasThem) {
  EXPECT_EQ(to_toml({{{{0, 8191}, {9000, 9000}}, {"a:1"}}, {{{8192, 8999}}, {"b:1", "c:1"}}}),
            "map = [\n"
            "  { slots = [\"0-8191\", \"9000\"], servers = [\"a:1\"] },\n"
            "  { slots = [\"8192-8999\"], servers = [\"b:1\", \"c:1\"] },\n"
            "]\n");
}

// Whatever the policy: only owners of the slot are asked, and each of them is.
TEST(Shards, EveryPolicyKeepsToTheOwners) {
  for (const std::string& kind : all_kinds()) {
    auto pool = pool_of({1, 1, 1, 1});
    for (auto& m : pool->members) m.configured = m.name;
    auto config = std::make_shared<PoolConfig>();
    config->balance = kind;
    config->shards = ShardsConfig{};
    config->shards->key = {KeyConfig::By::header, "x-user"};
    config->shards->map = {{{{0, 9999}}, {pool->members[0].name, pool->members[2].name}},
                           {{{10'000, 16'383}}, {pool->members[1].name, pool->members[3].name}}};
    Cluster cluster(pool, config);
    Rng rng(5);
    std::set<size_t> used[2];
    for (int i = 0; i < 400; ++i) {
      http::RequestHead head;
      std::string user = "user" + std::to_string(i);
      head.fields.add("X-User", user);
      Steer to = cluster.steer(head, IpAddress::v4(192, 0, 2, 1));
      ASSERT_LT(to.shard, 2u);
      to.key = rng.next();
      Tried none;
      size_t m = cluster.pick({none, rng, 1, to});
      ASSERT_LT(m, 4u);
      used[to.shard].insert(m);
      if (i % 2) health::count_out(*pool->state, *pool->members[m].state);
    }
    EXPECT_EQ(used[0], (std::set<size_t>{0, 2})) << kind;
    EXPECT_EQ(used[1], (std::set<size_t>{1, 3})) << kind;
    http::RequestHead nameless;
    EXPECT_EQ(cluster.steer(nameless, IpAddress::v4(192, 0, 2, 1)).shard, Steer::none) << "it goes to any";
  }
}

}  // namespace
}  // namespace portolan::proxy
