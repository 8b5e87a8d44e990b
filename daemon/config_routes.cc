// Which routes tie. The rank of a match is proxy/router's: a named listener before none; exact
// host, longer wildcard, any; path_exact, then the longest prefix; then a method condition before
// none.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
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

std::string shared_method(const RouteConfig& a, const RouteConfig& b) {
  for (const std::string& method : a.methods)
    if (std::find(b.methods.begin(), b.methods.end(), method) != b.methods.end()) return method;
  return {};
}

// What two routes of one listener, host and path share that makes them tie, in words; empty: they don't.
std::string tie(const RouteConfig& a, const RouteConfig& b, const std::string& host) {
  if (a.methods.empty() != b.methods.empty()) return {};
  std::string method = shared_method(a, b);
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
  using Place = std::tuple<std::string, std::string, std::string, std::string>;  // listener, host, prefix, exact path
  std::map<Place, std::vector<const RouteConfig*>> taken;
  const std::vector<std::string> any_host{""};
  for (const RouteConfig& r : routes) {
    std::set<const RouteConfig*> told;
    for (const std::string& host : r.hosts.empty() ? any_host : r.hosts) {
      auto& others = taken[{r.listener, host, prefix_of(r), r.path_exact}];
      for (const RouteConfig* other : others) {
        std::string words = other == &r ? "" : tie(*other, r, host);
        if (words.empty() || !told.insert(other).second) continue;
        errors.push_back(
            fmt::format("{}: [[route]] ties with the one at {}: both take {}; make one more "
                        "specific or remove it",
                        r.where, other->where, words));
        break;
      }
      others.push_back(&r);
    }
  }
}

}  // namespace portolan::daemon
