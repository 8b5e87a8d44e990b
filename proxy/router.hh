#pragma once
// Which route a request takes: the most specific one, whatever the order in the file. A named listener before none; an
// exact host, then the longest wildcard, then any; an exact path, then the longest prefix by whole segments; then the
// one with more other conditions. Immutable; any thread.
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "proxy/config.hh"

namespace portolan::proxy {

struct RouteQuery {
  std::string_view listener;
  std::string_view host;  // lower case, without port
  std::string_view path;  // begins with '/', or "*"
  std::string_view method;
};

class Router {
 public:
  // `routes` must outlive the router; match() answers an index into it.
  explicit Router(const std::vector<RouteConfig>& routes);
  static constexpr size_t none = SIZE_MAX;
  size_t match(const RouteQuery& query) const;

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
  };
  template <class V>
  using Map = std::unordered_map<std::string, V, Hash, std::equal_to<>>;
  // The routes of one host pattern, by path; each list is sorted, the most specific first.
  struct Paths {
    Map<std::vector<size_t>> exact;
    Map<std::vector<size_t>> prefix;  // without the final '/'; "" for any path
  };
  struct Hosts {
    Map<Paths> exact;
    Map<Paths> wildcard;  // ".example.com"
    Paths any;
  };
  size_t match_hosts(const Hosts& hosts, const RouteQuery& query) const;
  size_t match_paths(const Paths& paths, const RouteQuery& query) const;
  size_t first_that_holds(const std::vector<size_t>& candidates, const RouteQuery& query) const;
  void add(Hosts& hosts, size_t index);
  void add_path(Paths& paths, size_t index);
  const std::vector<RouteConfig>& routes_;
  Map<Hosts> by_listener_;
  Hosts every_listener_;
};

}  // namespace portolan::proxy
