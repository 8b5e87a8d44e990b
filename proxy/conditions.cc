#include "proxy/conditions.hh"

#include <algorithm>

#include "proxy/request_target.hh"

namespace portolan::proxy {
namespace {

using Form = ValueMatch::Form;

template <class List, class T>
bool has(const List& list, const T& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

// All lines of that name as one value; `joined` keeps it where there are several.
std::optional<std::string_view> value_of(const http::Fields& fields, http::FieldId id, const std::string& name,
                                         Text& joined) {
  if (id != http::FieldId::other && !fields.may_have(id)) return std::nullopt;
  std::optional<std::string_view> value;
  for (const http::Field& f : fields) {
    if (f.id != id || (id == http::FieldId::other && !http::equal_ignoring_case(f.name, name))) continue;
    if (!value) {
      value = f.value;
      continue;
    }
    if (joined.empty()) joined.assign(*value);
    value = joined.append(", ").append(f.value);
  }
  return value;
}

template <class T, class Exclude>
bool all_pairs(const std::vector<T>& a, const std::vector<T>& b, Exclude exclude) {
  return std::all_of(a.begin(), a.end(), [&](const T& x) {
    return std::all_of(b.begin(), b.end(), [&](const T& y) { return exclude(x, y); });
  });
}

bool never_both(const ValueMatch& a, const ValueMatch& b) {
  if (a.form > b.form) return never_both(b, a);
  if (b.form == Form::absent) return a.form != Form::absent;
  if (a.form == Form::exact && b.form == Form::exact) return all_pairs(a.values, b.values, std::not_equal_to<>());
  if (a.form == Form::exact && b.form == Form::prefix)
    return all_pairs(a.values, b.values, [](const auto& x, const auto& y) { return !x.starts_with(y); });
  if (a.form == Form::prefix && b.form == Form::prefix)
    return all_pairs(a.values, b.values,
                     [](const auto& x, const auto& y) { return !x.starts_with(y) && !y.starts_with(x); });
  if (a.form == Form::exact && b.form == Form::regex) {
    auto regex = http::Regex::compile(b.values.front());
    return regex && std::none_of(a.values.begin(), a.values.end(), [&](const auto& x) { return regex->found_in(x); });
  }
  return false;
}

bool never_both(const std::vector<NamedMatch>& a, const std::vector<NamedMatch>& b) {
  return std::any_of(a.begin(), a.end(), [&](const NamedMatch& x) {
    return std::any_of(b.begin(), b.end(),
                       [&](const NamedMatch& y) { return x.name == y.name && never_both(x.value, y.value); });
  });
}

// Lists of what a request has one of; empty: any.
template <class T, class Exclude>
bool apart(const std::vector<T>& a, const std::vector<T>& b, Exclude exclude) {
  return !a.empty() && !b.empty() && all_pairs(a, b, exclude);
}

bool paths_apart(const std::string& a, const std::string& b) {
  if (a.empty() || b.empty() || a == b) return false;
  http::LiteralEnds x = http::literal_ends(a), y = http::literal_ends(b);
  return (!x.prefix.starts_with(y.prefix) && !y.prefix.starts_with(x.prefix)) ||
         (!x.suffix.ends_with(y.suffix) && !y.suffix.ends_with(x.suffix));
}

}  // namespace

Conditions::Value::Value(const NamedMatch& m) : name(m.name), id(http::field_id(m.name)), match(m.value) {
  if (match.form == Form::regex)
    if (auto compiled = http::Regex::compile(match.values.front())) regex = *compiled;
}

bool Conditions::Value::holds(std::optional<std::string_view> value) const {
  if (!value) return match.form == Form::absent;
  switch (match.form) {
    case Form::exact:
      return has(match.values, *value);
    case Form::prefix:
      return std::any_of(match.values.begin(), match.values.end(),
                         [&](const std::string& prefix) { return value->starts_with(prefix); });
    case Form::regex:
      return regex.found_in(*value);
    case Form::present:
      return true;
    case Form::absent:
      return false;
  }
  return false;
}

Conditions::Conditions(const RouteConfig& route)
    : methods_(route.methods),
      headers_(route.headers.begin(), route.headers.end()),
      query_(route.query.begin(), route.query.end()),
      clients_(route.clients),
      countries_(route.countries) {}

bool Conditions::hold(const RouteQuery& query) const {
  if (!methods_.empty() && !has(methods_, query.method)) return false;
  for (const Value& header : headers_) {
    Text joined;
    if (!header.holds(query.fields ? value_of(*query.fields, header.id, header.name, joined) : std::nullopt))
      return false;
  }
  for (const Value& parameter : query_) {
    Text decoded;
    if (!parameter.holds(query_parameter(query.query, parameter.name, decoded))) return false;
  }
  if (!clients_.empty() && !(query.client && clients_.contains(*query.client))) return false;
  if (countries_.empty()) return true;
  return query.client && query.country && has(countries_, query.country->of(*query.client, query.geo));
}

size_t condition_count(const RouteConfig& route) {
  return route.headers.size() + route.query.size() + !route.methods.empty() + !route.clients.empty() +
         !route.countries.empty();
}

bool exclude_each_other(const RouteConfig& a, const RouteConfig& b) {
  return apart(a.methods, b.methods, std::not_equal_to<>()) || never_both(a.headers, b.headers) ||
         never_both(a.query, b.query) || apart(a.countries, b.countries, std::not_equal_to<>()) ||
         apart(
             a.clients, b.clients,
             [](const IpNetwork& x, const IpNetwork& y) { return !x.contains(y.address) && !y.contains(x.address); }) ||
         paths_apart(a.path_regex, b.path_regex);
}

}  // namespace portolan::proxy
