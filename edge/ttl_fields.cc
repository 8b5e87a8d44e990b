#include "edge/ttl_fields.hh"

#include <algorithm>

#include "core/conf/types.hh"
#include "core/http/regex_field.hh"
#include "edge/media_types.hh"
#include "edge/rules.hh"

namespace portolan::edge {
namespace {

using conf::Binder;
using conf::row;
using conf::Value;
using Strings = std::vector<std::string>;

constexpr int64_t longest_ms = 365LL * 86'400'000;

conf::Type<std::string> prefix() {
  conf::Type<std::string> t = conf::string("\"/assets/\"");
  t.name = "path";
  t.read = [read = t.read](Binder& binder, const Value& value, std::string& out) {
    if (!read(binder, value, out)) return false;
    return (out[0] == '/' && out.find_first_of(" ?#*") == std::string::npos) ||
           binder.must_be(value, "a path that begins with \"/\", without \"*\", \"?\" or \"#\"");
  };
  return t;
}

conf::Type<std::string> field_value() {
  conf::Type<std::string> t = conf::string("\"public, max-age=60\"");
  t.read = [read = t.read](Binder& binder, const Value& value, std::string& out) {
    if (!read(binder, value, out)) return false;
    return std::all_of(out.begin(), out.end(), [](char c) { return c >= ' ' && c < 0x7f; }) ||
           binder.must_be(value, "the value of a Cache-Control field");
  };
  return t;
}

conf::Type<int> stored_status() {
  conf::Type<int> t = conf::integer<int>(200, 599);
  t.read = [read = t.read](Binder& binder, const Value& value, int& out) {
    if (!read(binder, value, out)) return false;
    return !never_stored(out) ||
           binder.must_be(value, "a status that may be stored (206, 304, 416, 428, 429 and 511 never are)");
  };
  return t;
}

bool check_rule(Binder& binder, const Value& value, TtlRule& rule) {
  auto fail = [&](const conf::Place& where, const std::string& what) {
    binder.error(where, binder.context() + " " + what);
    return false;
  };
  if (!rule.paths.empty() && !rule.path_regex.empty())
    return fail(value.find("path_regex")->where, "has both path and path_regex; keep one");
  if (rule.overrides && !rule.ttl_s && !rule.immutable)
    return fail(value.find("override")->where, "has override, and no ttl to put in the server's place");
  if (!rule.ttl_s && !rule.immutable && rule.ignore.empty() && !rule.stale_if_error_s && rule.cache_control.empty())
    return fail(value.where, "changes nothing; set ttl, immutable, ignore, stale_if_error or cache_control");
  if (!rule.immutable) return true;
  rule.overrides = true;
  if (!rule.ttl_s) rule.ttl_s = longest_ms / 1000;
  if (rule.cache_control.empty()) rule.cache_control = "public, max-age=" + std::to_string(*rule.ttl_s) + ", immutable";
  return true;
}

}  // namespace

const conf::Table<TtlRule>& ttl_rule_fields() {
  static const conf::Table<TtlRule> table{
      {
          row("path", &TtlRule::paths, conf::one_or_many(prefix()),
              "Answers to requests whose path begins with one of these, by whole segments.")
              .otherwise("any"),
          row("path_regex", &TtlRule::path_regex, http::regex_type(),
              "Answers to requests in whose path the expression is found; ^ and $ anchor it.")
              .example("\"\\\\.[0-9a-f]{8,}\\\\.(js|css)$\""),
          row("status", &TtlRule::statuses, conf::one_or_many(stored_status()),
              "Answers with one of these statuses. 206, 304, 416, 428, 429 and 511 are never stored.")
              .otherwise("200, 203, 301, 302, 307 and 308; with immutable 200")
              .example("[404, 410]"),
          row("type", &TtlRule::types, conf::one_or_many(media_type()), "Answers of one of these media types.")
              .otherwise("any"),
          row("ttl", &TtlRule::ttl_s, conf::optional(conf::duration<int64_t>(0, longest_ms, 1000)),
              "How long they are fresh from when they are received, where the server doesn't say it: no max-age, "
              "s-maxage or Expires. Takes the place of a guess by Last-Modified.")
              .example("\"10m\""),
          row("override", &TtlRule::overrides, conf::boolean(),
              "ttl counts, whatever max-age, s-maxage or Expires say. What they forbid (no-store, private, no-cache, "
              "Set-Cookie) still holds: see ignore."),
          row("ignore", &TtlRule::ignore, conf::list(conf::one_of({"no-store", "private", "no-cache", "set-cookie"})),
              "What doesn't keep these answers from being stored and shared: directives of Cache-Control, or "
              "\"set-cookie\", by which Set-Cookie is taken off and reaches nobody.")
              .otherwise("none"),
          row("stale_if_error", &TtlRule::stale_if_error_s,
              conf::optional(conf::duration<int64_t>(0, longest_ms, 1000)),
              "How much longer they stand in while the server fails, where its stale-if-error doesn't say it; "
              "must-revalidate still holds.")
              .example("\"1d\""),
          row("cache_control", &TtlRule::cache_control, field_value(),
              "The Cache-Control that clients get, in place of the server's and of Expires.")
              .otherwise("as the server sent it"),
          row("immutable", &TtlRule::immutable, conf::boolean(),
              "What such a URL names never changes, as its path holds a version: means override, a ttl of a year where "
              "none is set, \"public, max-age=31536000, immutable\" to clients, and that their reloads are answered "
              "from the cache."),
      },
      check_rule};
  return table;
}

}  // namespace portolan::edge
