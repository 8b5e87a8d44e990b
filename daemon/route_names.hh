#pragma once
// Keys of caches hold the marks of routes (proxy/route_mark), which say nothing to people.
#include <map>
#include <string>
#include <vector>

#include "proxy/config.hh"

namespace portolan::daemon {

class RouteNames {
 public:
  explicit RouteNames(const std::vector<proxy::RouteConfig>& routes);
  // A key as people get it (edge::key_for_people) with the route's name in the place of its mark; where no route has this
  // mark now, as it is.
  void tell(std::string& key) const;

 private:
  std::map<std::string, std::string, std::less<>> names_;  // by mark
};

}  // namespace portolan::daemon
