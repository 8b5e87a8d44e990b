// Which routes tie. The rank of a match is proxy/router's: a named listener before none; exact
// host, longer wildcard, any; path_exact, then the longest prefix; then a method condition before
// none.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "core/conf/words.hh"
#include "daemon/config_check.hh"

namespace portolan::daemon {
namespace {

using proxy::RouteConfig;

std::string path_of(const RouteConfig& r) {
  return r.path_exact.empty() ? r.path : r.path_exact;
}

std::string automatic_name(const RouteConfig& r) {
  return (r.hosts.empty() ? "any" : r.hosts.front()) + path_of(r);
}

// "/assets" and "/assets/" are the same prefix, by whole segments.
std::string prefix_of(const RouteConfig& r) {
  return r.path.substr(0, r.path.find_last_not_of('/') + 1);
}

std::string common(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  for (const std::string& item : a)
    if (std::find(b.begin(), b.end(), item) != b.end()) return item;
  return {};
}

// What two routes share that makes them tie, in words; empty: they don't.
std::string tie(const RouteConfig& a, const RouteConfig& b) {
  if (a.listener != b.listener || a.path_exact != b.path_exact || prefix_of(a) != prefix_of(b)) return {};
  if (a.hosts.empty() != b.hosts.empty() || a.methods.empty() != b.methods.empty()) return {};
  std::string host = common(a.hosts, b.hosts), method = common(a.methods, b.methods);
  if (!a.hosts.empty() && host.empty()) return {};
  if (!a.methods.empty() && method.empty()) return {};
  std::string words = host.empty() ? "any host" : "host " + conf::quoted(host);
  words += path_of(a).empty() ? ", any path" : ", path " + conf::quoted(path_of(a));
  if (!method.empty()) words += ", method " + method;
  if (!a.listener.empty()) words += ", listener " + conf::quoted(a.listener);
  return words;
}

}  // namespace

void name_routes(std::vector<RouteConfig>& routes, Errors& errors) {
  std::map<std::string, std::string> taken;  // name → where
  for (const RouteConfig& r : routes) {
    if (r.name.empty()) continue;
    auto [it, fresh] = taken.emplace(r.name, r.where);
    if (!fresh)
      errors.push_back(fmt::format("{}: name {} in [[route]] is taken by the route at {}", r.where,
                                   conf::quoted(r.name), it->second));
  }
  for (RouteConfig& r : routes) {
    if (!r.name.empty()) continue;
    const std::string base = automatic_name(r);
    std::string name = base;
    if (taken.count(name) && !r.listener.empty()) name = base + " at " + r.listener;
    if (taken.count(name) && !r.methods.empty()) name = r.methods.front() + " " + base;
    for (int n = 2; taken.count(name); ++n) name = fmt::format("{} {}", base, n);
    taken.emplace(name, r.where);
    r.name = name;
  }
}

void check_ties(const std::vector<RouteConfig>& routes, Errors& errors) {
  std::map<std::tuple<std::string, std::string, std::string>, std::vector<const RouteConfig*>> groups;
  for (const RouteConfig& r : routes) {
    auto& group = groups[{r.listener, prefix_of(r), r.path_exact}];
    for (const RouteConfig* other : group) {
      std::string words = tie(*other, r);
      if (words.empty()) continue;
      errors.push_back(
          fmt::format("{}: [[route]] ties with the one at {}: both take {}; make one more "
                      "specific or remove it",
                      r.where, other->where, words));
      break;
    }
    group.push_back(&r);
  }
}

}  // namespace portolan::daemon
