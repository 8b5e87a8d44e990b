// The request's side: what may be looked up, and under which key.
#include "edge/rules.hh"

#include <fmt/format.h>

#include <algorithm>

#include "core/http/semantics.hh"

namespace portolan::edge {
namespace {

// Names by which frameworks override the target or method: no key holds them, so they must not meet
// the store.
constexpr std::string_view overriding[] = {"x-http-method-override", "x-http-method", "x-method-override",
                                           "x-original-url",         "x-rewrite-url", "x-forwarded-scheme",
                                           "x-original-host",        "x-host"};

bool overrides(const Rules& rules, const http::Fields& fields) {
  for (const http::Field& f : fields) {
    if (f.id != http::FieldId::other || f.name.size() < 6 || (f.name[0] | 0x20) != 'x') continue;
    for (std::string_view name : overriding) {
      if (http::equal_ignoring_case(f.name, name) && !name_listed(rules.config.key_headers, name)) return true;
    }
  }
  return false;
}

std::string_view cookie_name(std::string_view pair) {
  std::string_view name = pair.substr(0, pair.find('='));
  while (!name.empty() && (name.back() == ' ' || name.back() == '\t')) name.remove_suffix(1);
  return name;
}

bool cookies_allow(const Rules& rules, const http::Fields& fields) {
  for (const http::Field& f : fields) {
    if (f.id != http::FieldId::cookie) continue;
    http::ListCursor pairs(f.value, ';');
    for (std::string_view pair; pairs.next(pair);) {
      std::string_view name = cookie_name(pair);
      if (!name_listed(rules.config.ignore_cookies, name) && !name_listed(rules.config.key_cookies, name)) return false;
    }
  }
  return true;
}

std::optional<int64_t> seconds(const std::optional<uint32_t>& value) {
  if (!value) return std::nullopt;
  return int64_t{*value};
}

void read_directives(const http::Fields& fields, RequestFacts& facts) {
  bool any = false;
  for (const http::Field& f : fields) any = any || f.id == http::FieldId::cache_control;
  if (!any) {
    if (auto pragma = fields.find(http::FieldId::pragma))  // RFC 9111 §5.4
      facts.no_cache = http::list_has(*pragma, "no-cache");
    return;
  }
  auto value = fields.joined(http::FieldId::cache_control);
  http::CacheDirectives d = http::parse_cache_control(*value);
  facts.no_cache = d.no_cache;
  facts.may_store = !d.no_store;
  facts.only_if_cached = d.only_if_cached;
  facts.max_age_s = seconds(d.max_age);
  facts.min_fresh_s = seconds(d.min_fresh);
  facts.max_stale_s = seconds(d.max_stale);
  if (d.max_stale && *d.max_stale == http::longest_delta_s) facts.max_stale_s = INT64_MAX;
}

RequestFacts pass(RequestFacts facts, Forward forward, const char* detail) {
  facts.lookup = false;
  facts.forward = forward;
  facts.detail = detail;
  return facts;
}

void append_prefixed(std::string& out, std::string_view text) {
  fmt::format_to(std::back_inserter(out), "{}:", text.size());
  out.append(text);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  return out;
}

std::string normal_authority(std::string_view scheme, std::string_view authority) {
  if (size_t at = authority.rfind('@'); at != std::string_view::npos) authority.remove_prefix(at + 1);
  std::string out = lower(authority);
  std::string_view port = scheme == "https" ? ":443" : ":80";
  if (out.ends_with(port)) out.resize(out.size() - port.size());
  if (out.ends_with(':')) out.pop_back();
  if (out.ends_with('.')) out.pop_back();
  return out;
}

}  // namespace

Rules::Rules(const CacheConfig& c) : config(c) {
  cdn_safe = config.profile != "rfc";
  extra_keys = !config.key_headers.empty() || !config.key_cookies.empty();
}

RequestFacts examine(const Rules& rules, const RequestView& request) {
  using http::FieldId;
  const http::RequestHead& head = request.head;
  RequestFacts facts;
  facts.head = head.method == http::Method::head;
  if (head.method != http::Method::get && !facts.head) return pass(facts, Forward::method, nullptr);
  if (head.framing != http::Framing::none) return pass(facts, Forward::bypass, "body");
  bool cookies = false;
  for (const http::Field& f : head.fields) {
    switch (f.id) {
      case FieldId::range:
        facts.range = true;
        break;
      case FieldId::authorization:
        facts.authorization = true;
        break;
      case FieldId::cookie:
        cookies = true;
        break;
      case FieldId::upgrade:
        return pass(facts, Forward::bypass, "upgrade");
      case FieldId::if_match:  // RFC 9111 §4.3.2: the origin's to judge
      case FieldId::if_unmodified_since:
        return pass(facts, Forward::bypass, "precondition");
      default:
        break;
    }
  }
  if (rules.cdn_safe) {
    if (cookies && !cookies_allow(rules, head.fields)) return pass(facts, Forward::bypass, "cookie");
    if (overrides(rules, head.fields)) return pass(facts, Forward::bypass, "override");
  }
  read_directives(head.fields, facts);
  facts.lookup = true;
  return facts;
}

bool name_listed(const std::vector<std::string>& list, std::string_view name) {
  for (const std::string& item : list) {
    if (!item.empty() && item.back() == '*') {
      if (name.starts_with(std::string_view(item).substr(0, item.size() - 1))) return true;
    } else if (item == name) {
      return true;
    }
  }
  return false;
}

std::string without_ignored(const Rules& rules, std::string_view cookie) {
  std::string out;
  http::ListCursor pairs(cookie, ';');
  for (std::string_view pair; pairs.next(pair);) {
    if (name_listed(rules.config.ignore_cookies, cookie_name(pair))) continue;
    if (!out.empty()) out += "; ";
    out += pair;
  }
  return out;
}

std::optional<std::string> kept_query(const Rules& rules, std::optional<std::string_view> query) {
  const QueryKey& rule = rules.config.query;
  if (!query || rule.mode == QueryKey::Mode::none) return std::nullopt;
  if (rule.mode == QueryKey::Mode::all) return std::string(*query);
  std::string out;
  bool wanted = rule.mode == QueryKey::Mode::allow;
  std::string_view rest = *query;
  while (!rest.empty()) {
    size_t end = std::min(rest.find('&'), rest.size());
    std::string_view pair = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (pair.empty() || name_listed(rule.names, pair.substr(0, pair.find('='))) != wanted) continue;
    if (!out.empty()) out += '&';
    out += pair;
  }
  if (out.empty()) return std::nullopt;
  return out;
}

void compose_url_key(const Rules& rules, std::string_view scheme, std::string_view authority, std::string_view path,
                     std::optional<std::string_view> query, std::string& out) {
  out.append(scheme).append("\n").append(authority).append("\n").append(path);
  if (query && rules.config.query.mode == QueryKey::Mode::all) {
    out.append("?").append(*query);  // the usual way: no allocation
  } else if (auto kept = kept_query(rules, query)) {
    out.append("?").append(*kept);
  }
  out.append("\n");
}

size_t compose_key(const Rules& rules, const RequestView& request, std::string& out) {
  const http::RequestHead& head = request.head;
  out.clear();
  std::optional<std::string_view> query;
  if (head.has_query) query = head.query;
  compose_url_key(rules, request.scheme, request.authority, head.path, query, out);
  size_t primary = out.size();
  for (const std::string& name : rules.config.key_headers) vary_values(name + "\n", head.fields, out);
  if (rules.config.key_cookies.empty()) return primary;
  for (const http::Field& f : head.fields) {
    if (f.id != http::FieldId::cookie) continue;
    http::ListCursor pairs(f.value, ';');
    for (std::string_view pair; pairs.next(pair);)
      if (name_listed(rules.config.key_cookies, cookie_name(pair))) append_prefixed(out, pair);
  }
  return primary;
}

std::optional<Url> parse_url(std::string_view text) {
  size_t colon = text.find("://");
  if (colon == std::string_view::npos) return std::nullopt;
  Url url;
  url.scheme = lower(text.substr(0, colon));
  if (url.scheme != "http" && url.scheme != "https") return std::nullopt;
  text.remove_prefix(colon + 3);
  text = text.substr(0, text.find('#'));
  size_t end = std::min(text.find_first_of("/?"), text.size());
  url.authority = normal_authority(url.scheme, text.substr(0, end));
  if (url.authority.empty()) return std::nullopt;
  text.remove_prefix(end);
  size_t mark = text.find('?');
  url.path = text.substr(0, mark);
  if (url.path.empty()) url.path = "/";
  if (mark != std::string_view::npos) url.query = std::string(text.substr(mark + 1));
  return url;
}

std::optional<Url> resolve(const RequestView& request, std::string_view reference) {
  if (reference.find("://") < reference.find_first_of("/?#")) return parse_url(reference);
  if (reference.starts_with("//")) return parse_url(fmt::format("{}:{}", request.scheme, reference));
  std::string path;
  if (reference.starts_with("/")) {
    path = reference;
  } else if (reference.starts_with("?")) {
    path = fmt::format("{}{}", request.head.path, reference);
  } else {
    std::string_view base = request.head.path;
    path = fmt::format("{}{}", base.substr(0, base.rfind('/') + 1), reference);
  }
  return parse_url(fmt::format("{}://{}{}", request.scheme, request.authority, path));
}

RequestCopy::RequestCopy(const http::RequestHead& head) {
  size_t bytes = 0;
  for (const http::Field& f : head.fields) bytes += f.name.size() + f.value.size();
  text.reserve(bytes);
  fields.list().reserve(head.fields.size());
  for (const http::Field& f : head.fields) {
    size_t at = text.size();
    text.append(f.name).append(f.value);
    std::string_view all = text;
    fields.add(http::Field{all.substr(at, f.name.size()), all.substr(at + f.name.size()), f.id});
  }
}

}  // namespace portolan::edge
