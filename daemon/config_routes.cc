// Which routes tie. The rank of a match is proxy/router's: a named listener before none; exact
// host, longer wildcard, any; path_exact, then the longest path_regex, then the longest prefix; then
// the more other conditions.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "core/conf/words.hh"
#include "daemon/config_check.hh"
#include "proxy/conditions.hh"

namespace portolan::daemon {
namespace {

using proxy::RouteConfig;

std::string path_of(const RouteConfig& r) {
  return !r.path_exact.empty() ? r.path_exact : !r.path_regex.empty() ? r.path_regex : r.path;
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
    if (b.methods.empty() || std::find(b.methods.begin(), b.methods.end(), method) != b.methods.end()) return method;
  return b.methods.empty() || !a.methods.empty() ? std::string() : b.methods.front();
}

void name_matches(const char* what, const std::vector<proxy::NamedMatch>& a, const std::vector<proxy::NamedMatch>& b,
                  std::string& words) {
  std::set<std::string> names;
  for (const auto* list : {&a, &b})
    for (const proxy::NamedMatch& match : *list)
      if (names.insert(match.name).second) words += fmt::format(", {} {}", what, conf::quoted(match.name));
}

std::string path_words(const RouteConfig& a, const RouteConfig& b) {
  if (!a.path_regex.empty() && a.path_regex != b.path_regex)
    return fmt::format(", a path that both {} and {} are found in", conf::quoted(a.path_regex),
                       conf::quoted(b.path_regex));
  if (!a.path_regex.empty()) return ", path_regex " + conf::quoted(a.path_regex);
  return path_of(a).empty() ? ", any path" : ", path " + conf::quoted(path_of(a));
}

// What a request looks like that two routes of one listener, host and rank of path take with equal rank, in words; empty:
// there is none.
std::string tie(const RouteConfig& a, const RouteConfig& b, const std::string& host) {
  if (proxy::condition_count(a) != proxy::condition_count(b) || proxy::exclude_each_other(a, b)) return {};
  std::string words = host.empty() ? "any host" : "host " + conf::quoted(host);
  words += path_words(a, b);
  if (std::string method = shared_method(a, b); !method.empty()) words += ", method " + method;
  name_matches("header", a.headers, b.headers, words);
  name_matches("parameter", a.query, b.query, words);
  if (!a.clients.empty() || !b.clients.empty()) words += ", a client's network";
  if (!a.countries.empty() || !b.countries.empty()) words += ", a client's country";
  if (!a.listener.empty()) words += ", listener " + conf::quoted(a.listener);
  return words;
}

std::string named(const RouteConfig& r) {
  return r.name.empty() ? "" : " " + conf::quoted(r.name);
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
  // listener, host, prefix, exact path, and the length of an expression
  using Place = std::tuple<std::string, std::string, std::string, std::string, size_t>;
  std::map<Place, std::vector<const RouteConfig*>> taken;
  const std::vector<std::string> any_host{""};
  for (const RouteConfig& r : routes) {
    std::set<const RouteConfig*> told;
    for (const std::string& host : r.hosts.empty() ? any_host : r.hosts) {
      auto& others = taken[{r.listener, host, prefix_of(r), r.path_exact, r.path_regex.size()}];
      for (const RouteConfig* other : others) {
        std::string words = other == &r ? "" : tie(*other, r, host);
        if (words.empty() || !told.insert(other).second) continue;
        errors.push_back(
            fmt::format("{}: [[route]]{} ties with the one{} at {}: both take {}; make one more "
                        "specific or remove it",
                        r.where, named(r), named(*other), other->where, words));
        break;
      }
      others.push_back(&r);
    }
  }
}

}  // namespace portolan::daemon
