#include "proxy/router.hh"

#include <algorithm>

namespace portolan::proxy {

Router::Router(const std::vector<RouteConfig>& routes) : routes_(routes) {
  for (size_t i = 0; i < routes.size(); ++i)
    add(routes[i].listener.empty() ? every_listener_ : by_listener_[routes[i].listener], i);
}

void Router::add(Hosts& hosts, size_t index) {
  const RouteConfig& route = routes_[index];
  if (route.hosts.empty()) add_path(hosts.any, index);
  for (const std::string& host : route.hosts) {
    if (host.starts_with("*.")) {
      add_path(hosts.wildcard[host.substr(1)], index);
    } else {
      add_path(hosts.exact[host], index);
    }
  }
}

void Router::add_path(Paths& paths, size_t index) {
  const RouteConfig& route = routes_[index];
  std::string_view prefix = route.path;
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  auto& list = route.path_exact.empty() ? paths.prefix[std::string(prefix)] : paths.exact[route.path_exact];
  list.push_back(index);
  // A route with methods is asked before one without.
  std::stable_sort(list.begin(), list.end(),
                   [this](size_t a, size_t b) { return routes_[a].methods.empty() < routes_[b].methods.empty(); });
}

size_t Router::match(const RouteQuery& query) const {
  if (auto named = by_listener_.find(query.listener); named != by_listener_.end())
    if (size_t found = match_hosts(named->second, query); found != none) return found;
  return match_hosts(every_listener_, query);
}

size_t Router::match_hosts(const Hosts& hosts, const RouteQuery& query) const {
  if (auto exact = hosts.exact.find(query.host); exact != hosts.exact.end())
    if (size_t found = match_paths(exact->second, query); found != none) return found;
  if (!hosts.wildcard.empty()) {
    for (size_t dot = query.host.find('.'); dot != std::string_view::npos; dot = query.host.find('.', dot + 1)) {
      auto wild = hosts.wildcard.find(query.host.substr(dot));
      if (wild == hosts.wildcard.end()) continue;
      if (size_t found = match_paths(wild->second, query); found != none) return found;
    }
  }
  return match_paths(hosts.any, query);
}

size_t Router::match_paths(const Paths& paths, const RouteQuery& query) const {
  if (auto exact = paths.exact.find(query.path); exact != paths.exact.end())
    if (size_t found = first_that_holds(exact->second, query); found != none) return found;
  if (paths.prefix.empty()) return none;
  for (std::string_view prefix = query.path;;) {
    bool whole_segments = prefix.size() == query.path.size() || query.path[prefix.size()] == '/';
    if (whole_segments && !prefix.ends_with('/')) {
      auto found = paths.prefix.find(prefix);
      if (found != paths.prefix.end())
        if (size_t route = first_that_holds(found->second, query); route != none) return route;
    }
    if (prefix.empty()) return none;
    size_t slash = prefix.rfind('/');
    prefix = slash == std::string_view::npos ? std::string_view() : prefix.substr(0, slash);
    if (prefix.empty()) {
      auto any = paths.prefix.find(std::string_view());
      return any == paths.prefix.end() ? none : first_that_holds(any->second, query);
    }
  }
}

size_t Router::first_that_holds(const std::vector<size_t>& candidates, const RouteQuery& query) const {
  for (size_t i : candidates) {
    const auto& methods = routes_[i].methods;
    if (methods.empty() || std::find(methods.begin(), methods.end(), query.method) != methods.end()) return i;
  }
  return none;
}

}  // namespace portolan::proxy
