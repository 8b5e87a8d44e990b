#include "proxy/route_rank.hh"

#include <algorithm>

namespace portolan::proxy {
namespace {

constexpr size_t exact_host = 1000;  // host names have 253 bytes at most

std::string_view without_slashes(std::string_view prefix) {
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  return prefix;
}

// False: none of its hosts is the one asked for.
bool rank_host(const RouteConfig& route, std::string_view host, size_t& rank) {
  if (route.hosts.empty()) return true;
  for (const std::string& pattern : route.hosts) {
    bool wildcard = pattern.starts_with("*.");
    if (wildcard ? host.ends_with(std::string_view(pattern).substr(1)) : pattern == host)
      rank = std::max(rank, wildcard ? pattern.size() : exact_host);
  }
  return rank > 0;
}

bool rank_path(const RouteConfig& route, std::string_view path, RouteRank& rank) {
  rank.exact_path = !route.path_exact.empty();
  if (rank.exact_path) return path == route.path_exact;
  if (!route.path_regex.empty()) {
    rank.regex = route.path_regex.size();
    auto regex = http::Regex::compile(route.path_regex);
    return regex && regex->found_in(path);
  }
  std::string_view prefix = without_slashes(route.path);
  rank.prefix = prefix.size();
  return prefix.empty() || (path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/'));
}

}  // namespace

std::optional<RouteRank> rank_of(const RouteConfig& route, const RouteQuery& query) {
  RouteRank rank;
  rank.listener = !route.listener.empty();
  if (rank.listener && route.listener != query.listener) return std::nullopt;
  if (!rank_host(route, query.host, rank.host) || !rank_path(route, query.path, rank)) return std::nullopt;
  if (!Conditions(route).hold(query)) return std::nullopt;
  rank.conditions = condition_count(route);
  return rank;
}

std::string_view reason_for(const RouteRank& better, const RouteRank& worse) {
  if (better.listener != worse.listener) return "it names the listener";
  if (better.host != worse.host && better.host == exact_host) return "its host is exact";
  if (better.host != worse.host) return worse.host == 0 ? "it names the host" : "its wildcard is longer";
  if (better.exact_path != worse.exact_path) return "its path is exact";
  if (better.regex != worse.regex) return worse.regex == 0 ? "its path is an expression" : "its expression is longer";
  if (better.prefix != worse.prefix) return "its path is longer";
  if (better.conditions != worse.conditions) return "it has more conditions";
  return {};
}

std::string describe(const RouteConfig& route) {
  std::string text;
  auto add = [&text](std::string_view what, std::string_view value) {
    text.append(text.empty() ? "" : ", ").append(what).append(value);
  };
  if (!route.listener.empty()) add("listener ", route.listener);
  std::string hosts;
  for (const std::string& host : route.hosts) hosts += (hosts.empty() ? "" : " ") + host;
  add(hosts.empty() ? "any host" : "host ", hosts);
  if (!route.path_exact.empty()) {
    add("path_exact ", route.path_exact);
  } else if (!route.path_regex.empty()) {
    add("path_regex ", route.path_regex);
  } else {
    add(route.path.empty() ? "any path" : "path ", route.path);
  }
  if (size_t n = condition_count(route)) add(std::to_string(n), n == 1 ? " condition" : " conditions");
  return text;
}

}  // namespace portolan::proxy
