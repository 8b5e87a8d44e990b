#pragma once
// Which route a request takes: the most specific one, whatever the order in the file. A named listener before none; an
// exact host, then the longest wildcard, then any; an exact path, then the longest regular expression, then the longest
// prefix by whole segments; then the one with more other conditions. Immutable; any thread.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/http/regex.hh"
#include "proxy/conditions.hh"
#include "proxy/config.hh"
#include "proxy/text_table.hh"

namespace portolan::proxy {

class Router {
 public:
  // `routes` must outlive the router; match() answers an index into it.
  explicit Router(const std::vector<RouteConfig>& routes);
  static constexpr size_t none = SIZE_MAX;
  size_t match(const RouteQuery& query) const;
  // Every route of this host and path, whatever its listener and other conditions; one may be there twice. Allocates.
  std::vector<size_t> all_of(std::string_view host, std::string_view path) const;

 private:
  // The routes of one host pattern. Its place in paths_ times three is the scope of its exact paths, one more that of its
  // prefixes (without the final '/'; "" for any path), and two more that of its regular expressions, each by the prefix
  // that it implies, in path_table_.
  struct Paths {
    bool exact = false;          // there are exact paths
    bool regex = false;          // there are regular expressions
    uint64_t prefix_depths = 0;  // bit n: there is a prefix with n slashes; the last bit: or more
  };
  // The host patterns of one listener, or of every listener. Its place in hosts_, doubled, is the scope of its exact
  // hosts, and one more that of its wildcards (".example.com") in host_table_.
  struct Hosts {
    bool exact = false;
    bool wildcard = false;
    uint32_t any = TextTable::none;  // in paths_
  };
  // What one path of one host pattern leads to: a row of candidates_, the most specific first.
  struct Candidate {
    uint32_t route = 0;
    uint32_t conditions : 31 = unconditional;  // in conditions_
    uint32_t last : 1 = 1;
  };
  static constexpr uint32_t unconditional = 0x7fffffff;
  // The same of a regular expression. The lower its `order`, the more specific it is among those of its host pattern.
  struct RegexCandidate {
    Candidate candidate;
    uint32_t order = 0;
    http::Regex path;
  };
  using Rows = std::vector<std::vector<uint32_t>>;  // routes; what each path of each host pattern leads to
  static constexpr uint32_t every_listener = 0;     // in hosts_

  size_t match_hosts(uint32_t hosts, const RouteQuery& query) const;
  size_t match_paths(uint32_t paths, const RouteQuery& query) const;
  size_t match_regexes(uint32_t paths, const RouteQuery& query) const;
  bool holds(const Candidate& c, const RouteQuery& query) const {
    return c.conditions == unconditional || conditions_[c.conditions].hold(query);
  }
  size_t first_that_holds(uint32_t row, const RouteQuery& query) const;
  uint32_t host_pattern(uint32_t hosts, std::string_view host);
  uint32_t path_pattern(uint32_t paths, const RouteConfig& route, uint32_t row);
  Candidate candidate(uint32_t route);
  void lay_out(Rows& rows);
  const std::vector<RouteConfig>& routes_;
  std::vector<Hosts> hosts_;
  std::vector<Paths> paths_;
  std::vector<Candidate> candidates_;
  std::vector<RegexCandidate> regexes_;
  std::vector<Conditions> conditions_;
  TextTable listener_table_;  // → hosts_
  TextTable host_table_;      // → paths_
  TextTable path_table_;      // → candidates_, or regexes_
  bool by_listener_ = false;
};

}  // namespace portolan::proxy
