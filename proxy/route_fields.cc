#include "proxy/route_fields.hh"

#include <fmt/format.h>

#include <algorithm>

#include "core/conf/types.hh"
#include "core/conf/words.hh"
#include "core/geo/country.hh"
#include "core/http/encoding_field.hh"
#include "core/http/regex.hh"
#include "core/http/regex_field.hh"
#include "proxy/admit/config_fields.hh"
#include "proxy/cache_bypass.hh"
#include "proxy/condition_fields.hh"
#include "proxy/config_fields.hh"
#include "proxy/rule_fields.hh"

namespace portolan::proxy {
namespace {

using conf::Binder;
using conf::row;
using conf::row_of;
using conf::Value;

bool is_label(std::string_view label) {
  return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; });
}

bool is_host(std::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    auto ip = IpAddress::parse(host.substr(1, host.size() - 2));
    return ip && ip->is_v6();
  }
  if (host.substr(0, 2) == "*.") host.remove_prefix(2);
  if (host.size() > 253) return false;
  for (;;) {
    size_t dot = host.find('.');
    if (!is_label(host.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    host.remove_prefix(dot + 1);
  }
}

// Lower case, without a final dot: as the router compares.
conf::Type<std::string> host() {
  conf::Type<std::string> t = conf::string("\"www.example.com\"");
  t.name = "host name";
  t.read = [read = t.read](Binder& binder, const Value& value, std::string& out) {
    if (!read(binder, value, out)) return false;
    for (char& c : out)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    if (out.size() > 1 && out.back() == '.') out.pop_back();
    return is_host(out) ||
           binder.must_be(value, "a host name without port, such as \"www.example.com\" or \"*.example.com\"");
  };
  return t;
}

conf::Type<std::string> method() {
  conf::Type<std::string> t = conf::string("\"GET\"");
  t.name = "method";
  t.read = [read = t.read](Binder& binder, const Value& value, std::string& out) {
    if (!read(binder, value, out)) return false;
    return std::all_of(out.begin(), out.end(), [](char c) { return (c >= 'A' && c <= 'Z') || c == '-'; }) ||
           binder.must_be(value, "a method in capitals, such as \"GET\"");
  };
  return t;
}

conf::Type<int> redirect_status() {
  conf::Type<int> t = conf::integer<int>(301, 308);
  t.bounds = [] { return std::string("301 | 302 | 303 | 307 | 308"); };
  t.read = [](Binder& binder, const Value& value, int& out) {
    int64_t n = value.kind == Value::Kind::integer ? value.integer : 0;
    if (n != 301 && n != 302 && n != 303 && n != 307 && n != 308)
      return binder.not_one_of(value, {"301", "302", "303", "307", "308"});
    out = static_cast<int>(n);
    return true;
  };
  return t;
}

conf::Type<std::string> index_file() {
  conf::Type<std::string> t = conf::string("\"index.html\"");
  t.name = "file name";
  t.read = [read = t.read](Binder& binder, const Value& value, std::string& out) {
    if (!read(binder, value, out)) return false;
    return (out.find('/') == std::string::npos && out != "." && out != "..") ||
           binder.must_be(value, "a file name without \"/\"");
  };
  return t;
}

const conf::Table<FilesConfig>& files_fields() {
  static const conf::Table<FilesConfig> table{
      row("root", &FilesConfig::root, conf::path("\"/srv/www\""),
          "The directory; nothing outside of it is ever served.")
          .require(),
      row("strip_prefix", &FilesConfig::strip_prefix, url_path("\"/assets/\""),
          "Taken off the path before it is looked up under root.")
          .otherwise("nothing: the whole path is looked up"),
      row("index", &FilesConfig::index, conf::list(index_file()), "What a directory answers with."),
      row("precompressed", &FilesConfig::precompressed, http::codings_type(),
          "Clients that take it get file.br, file.zst or file.gz in place of the file, where it stands beside it and "
          "is "
          "no older; of those a client takes equally well the first.")
          .otherwise("none"),
  };
  return table;
}

const conf::Table<RespondConfig>& respond_fields() {
  static const conf::Table<RespondConfig> table{
      row("status", &RespondConfig::status, conf::integer<int>(200, 599), "The status."),
      row("body", &RespondConfig::body, conf::text(), "The body."),
      row("content_type", &RespondConfig::content_type, conf::string(), "Its Content-Type."),
  };
  return table;
}

// "p95", or a duration.
bool set_hedge_after(Binder& binder, const Value& value, HedgeConfig& hedge, std::string& after) {
  if (after.size() > 1 && after[0] == 'p') {
    auto share = conf::parse_share(after.substr(1) + "%");
    if (!share || *share < 0.5 || *share > 0.999)
      return binder.must_be(value, "a percentile from \"p50\" to \"p99.9\"");
    hedge.percentile = *share;
    return true;
  }
  auto ms = conf::parse_duration_ms(after);
  if (!ms || *ms < 1 || *ms > 600'000)
    return binder.must_be(value, "a percentile such as \"p95\", or a duration from \"1ms\" to \"10m\"");
  hedge.percentile = 0;
  hedge.after_ms = *ms;
  return true;
}

const conf::Table<HedgeConfig>& hedge_fields() {
  static const conf::Table<HedgeConfig> table{
      conf::row_of<HedgeConfig, HedgeConfig>(
          "after", std::identity(),
          conf::through<HedgeConfig, std::string>(conf::string("\"p95\""), set_hedge_after,
                                                  [](const HedgeConfig&) { return std::string("\"p95\""); }),
          "How long the first request may take to its first byte: a percentile of the pool's own times (none is known "
          "before fifty answers), or a duration."),
  };
  return table;
}

bool check_route(Binder& binder, const Value& value, RouteConfig& route) {
  std::vector<std::string> answers;
  for (const char* key : {"pool", "pools", "files", "respond", "redirect"})
    if (value.find(key)) answers.push_back(key);
  auto fail = [&](const conf::Place& where, const std::string& what) {
    binder.error(where, what);
    return false;
  };
  if (answers.empty())
    return fail(value.where, "[[route]] answers with nothing; set one of pool, pools, files, respond, redirect");
  if (answers.size() > 1)
    return fail(value.find(answers[1])->where,
                fmt::format("[[route]] has both {} and {}; keep one", answers[0], answers[1]));
  if (value.find("cache_bypass") && !value.find("cache"))
    return fail(value.find("cache_bypass")->where, "cache_bypass in [[route]] needs cache");
  if (value.find("hedge") && !route.to_servers())
    return fail(value.find("hedge")->where, "hedge in [[route]] needs pool or pools");
  std::vector<std::string> paths;
  for (const char* key : {"path", "path_exact", "path_regex"})
    if (value.find(key)) paths.emplace_back(key);
  if (paths.size() > 1)
    return fail(value.find(paths[1])->where, fmt::format("[[route]] has both {} and {}; keep one", paths[0], paths[1]));
  if (value.find("redirect_status") && route.redirect.empty())
    return fail(value.find("redirect_status")->where, "redirect_status in [[route]] needs redirect");
  if (const conf::Member* to = value.find("redirect"))
    if (!read_redirect(binder, to->value, route)) return false;
  if (!check_rules(binder, value, route)) return false;
  std::string path = route.path_exact.empty() ? route.path : route.path_exact;
  if (!route.path_regex.empty()) path = http::literal_ends(route.path_regex).prefix;
  if (route.files && !route.files->strip_prefix.empty() && path.rfind(route.files->strip_prefix, 0) != 0 &&
      path + "/" != route.files->strip_prefix)
    return fail(value.find("files")->where,
                fmt::format("strip_prefix in [[route]].files is {}, which is not the beginning of the "
                            "route's path {}",
                            conf::quoted(route.files->strip_prefix), conf::quoted(path)));
  return true;
}

// ── who may pass ──────────────────────────────────────────────────────────────────────────────────────────────────

auto allow_row() {
  return row_of<RouteConfig, std::vector<AccessEntry>>(
             "allow", [](RouteConfig & r) -> auto& { return r.admit.allow; }, access_list(),
             "Only clients of these networks and countries pass, others get 403.")
      .otherwise("everybody");
}

auto deny_row() {
  return row_of<RouteConfig, std::vector<AccessEntry>>(
             "deny", [](RouteConfig & r) -> auto& { return r.admit.deny; }, access_list(),
             "Clients of these networks and countries get 403, whatever allow says.")
      .otherwise("nobody");
}

auto limit_row() {
  return row_of<RouteConfig, std::vector<LimitConfig>>(
             "limit", [](RouteConfig & r) -> auto& { return r.admit.limits; }, limits(),
             "How many requests a client may make: a table as in [limit.NAME], or the name of one that is shared. Of "
             "several, up to 8, each must allow a request.")
      .example("{ rate = \"100/s\", burst = 200 }");
}

auto maintenance_row() {
  return row_of<RouteConfig, std::optional<MaintenanceConfig>>(
      "maintenance", [](RouteConfig & r) -> auto& { return r.admit.maintenance; }, maintenance(),
      "A page with 503 for everybody else while it is on.");
}

auto basic_auth_row() {
  return row_of<RouteConfig, std::optional<BasicAuthConfig>>(
      "basic_auth", [](RouteConfig & r) -> auto& { return r.admit.basic_auth; }, basic_auth(),
      "Only who shows the password of a user passes, others get 401.");
}

auto bypass_row() {
  return row("cache_bypass", &RouteConfig::cache_bypass, cache_bypass(),
             "Requests that are not answered from the cache, for what they say.");
}

auto signed_urls_row() {
  return row_of<RouteConfig, std::optional<SignedUrlsConfig>>(
      "signed_urls", [](RouteConfig & r) -> auto& { return r.admit.signed_urls; }, signed_urls(),
      "Only URLs that `portolan sign-url` or your application signed pass, others get 403; servers and the cache see "
      "them without their signature.");
}

auto header_row() {
  return row("header", &RouteConfig::headers, header_matches(),
             "Headers and what their values must be: this, one of these, { prefix = … }, { regex = … }, "
             "{ present = true } or { present = false }. Several lines of one name count as one value, joined by "
             "\", \".")
      .otherwise("any");
}

auto error_pages_row() {
  return row("error_pages", &RouteConfig::error_pages, error_pages(),
             "Pages in place of the short texts that Portolan answers with when no server can, a file is missing or a "
             "gate refuses; files of at most 1 MiB, read when the configuration is. Answers of servers pass as they "
             "are.")
      .otherwise("those of the listener");
}

auto cache_row() {
  return row("cache", &RouteConfig::cache, conf::reference("cache"), "Kept in this [cache.NAME].")
      .otherwise("not cached");
}

auto hedge_row() {
  return row("hedge", &RouteConfig::hedge, conf::optional(conf::table(hedge_fields())),
             "A second request to another server when the first is slow to answer, of requests without a body that "
             "may be sent twice; the first answer wins. Counts as a retry of the pool.")
      .otherwise("none");
}

}  // namespace

const conf::Table<RouteConfig>& route_fields() {
  static const conf::Table<RouteConfig> table{
      {
          row("name", &RouteConfig::name, conf::string("\"shop\""), "In metrics and logs; unique.")
              .otherwise("made from host and path"),
          row("listener", &RouteConfig::listener, conf::reference("listener"),
              "Only what arrives at this [listener.NAME].")
              .otherwise("every HTTP listener"),
          row("host", &RouteConfig::hosts, conf::one_or_many(host()),
              "The host asked for: exact, or \"*.example.com\" for all names below it.")
              .otherwise("any"),
          row("path", &RouteConfig::path, url_path("\"/assets/\""), "A prefix of the path, by whole segments.")
              .otherwise("any"),
          row("path_exact", &RouteConfig::path_exact, url_path("\"/favicon.ico\""),
              "The whole path. Either path, path_exact or path_regex."),
          row("path_regex", &RouteConfig::path_regex, http::regex_type(),
              "Paths in which the expression is found; ^ and $ anchor it. Of several the longest is asked first; "
              "path_exact comes before it, path after it."),
          row("method", &RouteConfig::methods, conf::one_or_many(method()), "The methods.").otherwise("any"),
          header_row(),
          row("query", &RouteConfig::query, query_matches(),
              "The same of query parameters, decoded; of several of one name the first counts.")
              .otherwise("any"),
          row("client", &RouteConfig::clients, conf::one_or_many(conf::network()),
              "The networks of clients; behind [server] trusted proxies, that of who they speak for.")
              .otherwise("any"),
          row("country", &RouteConfig::countries, conf::one_or_many(geo::country()),
              "The countries of clients, as the databases of [geo] know them.")
              .otherwise("any"),
          row("pool", &RouteConfig::pool, conf::reference("pool"),
              "Answered by the servers of this [pool.NAME]. A route has exactly one of pool, pools, files, respond "
              "and redirect."),
          row("pools", &RouteConfig::pools, pool_shares(),
              "Answered by one of these pools, each with its share of the clients; a client, by its address, stays "
              "with its pool, and when weights change only as many move as must."),
          row("mirror", &RouteConfig::mirror, conf::optional(conf::table(mirror_fields())),
              "Copies of the requests for another pool, whose answers are thrown away. Clients never wait for them."),
          row("rewrite", &RouteConfig::rewrite, conf::optional(conf::table(rewrite_fields())),
              "What servers are asked for."),
          row("request_headers", &RouteConfig::request_headers, conf::table(request_edit_fields()),
              "Headers changed on the way to servers."),
          row("response_headers", &RouteConfig::response_headers, conf::table(response_edit_fields()),
              "Headers changed in every answer to clients, errors included; what a cache keeps is what servers sent."),
          row("files", &RouteConfig::files, conf::optional(conf::table(files_fields())), "Answered from a directory."),
          row("respond", &RouteConfig::respond, conf::optional(conf::table(respond_fields())),
              "Answered as written here."),
          row("redirect", &RouteConfig::redirect, redirect(),
              "Sent elsewhere: \"https\" keeps host and path; a URL or a path may hold {host}, {path}, {query}, {rest} "
              "(the "
              "path behind the route's), {scheme} and {uri} (path and query)."),
          row("redirect_status", &RouteConfig::redirect_status, redirect_status(), "The status of a redirect."),
          cache_row(),
          bypass_row(),
          row("client_certificate", &RouteConfig::client_certificate, conf::boolean(),
              "Only clients that showed a good certificate pass, others get 403; the listener's tls must ask for "
              "them."),
          allow_row(),
          deny_row(),
          limit_row(),
          maintenance_row(),
          basic_auth_row(),
          signed_urls_row(),
          hedge_row(),
          error_pages_row(),
          row("timeouts", &RouteConfig::timeouts, conf::table(timeout_override_fields()),
              "What differs from [timeouts] here."),
      },
      check_route};
  return table;
}

}  // namespace portolan::proxy
