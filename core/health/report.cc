#include "core/health/report.hh"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/health/utilization.hh"

namespace portolan::health {

using nlohmann::json;

bool Report::says_as(const Report& other) const {
  return server == other.server && datacenter == other.datacenter && draining == other.draining &&
         pools == other.pools && services == other.services;
}

PoolReport report_of(const Pool& pool) {
  PoolReport r;
  r.up = static_cast<int64_t>(pool.serving());
  r.of = static_cast<int64_t>(pool.members.size());
  r.share = pool.up_share();
  r.utilization = utilization(pool).value_or(-1);
  bool checked = std::any_of(pool.members.begin(), pool.members.end(),
                             [](const Member& m) { return m.health.state == State::up; });
  r.state = r.of == 0 ? State::unknown : r.up == 0 ? State::down : checked ? State::up : State::unknown;
  return r;
}

Report report_of(const Board& board, const std::string& server, const std::string& datacenter) {
  Report r{server, datacenter, board.version, board.datacenters.contains(datacenter), {}, {}};
  for (const auto& [name, pool] : board.pools) r.pools.emplace(name, report_of(*pool));
  for (const auto& [name, sites] : board.services)
    for (const Site& site : sites) r.services[name][site.datacenter] = to_string(site.health.state);
  return r;
}

std::string to_json(const Report& report) {
  json pools = json::object();
  for (const auto& [name, p] : report.pools) {
    pools[name] = {
        {"up", p.up}, {"of", p.of}, {"share", std::round(p.share * 10'000) / 10'000}, {"state", to_string(p.state)}};
    if (p.utilization >= 0) pools[name]["utilization"] = std::round(p.utilization * 10'000) / 10'000;
  }
  json j = {{"server", report.server},
            {"datacenter", report.datacenter},
            {"version", report.version},
            {"draining", report.draining},
            {"pools", pools}};
  if (!report.services.empty()) j["services"] = report.services;
  return j.dump(-1, ' ', false, json::error_handler_t::replace);
}

namespace {

template <class T>
T value_or(const json& object, const char* key, T fallback) {
  auto it = object.find(key);
  if (it == object.end()) return fallback;
  if constexpr (std::is_same_v<T, std::string>) return it->is_string() ? it->get<T>() : fallback;
  if constexpr (std::is_same_v<T, bool>) return it->is_boolean() ? it->get<T>() : fallback;
  if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) return it->is_number() ? it->get<T>() : fallback;
  return fallback;
}

}  // namespace

Result<Report> parse_report(std::string_view text) {
  json j = json::parse(text, nullptr, false);
  if (!j.is_object()) return Error{"not a JSON object"};
  auto pools = j.find("pools");
  if (pools == j.end() || !pools->is_object()) return Error{"no object \"pools\""};
  Report r;
  r.server = value_or<std::string>(j, "server", "");
  r.datacenter = value_or<std::string>(j, "datacenter", "");
  r.version = value_or<uint64_t>(j, "version", 0);
  r.draining = value_or<bool>(j, "draining", false);
  for (const auto& [name, p] : pools->items()) {
    if (!p.is_object()) return Error{"pool " + name + " is not an object"};
    PoolReport pool;
    pool.up = value_or<int64_t>(p, "up", 0);
    pool.of = value_or<int64_t>(p, "of", 0);
    pool.share = value_or<double>(p, "share", 0);
    pool.utilization = value_or<double>(p, "utilization", -1);
    std::string state = value_or<std::string>(p, "state", "");
    pool.state = state == "unknown" ? State::unknown : state == "up" ? State::up : State::down;
    r.pools.emplace(name, pool);
  }
  if (auto services = j.find("services"); services != j.end() && services->is_object())
    for (const auto& [name, sites] : services->items())
      if (sites.is_object())
        for (const auto& [datacenter, state] : sites.items())
          if (state.is_string()) r.services[name][datacenter] = state.get<std::string>();
  return r;
}

Health judge(const std::string& pool_name, const PoolReport& pool, const MinUp& min_up) {
  Health health;
  // A share written by the other side has four decimals: 2 of 3 must count as 66.67 %.
  bool enough =
      min_up.percent ? pool.share * 100 + 0.005 >= min_up.percent : pool.up >= std::max<int64_t>(1, min_up.count);
  if (pool.of == 0) {
    health.state = State::unknown;
    health.reason = "pool " + pool_name + " has no servers yet";
    return health;
  }
  health.state = !enough ? State::down : pool.state == State::unknown ? State::unknown : State::up;
  health.reason =
      std::to_string(pool.up) + " of " + std::to_string(pool.of) + " servers of pool " + pool_name + " serve";
  return health;
}

}  // namespace portolan::health
