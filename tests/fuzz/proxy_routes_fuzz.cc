// Rule expressions: a request and routes out of one text, a line each. What the router finds is what a look at every route
// would find, what an expression implies holds, and routes that exclude each other never both take the request.
//   line 1 the path, 2 the query, 3 the value of X-A; each further one is a route:
//   r EXPRESSION | = PATH | / PREFIX, and behind a tab each: h FORM VALUE | q FORM VALUE (parameter a)
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "proxy/router.hh"

using namespace portolan;
using namespace portolan::proxy;

namespace {

constexpr size_t most_routes = 12;

std::string take(std::string& text, char until) {
  size_t end = std::min(text.find(until), text.size());
  std::string part = text.substr(0, end);
  text.erase(0, end + 1);
  return part;
}

NamedMatch match_of(std::string name, const std::string& text) {
  NamedMatch m{std::move(name), {}};
  m.value.form = static_cast<ValueMatch::Form>(text.empty() ? 0 : static_cast<unsigned char>(text[0]) % 5);
  std::string value = text.size() > 1 ? text.substr(1) : "";
  if (m.value.form == ValueMatch::Form::regex && !http::Regex::compile(value)) m.value.form = ValueMatch::Form::exact;
  m.value.values = {value};
  return m;
}

// False: the line is no route that a configuration could hold.
bool read_route(std::string line, RouteConfig& route) {
  std::string path = take(line, '\t');
  if (path.empty()) return false;
  std::string rest = path.substr(1);
  if (path[0] == 'r' && (rest.empty() || !http::Regex::compile(rest))) return false;
  if (path[0] == 'r')
    route.path_regex = rest;
  else if (path[0] == '=' && rest.starts_with('/'))
    route.path_exact = rest;
  else if (path[0] == '/')
    route.path = path;
  else
    return false;
  while (!line.empty()) {
    std::string condition = take(line, '\t');
    if (condition.starts_with('h') && route.headers.empty())
      route.headers.push_back(match_of("x-a", condition.substr(1)));
    if (condition.starts_with('q') && route.query.empty()) route.query.push_back(match_of("a", condition.substr(1)));
  }
  return true;
}

void require(bool holds) {
  if (!holds) std::abort();
}

bool takes(const RouteConfig& r, const RouteQuery& q) {
  if (!r.path_exact.empty()) return q.path == r.path_exact && Conditions(r).hold(q);
  if (!r.path_regex.empty()) {
    if (!http::Regex::compile(r.path_regex)->found_in(q.path)) return false;
    http::LiteralEnds ends = http::literal_ends(r.path_regex);
    require(q.path.starts_with(ends.prefix) && q.path.ends_with(ends.suffix));
    return Conditions(r).hold(q);
  }
  std::string_view prefix = r.path;
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  bool begins = q.path.starts_with(prefix) && (q.path.size() == prefix.size() || q.path[prefix.size()] == '/');
  return (begins || prefix.empty()) && Conditions(r).hold(q);
}

struct Rank {
  bool exact;
  size_t regex, prefix, conditions;
  auto operator<=>(const Rank&) const = default;
};

Rank rank_of(const RouteConfig& r) {
  return {!r.path_exact.empty(), r.path_regex.size(), std::string_view(r.path).find_last_not_of('/') + 1,
          condition_count(r)};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 4096) return 0;
  std::string text(reinterpret_cast<const char*>(data), size);
  std::string path = "/" + take(text, '\n'), query = take(text, '\n'), value = take(text, '\n');
  std::vector<RouteConfig> routes;
  while (!text.empty() && routes.size() < most_routes) {
    RouteConfig route;
    if (read_route(take(text, '\n'), route)) routes.push_back(std::move(route));
  }
  http::Fields fields;
  fields.add("X-A", value);
  RouteQuery q{"web", "a.example", path, "GET", query, &fields};
  size_t found = Router(routes).match(q);
  std::vector<const RouteConfig*> takers;
  for (const RouteConfig& r : routes)
    if (takes(r, q)) takers.push_back(&r);
  require(takers.empty() == (found == Router::none));
  for (const RouteConfig* a : takers) {
    require(rank_of(*a) <= rank_of(routes[found]));
    for (const RouteConfig* b : takers) require(!exclude_each_other(*a, *b));
  }
  return 0;
}
