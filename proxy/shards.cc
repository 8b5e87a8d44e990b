#include "proxy/shards.hh"

#include <algorithm>
#include <charconv>

namespace portolan::proxy {
namespace {

bool read_number(std::string_view text, uint32_t& out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && out < ShardsConfig::slots;
}

void normalise(std::vector<SlotRange>& ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const SlotRange& a, const SlotRange& b) { return a.first < b.first; });
  std::vector<SlotRange> joined;
  for (const SlotRange& range : ranges) {
    if (!joined.empty() && joined.back().last + 1 == range.first)
      joined.back().last = range.last;
    else
      joined.push_back(range);
  }
  ranges = std::move(joined);
}

// The last `count` of them, taken out.
std::vector<SlotRange> take_last(std::vector<SlotRange>& ranges, uint32_t count) {
  std::vector<SlotRange> taken;
  while (count > 0 && !ranges.empty()) {
    SlotRange& last = ranges.back();
    uint32_t has = last.last - last.first + 1, part = std::min(has, count);
    taken.push_back({last.last - part + 1, last.last});
    count -= part;
    if (part == has)
      ranges.pop_back();
    else
      last.last -= part;
  }
  normalise(taken);
  return taken;
}

void give(ShardConfig& shard, const std::vector<SlotRange>& ranges) {
  shard.slots.insert(shard.slots.end(), ranges.begin(), ranges.end());
  normalise(shard.slots);
}

// Who has how many in the end: as even as can be, more where there are more now.
std::vector<uint32_t> even_parts(const std::vector<uint32_t>& now, size_t shards) {
  std::vector<uint32_t> parts(shards, static_cast<uint32_t>(ShardsConfig::slots / shards));
  std::vector<size_t> order(now.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return now[a] > now[b]; });
  for (size_t i = 0; i < ShardsConfig::slots % shards; ++i) ++parts[i < order.size() ? order[i] : i];
  return parts;
}

std::vector<uint32_t> counts_of(const std::vector<ShardConfig>& map) {
  std::vector<uint32_t> counts;
  counts.reserve(map.size());
  for (const ShardConfig& shard : map) counts.push_back(count_slots(shard.slots));
  return counts;
}

std::string slot_text(uint32_t slot) {
  return "slot " + std::to_string(slot);
}

}  // namespace

Result<SlotRange> parse_slots(std::string_view text) {
  size_t dash = text.find('-');
  SlotRange range;
  bool good = read_number(text.substr(0, dash), range.first);
  range.last = range.first;
  if (dash != std::string_view::npos) good = good && read_number(text.substr(dash + 1), range.last);
  if (!good || range.last < range.first) return Error{"not slots such as \"0-4095\", from 0 to 16383"};
  return range;
}

std::string to_string(const SlotRange& range) {
  std::string text = std::to_string(range.first);
  return range.last == range.first ? text : text + "-" + std::to_string(range.last);
}

uint32_t slot_of(uint64_t key) {
  return static_cast<uint32_t>(key % ShardsConfig::slots);
}

uint32_t count_slots(const std::vector<SlotRange>& ranges) {
  uint32_t n = 0;
  for (const SlotRange& range : ranges) n += range.last - range.first + 1;
  return n;
}

std::string mistake_in(const std::vector<ShardConfig>& map) {
  std::vector<uint8_t> owners(ShardsConfig::slots, 0);
  for (const ShardConfig& shard : map)
    for (const SlotRange& range : shard.slots)
      for (uint32_t slot = range.first; slot <= range.last; ++slot)
        if (owners[slot]++) return slot_text(slot) + " belongs to two shards";
  auto free = std::find(owners.begin(), owners.end(), 0);
  if (free != owners.end()) return slot_text(static_cast<uint32_t>(free - owners.begin())) + " belongs to no shard";
  return {};
}

std::vector<ShardConfig> even_shards(const std::vector<std::string>& servers) {
  std::vector<ShardConfig> map;
  std::vector<uint32_t> parts = even_parts({}, servers.size());
  uint32_t next = 0;
  for (size_t i = 0; i < servers.size(); ++i) {
    map.push_back({{{next, next + parts[i] - 1}}, {servers[i]}});
    next += parts[i];
  }
  return map;
}

ShardPlan plan_with(const std::vector<ShardConfig>& map, const std::string& server) {
  ShardPlan plan{map, {}};
  ShardConfig fresh{{}, {server}};
  std::vector<uint32_t> now = counts_of(map), parts = even_parts(now, map.size() + 1);
  uint32_t wanted = parts.back();
  for (size_t i = 0; i < map.size(); ++i) {
    if (now[i] <= parts[i]) continue;
    uint32_t count = std::min(now[i] - parts[i], wanted);
    if (count == 0) continue;
    wanted -= count;
    std::vector<SlotRange> taken = take_last(plan.map[i].slots, count);
    give(fresh, taken);
    plan.moves.push_back({name_of(map[i]), server, std::move(taken)});
  }
  plan.map.push_back(std::move(fresh));
  return plan;
}

Result<ShardPlan> plan_without(const std::vector<ShardConfig>& map, const std::string& server) {
  ShardPlan plan{map, {}};
  auto has = [&](const ShardConfig& shard) {
    return std::find(shard.servers.begin(), shard.servers.end(), server) != shard.servers.end();
  };
  auto gone = std::find_if(plan.map.begin(), plan.map.end(), has);
  if (gone == plan.map.end()) return Error{server + " has no shard"};
  std::erase(gone->servers, server);
  if (!gone->servers.empty()) return plan;  // the others of its shard have all it has
  if (plan.map.size() == 1) return Error{server + " is the only server"};
  std::vector<SlotRange> left = std::move(gone->slots);
  plan.map.erase(gone);
  std::vector<uint32_t> now = counts_of(plan.map), parts = even_parts(now, plan.map.size());
  for (size_t i = 0; i < plan.map.size(); ++i) {
    uint32_t count = i + 1 == plan.map.size() ? count_slots(left) : parts[i] > now[i] ? parts[i] - now[i] : 0;
    std::vector<SlotRange> taken = take_last(left, count);
    if (taken.empty()) continue;
    give(plan.map[i], taken);
    plan.moves.push_back({server, name_of(plan.map[i]), std::move(taken)});
  }
  return plan;
}

std::string name_of(const ShardConfig& shard) {
  std::string name;
  for (const std::string& server : shard.servers) name += (name.empty() ? "" : ", ") + server;
  return name;
}

std::string to_toml(const std::vector<ShardConfig>& map) {
  auto quoted = [](const auto& items, auto text) {
    std::string out;
    for (const auto& item : items) out += (out.empty() ? "\"" : ", \"") + text(item) + "\"";
    return "[" + out + "]";
  };
  std::string out = "map = [\n";
  for (const ShardConfig& shard : map)
    out += "  { slots = " + quoted(shard.slots, [](const SlotRange& r) { return to_string(r); }) +
           ", servers = " + quoted(shard.servers, [](const std::string& s) { return s; }) + " },\n";
  return out + "]\n";
}

}  // namespace portolan::proxy
