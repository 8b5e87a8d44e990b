#include "proxy/router.hh"

#include <algorithm>

namespace portolan::proxy {
namespace {

constexpr size_t deepest = 63;  // the last bit of Paths::prefix_depths

size_t slashes(std::string_view path) {
  return static_cast<size_t>(std::count(path.begin(), path.end(), '/'));
}

// Without the last segment and its slash.
std::string_view parent(std::string_view path) {
  size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

// Whole segments that every path begins with in which the expression is found.
std::string implied_prefix(const std::string& regex) {
  http::LiteralEnds ends = http::literal_ends(regex);
  std::string prefix(parent(ends.prefix));
  while (prefix.ends_with('/')) prefix.pop_back();
  return prefix;
}

}  // namespace

Router::Router(const std::vector<RouteConfig>& routes) : routes_(routes), hosts_(1) {
  Rows rows;
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
  lay_out(rows);
}

// A row becomes a run of candidates_ or regexes_, the most specific first, and the tables' values places in those.
void Router::lay_out(Rows& rows) {
  std::vector<Candidate> made(routes_.size());
  std::vector<uint32_t> by_regex;
  std::vector<http::Regex> regexes(routes_.size());
  std::vector<uint32_t> counts;
  for (uint32_t i = 0; i < routes_.size(); ++i) {
    counts.push_back(static_cast<uint32_t>(condition_count(routes_[i])));
    made[i].route = i;
    if (counts[i] > 0) {
      made[i].conditions = static_cast<uint32_t>(conditions_.size()) & unconditional;
      conditions_.emplace_back(routes_[i]);
    }
    if (routes_[i].path_regex.empty()) continue;
    by_regex.push_back(i);
    if (auto regex = http::Regex::compile(routes_[i].path_regex)) regexes[i] = std::move(*regex);
  }
  auto more_specific = [&](uint32_t a, uint32_t b) {
    size_t x = routes_[a].path_regex.size(), y = routes_[b].path_regex.size();
    return x != y ? x > y : counts[a] > counts[b];
  };
  std::stable_sort(by_regex.begin(), by_regex.end(), more_specific);
  std::vector<uint32_t> order(by_regex.empty() ? 0 : routes_.size());
  for (uint32_t i = 0; i < by_regex.size(); ++i) order[by_regex[i]] = i;
  std::vector<uint32_t> begins;
  for (std::vector<uint32_t>& row : rows) {
    std::stable_sort(row.begin(), row.end(), more_specific);
    bool regex = !routes_[row.front()].path_regex.empty();
    begins.push_back(static_cast<uint32_t>(regex ? regexes_.size() : candidates_.size()));
    for (uint32_t index : row) {
      Candidate c = made[index];
      c.last = index == row.back();
      if (regex) {
        regexes_.push_back({c, order[index], regexes[index]});
      } else {
        candidates_.push_back(c);
      }
    }
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
    return path_table_.add(paths * 3, route.path_exact, row);
  }
  if (!route.path_regex.empty()) {
    paths_[paths].regex = true;
    return path_table_.add(paths * 3 + 2, implied_prefix(route.path_regex), row);
  }
  std::string_view prefix = route.path;
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  paths_[paths].prefix_depths |= uint64_t{1} << std::min(slashes(prefix), deepest);
  return path_table_.add(paths * 3 + 1, prefix, row);
}

size_t Router::match(const RouteQuery& query) const {
  if (by_listener_)
    if (uint32_t hosts = listener_table_.find(0, query.listener); hosts != TextTable::none)
      if (size_t found = match_hosts(hosts, query); found != none) return found;
  return match_hosts(every_listener, query);
}

std::vector<size_t> Router::all_of(std::string_view host, std::string_view path) const {
  std::vector<size_t> all;
  RouteQuery query{{}, host, path, {}};
  query.all = &all;
  for (uint32_t hosts = 0; hosts < hosts_.size(); ++hosts) match_hosts(hosts, query);
  return all;
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
    if (uint32_t row = path_table_.find(index * 3, query.path); row != TextTable::none)
      if (size_t found = first_that_holds(row, query); found != none) return found;
  if (paths.regex)
    if (size_t found = match_regexes(index, query); found != none) return found;
  size_t depth = slashes(query.path);
  for (std::string_view prefix = query.path;;) {
    bool known = paths.prefix_depths >> std::min(depth, deepest) & 1;
    if (known && !prefix.ends_with('/'))
      if (uint32_t row = path_table_.find(index * 3 + 1, prefix); row != TextTable::none)
        if (size_t found = first_that_holds(row, query); found != none) return found;
    if (prefix.empty()) return none;
    size_t slash = prefix.rfind('/');
    prefix = slash == std::string_view::npos ? std::string_view() : prefix.substr(0, slash);
    depth -= slash != std::string_view::npos;
  }
}

// The best of all prefixes: an expression is not more specific for what it implies.
size_t Router::match_regexes(uint32_t index, const RouteQuery& query) const {
  const RegexCandidate* best = nullptr;
  for (std::string_view prefix = query.path;;) {
    uint32_t row = prefix.ends_with('/') ? TextTable::none : path_table_.find(index * 3 + 2, prefix);
    for (const RegexCandidate* r = row == TextTable::none ? nullptr : &regexes_[row]; r; ++r) {
      if (best && best->order <= r->order) break;
      if (query.all) {
        if (r->path.found_in(query.path)) query.all->push_back(r->candidate.route);
      } else if (r->path.found_in(query.path) && holds(r->candidate, query)) {
        best = r;
      }
      if (best == r || r->candidate.last) break;
    }
    if (prefix.empty()) return best ? best->candidate.route : none;
    prefix = parent(prefix);
  }
}

size_t Router::first_that_holds(uint32_t row, const RouteQuery& query) const {
  for (const Candidate* c = &candidates_[row];; ++c) {
    if (query.all) {
      query.all->push_back(c->route);
    } else if (holds(*c, query)) {
      return c->route;
    }
    if (c->last) return none;
  }
}

}  // namespace portolan::proxy
