#include "daemon/purge_order.hh"

#include <nlohmann/json.hpp>

namespace portolan::daemon {
namespace {

using edge::Purge;
using edge::PurgeKind;
using nlohmann::json;

struct Member {
  const char* one;
  const char* many;
  PurgeKind kind;
};
constexpr Member members[] = {{"url", "urls", PurgeKind::url},
                              {"prefix", "prefixes", PurgeKind::prefix},
                              {"host", "hosts", PurgeKind::host},
                              {"tag", "tags", PurgeKind::tag}};
constexpr const char* formed =
    R"(the body must be {"urls":[…], "prefixes":[…], "hosts":[…], "tags":[…], "all":true, "soft":true, "cache":"NAME"}, )"
    R"(of these what is to be purged)";

Error malformed() {
  return Error{formed, 400};
}

// False: a value that is no text.
bool add(const json& values, PurgeKind kind, PurgeOrder& order) {
  if (values.is_string()) order.purges.push_back({kind, values.get<std::string>(), false});
  if (!values.is_array()) return values.is_string();
  for (const json& value : values) {
    if (!value.is_string()) return false;
    order.purges.push_back({kind, value.get<std::string>(), false});
  }
  return true;
}

bool read_member(const std::string& name, const json& value, PurgeOrder& order, bool& soft) {
  if (name == "soft" || name == "all") {
    if (!value.is_boolean()) return false;
    if (name == "soft") soft = value.get<bool>();
    if (name == "all" && value.get<bool>()) order.purges.push_back({PurgeKind::all, "", false});
    return true;
  }
  if (name == "cache") {
    if (!value.is_string()) return false;
    order.cache = value.get<std::string>();
    return !order.cache.empty();
  }
  for (const Member& m : members)
    if (name == m.one || name == m.many) return add(value, m.kind, order);
  return false;
}

}  // namespace

Result<PurgeOrder> parse_purge_order(const std::string& body) {
  json j = json::parse(body, nullptr, false);
  if (!j.is_object()) return malformed();
  PurgeOrder order;
  bool soft = false;
  for (auto& [name, value] : j.items())
    if (!read_member(name, value, order, soft)) return malformed();
  if (order.purges.empty()) return malformed();
  if (order.purges.size() > PurgeOrder::most) return Error{"at most 1000 purges at once", 400};
  for (Purge& purge : order.purges) {
    purge.soft = soft;
    auto good = edge::normalised(std::move(purge));
    if (!good) return good.error();
    purge = std::move(*good);
  }
  return order;
}

std::string to_json(const PurgeOrder& order) {
  json j = json::object();
  for (const Purge& purge : order.purges) {
    if (purge.kind == PurgeKind::all) j["all"] = true;
    if (purge.soft) j["soft"] = true;
    for (const Member& m : members)
      if (purge.kind == m.kind) j[m.many].push_back(purge.value);
  }
  if (!order.cache.empty()) j["cache"] = order.cache;
  return j.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string to_json(const PurgeOutcome& outcome) {
  json caches = json::object();
  for (const auto& [name, number] : outcome.caches) caches[name] = {{"number", number}};
  json j = {{"purged", outcome.removed}, {"caches", caches}};
  if (outcome.disk) j["disk"] = true;
  return j.dump();
}

}  // namespace portolan::daemon
