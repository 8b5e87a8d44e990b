#pragma once
// Why one route comes before another, by looking at the routes alone: for explanations and tests. Requests are routed by
// Router, which finds the same.
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/conditions.hh"
#include "proxy/config.hh"

namespace portolan::proxy {

// In the order in which they count; more comes first.
struct RouteRank {
  bool listener = false;  // it names one
  size_t host = 0;        // any: 0; a wildcard: its length; exact: more than any wildcard's
  bool exact_path = false;
  size_t regex = 0;   // length of its expression
  size_t prefix = 0;  // length of its path
  size_t conditions = 0;
  auto operator<=>(const RouteRank&) const = default;
};

// nullopt: it doesn't take the request.
std::optional<RouteRank> rank_of(const RouteConfig& route, const RouteQuery& query);
// Which of them decides: "its host is exact", "its path is longer". Empty: they are equal.
std::string_view reason_for(const RouteRank& better, const RouteRank& worse);
// "host a.example, path /api/, 2 more conditions"
std::string describe(const RouteConfig& route);

}  // namespace portolan::proxy
