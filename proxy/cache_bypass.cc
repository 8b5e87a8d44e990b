#include "proxy/cache_bypass.hh"

#include <algorithm>

#include "core/conf/types.hh"
#include "core/http/semantics.hh"
#include "edge/rules.hh"
#include "proxy/condition_fields.hh"
#include "proxy/request_target.hh"

namespace portolan::proxy {
namespace {

using conf::Binder;
using conf::row;
using conf::Value;
using Strings = std::vector<std::string>;

bool says_something(std::string_view value) {
  return !value.empty() && value != "0";
}

bool pair_counts(const Strings& names, std::string_view pair) {
  size_t equals = pair.find('=');
  return equals != std::string_view::npos && edge::name_listed(names, edge::cookie_name(pair)) &&
         says_something(pair.substr(equals + 1));
}

bool by_header(const Strings& names, const http::RequestHead& request) {
  if (names.empty()) return false;
  return std::any_of(request.fields.begin(), request.fields.end(), [&names](const http::Field& f) {
    Text lowered;
    return says_something(f.value) && edge::name_listed(names, lower_case(f.name, lowered));
  });
}

bool by_cookie(const Strings& names, const http::RequestHead& request) {
  if (names.empty()) return false;
  for (const http::Field& f : request.fields) {
    if (f.id != http::FieldId::cookie) continue;
    http::ListCursor pairs(f.value, ';');
    for (std::string_view pair; pairs.next(pair);)
      if (pair_counts(names, pair)) return true;
  }
  return false;
}

bool by_parameter(const Strings& names, std::string_view query) {
  while (!names.empty() && !query.empty()) {
    std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    if (pair_counts(names, pair)) return true;
  }
  return false;
}

// Names, or prefixes with a '*' at their end.
conf::Type<Strings> names_of(const char* example, bool headers) {
  conf::Type<std::string> name = conf::string(example);
  name.read = [read = name.read, headers](Binder& binder, const Value& value, std::string& out) {
    if (!read(binder, value, out)) return false;
    if (out.find('*') < out.size() - 1) return binder.must_be(value, "a name, or a prefix with a \"*\" at its end");
    if (!headers) return true;
    for (char& c : out)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return is_field_name(out) || binder.must_be(value, "the name of a header field");
  };
  return conf::one_or_many(std::move(name));
}

const conf::Table<CacheBypassConfig>& bypass_fields() {
  static const conf::Table<CacheBypassConfig> table{
      {
          row("cookie", &CacheBypassConfig::cookies, names_of("\"preview\"", false),
              "Cookies. What has one with a value, \"0\" apart, is not answered from the cache. A name may end in "
              "\"*\"; "
              "so may those below.")
              .otherwise("none"),
          row("header", &CacheBypassConfig::headers, names_of("\"x-preview\"", true), "Header fields.")
              .otherwise("none"),
          row("query", &CacheBypassConfig::query, names_of("\"nocache\"", false), "Parameters of the query.")
              .otherwise("none"),
          row("store", &CacheBypassConfig::store, conf::boolean(),
              "The answer is stored where it may be, so that such a request makes the cache new for all; else it is "
              "the "
              "client's alone."),
      },
      [](Binder& binder, const Value& value, CacheBypassConfig& bypass) {
        if (!bypass.cookies.empty() || !bypass.headers.empty() || !bypass.query.empty()) return true;
        binder.error(value.where, binder.context() + " names nothing; set one of cookie, header, query");
        return false;
      }};
  return table;
}

}  // namespace

bool bypasses_cache(const CacheBypassConfig& config, const http::RequestHead& request) {
  return by_parameter(config.query, request.query) || by_header(config.headers, request) ||
         by_cookie(config.cookies, request);
}

conf::Type<std::optional<CacheBypassConfig>> cache_bypass() {
  return conf::optional(conf::table(bypass_fields()));
}

}  // namespace portolan::proxy
