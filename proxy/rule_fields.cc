#include "proxy/rule_fields.hh"

#include <fmt/format.h>

#include <algorithm>

#include "core/conf/types.hh"
#include "core/conf/words.hh"
#include "core/http/regex_field.hh"
#include "proxy/condition_fields.hh"

namespace portolan::proxy {
namespace {

using conf::Binder;
using conf::row;
using conf::Value;

constexpr size_t most_pools = 100;  // of a split

const std::vector<Variable> redirect_variables = {Variable::host, Variable::path,   Variable::query,
                                                  Variable::rest, Variable::scheme, Variable::uri};

// A path of variables must not begin with two slashes, whatever they bring in: what follows would be a host.
bool path_is_safe(const std::vector<Template::Piece>& pieces) {
  for (size_t i = 0; i < pieces.size(); ++i) {
    std::string_view text = pieces[i].text;
    if (i == 0) text.remove_prefix(1);
    if (!text.empty()) return text.front() != '/' && text.front() != '\\';
    switch (pieces[i].then) {
      case Variable::rest:
      case Variable::host:
        continue;  // may be empty
      case Variable::path:
      case Variable::query:
      case Variable::uri:
        return false;
      default:
        return true;
    }
  }
  return true;
}

// Between scheme and path nothing may come from the client but {host}.
bool url_is_safe(const std::vector<Template::Piece>& pieces) {
  std::string scheme;
  bool in_host = false, any = false;
  for (const Template::Piece& piece : pieces) {
    std::string_view text = piece.text;
    if (!in_host) {
      scheme += text;
      size_t colon = scheme.find("://");
      if (colon == std::string::npos && piece.then != Variable::scheme) return false;
      if (colon == std::string::npos) continue;
      text = std::string_view(scheme).substr(colon + 3);
      in_host = true;
    }
    if (size_t end = text.find_first_of("/?#"); end != std::string_view::npos) return any || end > 0;
    any = any || !text.empty() || piece.then == Variable::host;
    if (piece.then != Variable::host)
      return any && (piece.then == Variable::none || piece.then == Variable::path || piece.then == Variable::uri);
  }
  return any;
}

}  // namespace

conf::Type<std::string> url_path(std::string example) {
  conf::Type<std::string> t = conf::string(std::move(example));
  t.name = "path";
  t.read = [read = t.read](Binder& binder, const Value& value, std::string& out) {
    if (!read(binder, value, out)) return false;
    return (out[0] == '/' && out.find_first_of(" ?#") == std::string::npos) ||
           binder.must_be(value, "a path that begins with \"/\", without \"?\" or \"#\"");
  };
  return t;
}

namespace {

conf::Type<std::string> replacement() {
  conf::Type<std::string> t = url_path("\"/new/{1}\"");
  t.name = "path with groups";
  return t;
}

}  // namespace

conf::Type<std::vector<PoolShare>> pool_shares() {
  auto t = conf::by_name<std::vector<PoolShare>>("pool", conf::integer<int>(0, 1'000'000));
  t.name = "table, each a weight by pool";
  t.example = "{ app = 95, canary = 5 }";
  t.read = [read = t.read](Binder& binder, const Value& value, std::vector<PoolShare>& out) {
    std::vector<PoolShare> pools;
    if (!read(binder, value, pools)) return false;
    if (pools.size() > most_pools) return binder.must_be(value, fmt::format("a table of at most {} pools", most_pools));
    bool any = std::any_of(pools.begin(), pools.end(), [](const PoolShare& p) { return p.weight > 0; });
    if (!any) {
      binder.error(value.where, binder.subject() + " gives no pool a weight above 0");
      return false;
    }
    out = std::move(pools);
    return true;
  };
  return t;
}

const conf::Table<MirrorConfig>& mirror_fields() {
  static const conf::Table<MirrorConfig> table{
      row("pool", &MirrorConfig::pool, conf::reference("pool"), "Its servers get the copies.").require(),
      row("share", &MirrorConfig::share, conf::share(0, 1), "Of the requests that go to servers, chosen at random."),
      row("buffer", &MirrorConfig::buffer, conf::size<uint64_t>(0, 1 << 30),
          "Of a request's body, waiting for the mirror's server; a copy that needs more is dropped."),
      row("at_once", &MirrorConfig::at_once, conf::integer<int>(1, 1'000'000),
          "Copies under way at once in each worker; further requests are not mirrored."),
      row("max_answer", &MirrorConfig::max_answer, conf::size<uint64_t>(0, uint64_t{1} << 40),
          "Of the body of the mirror's answer, read and thrown away; one that is longer is cut, with its connection."),
      row("timeout", &MirrorConfig::timeout_ms, conf::duration<int64_t>(1, 3'600'000),
          "From the end of a copy to the end of its answer, which is cut then."),
  };
  return table;
}

const conf::Table<RewriteConfig>& rewrite_fields() {
  static const conf::Table<RewriteConfig> table{
      row("prefix", &RewriteConfig::prefix, url_path("\"/new/\""),
          "What servers see in place of the route's path; \"/\" takes it off, and X-Forwarded-Prefix tells them. With "
          "path_exact the whole path. A Location in their answers is put back; the Path of cookies is not. Either "
          "prefix, or to."),
      row("regex", &RewriteConfig::regex, http::regex_type(),
          "Paths in which it is found become what `to` says; others stay.")
          .otherwise("the route's path_regex"),
      row("to", &RewriteConfig::to, replacement(),
          "The whole path that servers see; {1} is what the first group of the expression caught, {name} that of "
          "(?P<name>…). Locations in their answers stay."),
  };
  return table;
}

conf::Type<std::string> redirect() {
  conf::Type<std::string> t = conf::string("\"https\"");
  t.bounds = [] { return std::string("\"https\", a URL, or a path that begins with \"/\""); };
  t.read = [read = t.read](Binder& binder, const Value& value, std::string& out) {
    if (!read(binder, value, out)) return false;
    bool url = out.rfind("http://", 0) == 0 || out.rfind("https://", 0) == 0 || out.rfind("{scheme}://", 0) == 0;
    bool plain = std::all_of(out.begin(), out.end(), [](char c) { return c > ' ' && c < 0x7f; });
    return (plain && (out == "https" || out[0] == '/' || (url && out.size() > 8))) ||
           binder.must_be(value, "\"https\", a URL, or a path that begins with \"/\"");
  };
  return t;
}

bool read_redirect(Binder& binder, const Value& value, RouteConfig& route) {
  if (route.redirect.find('{') == std::string::npos) return true;
  auto parsed = Template::parse(route.redirect, redirect_variables);
  if (!parsed) {
    binder.error(value.where, fmt::format("redirect in [[route]]: {}", parsed.error().text));
    return false;
  }
  const auto& pieces = parsed->pieces();
  if (!(route.redirect.starts_with('/') ? path_is_safe(pieces) : url_is_safe(pieces))) {
    binder.error(value.where, fmt::format("redirect in [[route]] is {}, where the client could say which host it leads "
                                          "to; write the host, or {{host}}, and then {{path}}, {{uri}} or /{{rest}}",
                                          conf::quoted(route.redirect)));
    return false;
  }
  auto variable = [](const Template::Piece& p) { return p.then != Variable::none; };
  if (std::any_of(pieces.begin(), pieces.end(), variable)) route.redirect_to = std::move(*parsed);
  return true;
}

namespace {

bool check_rewrite(Binder& binder, const Value& value, RouteConfig& route) {
  RewriteConfig& rewrite = *route.rewrite;
  const conf::Value& table = value.find("rewrite")->value;
  auto fail = [&](const conf::Place& where, std::string_view what) {
    binder.error(where, std::string(what));
    return false;
  };
  const conf::Member *prefix = table.find("prefix"), *regex = table.find("regex"), *to = table.find("to");
  if (prefix && (regex || to))
    return fail((regex ? regex : to)->where, "[[route]].rewrite has both prefix and an expression; keep one");
  if (!prefix && !to)
    return fail(table.where, regex ? "regex in [[route]].rewrite needs to: what the path becomes"
                                   : "[[route]].rewrite changes nothing; set prefix, or regex and to");
  if (prefix && !route.path_regex.empty())
    return fail(
        prefix->where,
        "prefix in [[route]].rewrite replaces path or path_exact; there is path_regex: write to = \"/new/{1}\"");
  if (prefix) return true;
  const std::string& expression = rewrite.regex.empty() ? route.path_regex : rewrite.regex;
  if (expression.empty())
    return fail(to->where, "to in [[route]].rewrite needs regex beside it, or path_regex in [[route]]");
  auto made = Replacement::make(expression, rewrite.to);
  if (!made) return fail(to->where, fmt::format("to in [[route]].rewrite: {}", made.error().text));
  rewrite.replacement = std::move(*made);
  return true;
}

}  // namespace

bool check_rules(Binder& binder, const Value& value, RouteConfig& route) {
  auto fail = [&](const char* key, const std::string& what) {
    binder.error(value.find(key)->where, what);
    return false;
  };
  for (const char* key : {"mirror", "rewrite", "request_headers"})
    if (value.find(key) && !route.to_servers())
      return fail(key, fmt::format("{} in [[route]] needs pool or pools: no server is asked here", key));
  if (route.rewrite && !check_rewrite(binder, value, route)) return false;
  if (!route.pools.empty() && !route.cache.empty())
    return fail("cache",
                "[[route]] has both pools and cache: what one pool answers would be kept for the clients of "
                "the others; keep one");
  return true;
}

}  // namespace portolan::proxy
