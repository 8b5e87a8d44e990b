#include "proxy/rewrite.hh"

#include "core/http/message.hh"
#include "proxy/request_target.hh"

namespace portolan::proxy {
namespace {

std::string_view without_slashes(std::string_view prefix) {
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  return prefix;
}

bool begins_with_segments(std::string_view path, std::string_view prefix) {
  return path.starts_with(prefix) &&
         (path.size() == prefix.size() || path[prefix.size()] == '/' || path[prefix.size()] == '?');
}

}  // namespace

bool rewrite_path(const RouteConfig& route, std::string_view path, Text& out) {
  if (route.rewrite->by_regex()) {
    if (path == "*" || !route.rewrite->replacement.apply(path, out)) out.append(path);
    return !climbs(out);
  }
  if (path == "*" || !route.path_exact.empty()) {
    out.append(path == "*" ? path : std::string_view(route.rewrite->prefix));
    return true;
  }
  std::string_view to = without_slashes(route.rewrite->prefix);
  path.remove_prefix(without_slashes(route.path).size());
  // "//host" would be read as a URL without a scheme.
  while (to.empty() && path.starts_with("//")) path.remove_prefix(1);
  out.append(to).append(path);
  if (to.empty() && path.empty()) out.append("/");
  return true;
}

bool restore_location(const RouteConfig& route, std::string_view authority, std::string_view location, Text& out) {
  if (!route.path_exact.empty() || route.rewrite->by_regex()) return false;
  std::string_view path = location;
  size_t scheme = location.starts_with("http://") ? 7 : location.starts_with("https://") ? 8 : 0;
  if (scheme > 0) {
    std::string_view rest = location.substr(scheme);
    std::string_view named = rest.substr(0, rest.find_first_of("/?#"));
    if (!http::equal_ignoring_case(named, authority)) return false;
    path = rest.substr(named.size());
  }
  std::string_view seen = without_slashes(route.rewrite->prefix);
  if (!path.starts_with('/') || path.starts_with("//") || !begins_with_segments(path, seen)) return false;
  out.append(location.substr(0, location.size() - path.size()));
  std::string_view before = without_slashes(route.path);
  path.remove_prefix(seen.size());
  out.append(before).append(path);
  if (before.empty() && path.empty()) out.append("/");
  return true;
}

std::string_view stripped_prefix(const RouteConfig& route) {
  if (route.rewrite->by_regex()) return {};
  return without_slashes(route.rewrite->prefix).empty() ? without_slashes(route.path) : std::string_view();
}

}  // namespace portolan::proxy
