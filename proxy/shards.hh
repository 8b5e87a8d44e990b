#pragma once
// Slots of keys and who owns them: reading and writing maps, and what has to move when a server comes or goes. Pure.
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hh"
#include "proxy/config.hh"

namespace portolan::proxy {

// "0-4095" or "7".
Result<SlotRange> parse_slots(std::string_view text);
std::string to_string(const SlotRange& range);
uint32_t slot_of(uint64_t key);
uint32_t count_slots(const std::vector<SlotRange>& ranges);
// The first slot that nobody or two shards own, in words; empty: there is none.
std::string mistake_in(const std::vector<ShardConfig>& map);

struct ShardMove {
  std::string from;  // a shard's servers
  std::string to;
  std::vector<SlotRange> slots;
};
struct ShardPlan {
  std::vector<ShardConfig> map;  // the new one
  std::vector<ShardMove> moves;  // what else is as it was
};
// Even parts for those servers, a shard each.
std::vector<ShardConfig> even_shards(const std::vector<std::string>& servers);
// A new shard of that server takes from each its part above the new average, and nothing else moves.
ShardPlan plan_with(const std::vector<ShardConfig>& map, const std::string& server);
// The shard that has no other server gives its slots to those that have the fewest.
Result<ShardPlan> plan_without(const std::vector<ShardConfig>& map, const std::string& server);
// As it stands in a file: "map = [ … ]", a shard a line.
std::string to_toml(const std::vector<ShardConfig>& map);
std::string name_of(const ShardConfig& shard);  // its servers

}  // namespace portolan::proxy
