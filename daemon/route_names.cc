#include "daemon/route_names.hh"

#include <algorithm>

namespace portolan::daemon {

RouteNames::RouteNames(const std::vector<proxy::RouteConfig>& routes) {
  for (const proxy::RouteConfig& r : routes) {
    if (r.mark.empty()) continue;
    // Routes of several paths or hosts may be alike otherwise.
    auto [at, fresh] = names_.emplace(r.mark, r.name);
    if (!fresh && at->second.size() < 200) at->second += ", " + r.name;
  }
}

void RouteNames::tell(std::string& key) const {
  constexpr std::string_view before = " (route: ";  // a URL holds no blank
  size_t begin = key.find(before);
  if (begin == std::string::npos) return;
  begin += before.size();
  size_t end = std::min(key.find_first_of(";)", begin), key.size());
  auto found = names_.find(std::string_view(key).substr(begin, end - begin));
  if (found != names_.end()) key.replace(begin, end - begin, found->second);
}

}  // namespace portolan::daemon
