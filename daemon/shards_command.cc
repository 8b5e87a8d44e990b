#include "daemon/shards_command.hh"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "daemon/config.hh"
#include "daemon/table.hh"
#include "proxy/shards.hh"

namespace portolan::daemon {
namespace {

using proxy::ShardConfig;
using proxy::ShardPlan;
using proxy::ShardsConfig;

std::string share(uint32_t slots) {
  return fmt::format("{:.1f}%", 100.0 * slots / ShardsConfig::slots);
}

std::string listed(const std::vector<proxy::SlotRange>& ranges) {
  std::string text;
  for (const proxy::SlotRange& range : ranges) text += (text.empty() ? "" : ", ") + to_string(range);
  return text;
}

void print(const ShardPlan& plan, std::ostream& out) {
  Table moves({"FROM", "TO", "COUNT", "SHARE", "SLOTS"}, {2, 3});
  uint32_t moved = 0;
  for (const proxy::ShardMove& move : plan.moves) {
    uint32_t count = proxy::count_slots(move.slots);
    moved += count;
    moves.row({move.from, move.to, std::to_string(count), share(count), listed(move.slots)});
  }
  out << fmt::format("{} of {} slots move ({}).\n\n", moved, ShardsConfig::slots, share(moved));
  if (moved > 0) out << moves.text() << "\n";
  out << "Copy what belongs to them, then reload with:\n\n" << proxy::to_toml(plan.map);
}

std::vector<std::string> servers_of(const proxy::PoolConfig& pool) {
  std::vector<std::string> servers;
  for (const proxy::ServerConfig& server : pool.servers) servers.push_back(server.address.to_string());
  return servers;
}

int fail(std::ostream& err, const std::string& what) {
  err << "portolan: " << what << "\n";
  return 1;
}

}  // namespace

int plan_shards(const std::string& config_path, const ShardsOptions& options, std::ostream& out, std::ostream& err) {
  LoadResult loaded = load(config_path);
  for (const std::string& error : loaded.errors) err << error << "\n";
  if (!loaded.errors.empty()) return 2;
  auto pool = std::find_if(loaded.config.pools.begin(), loaded.config.pools.end(),
                           [&](const proxy::PoolConfig& p) { return p.name == options.pool; });
  if (pool == loaded.config.pools.end()) return fail(err, "there is no pool " + options.pool + " in " + config_path);
  if (!pool->shards && !(options.add.empty() && options.remove.empty()))
    return fail(err, "pool " + options.pool + " has no shards yet; without --add and --remove a first map is planned");
  ShardPlan plan{pool->shards ? pool->shards->map : proxy::even_shards(servers_of(*pool)), {}};
  if (!options.add.empty()) {
    auto added = HostPort::parse(options.add);
    if (!added) return fail(err, options.add + " is not an address: write \"host:port\"");
    const std::string server = added->to_string();
    for (const ShardConfig& shard : plan.map)
      if (std::find(shard.servers.begin(), shard.servers.end(), server) != shard.servers.end())
        return fail(err, server + " has slots already");
    plan = proxy::plan_with(plan.map, server);
  }
  if (!options.remove.empty()) {
    auto without = proxy::plan_without(plan.map, options.remove);
    if (!without) return fail(err, without.error().text);
    plan.map = without->map;
    plan.moves.insert(plan.moves.end(), without->moves.begin(), without->moves.end());
  }
  print(plan, out);
  return 0;
}

}  // namespace portolan::daemon
