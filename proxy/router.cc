#include "proxy/router.hh"

#include <algorithm>

namespace portolan::proxy {
namespace {

constexpr size_t deepest = 63;  // the last bit of Paths::prefix_depths

size_t slashes(std::string_view path) {
  return static_cast<size_t>(std::count(path.begin(), path.end(), '/'));
}

}  // namespace

Router::Router(const std::vector<RouteConfig>& routes) : routes_(routes), hosts_(1) {
  std::vector<std::vector<uint32_t>> rows;  // what each path of each host pattern leads to
  auto add = [&](uint32_t hosts, std::string_view host, uint32_t index) {
    uint32_t row = path_pattern(host_pattern(hosts, host), routes[index], static_cast<uint32_t>(rows.size()));
    if (row == rows.size()) rows.emplace_back();
    rows[row].push_back(index);
  };
  for (uint32_t i = 0; i < routes.size(); ++i) {
    uint32_t hosts = every_listener;
    if (!routes[i].listener.empty()) {
      hosts = listener_table_.add(0, routes[i].listener, static_cast<uint32_t>(hosts_.size()));
      if (hosts == hosts_.size()) hosts_.emplace_back();
      by_listener_ = true;
    }
    if (routes[i].hosts.empty()) add(hosts, {}, i);
    for (const std::string& host : routes[i].hosts) add(hosts, host, i);
  }
  // A route with methods is asked before one without; the tables' values become places in candidates_.
  std::vector<uint32_t> begins;
  for (std::vector<uint32_t>& row : rows) {
    std::stable_sort(row.begin(), row.end(),
                     [&](uint32_t a, uint32_t b) { return routes[a].methods.empty() < routes[b].methods.empty(); });
    begins.push_back(static_cast<uint32_t>(candidates_.size()));
    for (uint32_t index : row) candidates_.push_back({index, routes[index].methods.empty(), false});
    candidates_.back().last = true;
  }
  path_table_.replace_values(begins);
}

// The routes of a host pattern; "" is any host.
uint32_t Router::host_pattern(uint32_t hosts, std::string_view host) {
  auto fresh = static_cast<uint32_t>(paths_.size());
  uint32_t paths = fresh;
  if (host.empty()) {
    if (hosts_[hosts].any == TextTable::none) hosts_[hosts].any = fresh;
    paths = hosts_[hosts].any;
  } else if (host.starts_with("*.")) {
    hosts_[hosts].wildcard = true;
    paths = host_table_.add(hosts * 2 + 1, host.substr(1), fresh);
  } else {
    hosts_[hosts].exact = true;
    paths = host_table_.add(hosts * 2, host, fresh);
  }
  if (paths == fresh) paths_.emplace_back();
  return paths;
}

uint32_t Router::path_pattern(uint32_t paths, const RouteConfig& route, uint32_t row) {
  if (!route.path_exact.empty()) {
    paths_[paths].exact = true;
    return path_table_.add(paths * 2, route.path_exact, row);
  }
  std::string_view prefix = route.path;
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  paths_[paths].prefix_depths |= uint64_t{1} << std::min(slashes(prefix), deepest);
  return path_table_.add(paths * 2 + 1, prefix, row);
}

size_t Router::match(const RouteQuery& query) const {
  if (by_listener_)
    if (uint32_t hosts = listener_table_.find(0, query.listener); hosts != TextTable::none)
      if (size_t found = match_hosts(hosts, query); found != none) return found;
  return match_hosts(every_listener, query);
}

size_t Router::match_hosts(uint32_t index, const RouteQuery& query) const {
  const Hosts& hosts = hosts_[index];
  if (hosts.exact)
    if (uint32_t paths = host_table_.find(index * 2, query.host); paths != TextTable::none)
      if (size_t found = match_paths(paths, query); found != none) return found;
  if (hosts.wildcard) {
    for (size_t dot = query.host.find('.'); dot != std::string_view::npos; dot = query.host.find('.', dot + 1)) {
      uint32_t paths = host_table_.find(index * 2 + 1, query.host.substr(dot));
      if (paths == TextTable::none) continue;
      if (size_t found = match_paths(paths, query); found != none) return found;
    }
  }
  return hosts.any == TextTable::none ? none : match_paths(hosts.any, query);
}

size_t Router::match_paths(uint32_t index, const RouteQuery& query) const {
  const Paths& paths = paths_[index];
  if (paths.exact)
    if (uint32_t row = path_table_.find(index * 2, query.path); row != TextTable::none)
      if (size_t found = first_that_holds(row, query); found != none) return found;
  size_t depth = slashes(query.path);
  for (std::string_view prefix = query.path;;) {
    bool known = paths.prefix_depths >> std::min(depth, deepest) & 1;
    if (known && !prefix.ends_with('/'))
      if (uint32_t row = path_table_.find(index * 2 + 1, prefix); row != TextTable::none)
        if (size_t found = first_that_holds(row, query); found != none) return found;
    if (prefix.empty()) return none;
    size_t slash = prefix.rfind('/');
    prefix = slash == std::string_view::npos ? std::string_view() : prefix.substr(0, slash);
    depth -= slash != std::string_view::npos;
  }
}

size_t Router::first_that_holds(uint32_t row, const RouteQuery& query) const {
  for (const Candidate* c = &candidates_[row];; ++c) {
    if (c->any_method) return c->route;
    const auto& methods = routes_[c->route].methods;
    if (std::find(methods.begin(), methods.end(), query.method) != methods.end()) return c->route;
    if (c->last) return none;
  }
}

}  // namespace portolan::proxy
