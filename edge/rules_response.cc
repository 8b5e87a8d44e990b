// The response's side: Vary, storability, freshness (RFC 9111 §3, §4).
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/http/semantics.hh"
#include "edge/rules.hh"

namespace portolan::edge {
namespace {

constexpr int64_t heuristic_cap_ms = 24 * 3600 * 1000;

void append_normalised(std::string& out, std::string_view value, bool fold_case, bool& first) {
  http::ListCursor elements(value);
  for (std::string_view e; elements.next(e);) {
    if (!first) out += ',';
    first = false;
    for (char c : e) {
      if (c == ' ' || c == '\t') {
        // Space around ';' and '=' means nothing in these lists; elsewhere it stays.
        if (fold_case) continue;
      }
      out += fold_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
    }
  }
}

bool case_means_nothing(http::FieldId id, std::string_view name) {
  return id == http::FieldId::accept || id == http::FieldId::accept_encoding ||
         http::equal_ignoring_case(name, "accept-language") || http::equal_ignoring_case(name, "accept-charset");
}

http::CacheDirectives directives(const http::Fields& fields) {
  auto value = fields.joined(http::FieldId::cache_control);
  return value ? http::parse_cache_control(*value) : http::CacheDirectives{};
}

bool understood(int status) {
  constexpr int known[] = {200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 401,
                           403, 404, 405, 406, 410, 414, 500, 501, 502, 503, 504};
  return std::find(std::begin(known), std::end(known), status) != std::end(known);
}

// An unreadable or doubled Expires is in the past (RFC 9111 §5.3, §4.2.1).
std::optional<int64_t> expires_s(const http::Fields& fields, int64_t now_s) {
  size_t count = fields.count(http::FieldId::expires);
  if (count == 0) return std::nullopt;
  std::string_view first = *fields.find(http::FieldId::expires);
  for (const http::Field& f : fields)
    if (f.id == http::FieldId::expires && f.value != first) return 0;
  return http::parse_date(first, now_s).value_or(0);
}

std::optional<int64_t> date_of(const http::Fields& fields, http::FieldId id, int64_t now_s) {
  auto value = fields.find(id);
  return value ? http::parse_date(*value, now_s) : std::nullopt;
}

// The first member counts; one that is no number counts as none (RFC 9111 §5.1).
int64_t age_value_s(const http::Fields& fields) {
  auto value = fields.find(http::FieldId::age);
  if (!value) return 0;
  std::string_view text = value->substr(0, value->find(','));
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return http::parse_delta_seconds(text).value_or(0);
}

Storability no(const char* reason) {
  return {false, reason};
}

}  // namespace

std::optional<std::string> vary_names(const http::Fields& response) {
  if (!response.has(http::FieldId::vary)) return std::string{};
  std::vector<std::string> names;
  for (const http::Field& f : response) {
    if (f.id != http::FieldId::vary) continue;
    http::ListCursor elements(f.value);
    for (std::string_view e; elements.next(e);) {
      if (e == "*") return std::nullopt;
      std::string& name = names.emplace_back(e);
      for (char& c : name)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::string out;
  for (const std::string& n : names) out.append(n).append("\n");
  return out;
}

void vary_values(std::string_view names, const http::Fields& request, std::string& out) {
  while (!names.empty()) {
    size_t end = names.find('\n');
    std::string_view name = names.substr(0, end);
    names.remove_prefix(end + 1);
    http::FieldId id = http::field_id(name);
    bool fold = case_means_nothing(id, name);
    size_t start = out.size();
    bool first = true, present = false;
    for (const http::Field& f : request) {
      bool same = id != http::FieldId::other ? f.id == id : f.id == id && http::equal_ignoring_case(f.name, name);
      if (!same) continue;
      present = true;
      append_normalised(out, f.value, fold, first);
    }
    // The length behind the value makes "a","bc" differ from "ab","c"; a '-' says the field was
    // absent.
    fmt::format_to(std::back_inserter(out), "\n{}{}\n", present ? "" : "-", out.size() - start);
  }
}

bool heuristically_cacheable(const Rules& rules, int status) {
  switch (status) {  // RFC 9110 §15.1
    case 200:
    case 203:
    case 204:
    case 300:
    case 301:
    case 308:
    case 404:
    case 410:
      return true;
    case 405:
    case 414:
    case 501:
      return !rules.cdn_safe;  // they feed denial of service by cached errors
    default:
      return false;
  }
}

Freshness freshness(const Rules& rules, const http::ResponseHead& response, int64_t request_ms, int64_t response_ms) {
  const http::Fields& fields = response.fields;
  http::CacheDirectives d = directives(fields);
  int64_t now_s = response_ms / 1000;
  Freshness f;
  f.response_ms = response_ms;
  f.no_cache = d.no_cache || !d.no_cache_fields.empty();
  f.must_revalidate = d.must_revalidate || d.proxy_revalidate || d.s_maxage.has_value();
  if (d.stale_if_error) f.stale_if_error_ms = int64_t{*d.stale_if_error} * 1000;

  // §4.2.3
  int64_t date_s = date_of(fields, http::FieldId::date, now_s).value_or(now_s);
  int64_t apparent_ms = std::max<int64_t>(0, now_s - date_s) * 1000;
  int64_t delay_ms = std::max<int64_t>(0, response_ms - request_ms);
  f.initial_age_ms = std::max(apparent_ms, age_value_s(fields) * 1000 + delay_ms);

  // §4.2.1
  if (d.s_maxage) {
    f.lifetime_ms = int64_t{*d.s_maxage} * 1000;
  } else if (d.max_age) {
    f.lifetime_ms = int64_t{*d.max_age} * 1000;
  } else if (auto expires = expires_s(fields, now_s)) {
    f.lifetime_ms = std::max<int64_t>(0, *expires - date_s) * 1000;
  } else if (heuristically_cacheable(rules, response.status) || d.public_) {
    // §4.2.2; not for answers the origin gave no dates for.
    auto modified = date_of(fields, http::FieldId::last_modified, now_s);
    if (modified && *modified < date_s) {
      f.lifetime_ms = std::min((date_s - *modified) * 100, heuristic_cap_ms);
      f.heuristic = true;
    }
  }
  return f;
}

Storability storable(const Rules& rules, const RequestFacts& request, const http::ResponseHead& response,
                     const Freshness& fresh) {
  // A body that ends with its connection can't be told from a truncated one (RFC 9112 §8).
  if (response.framing == http::Framing::until_close) return no("close-delimited");
  const http::Fields& fields = response.fields;
  http::CacheDirectives d = directives(fields);
  int status = response.status;
  if (!request.may_store || request.head) return no("no-store");
  if (status < 200 || status == 206 || status == 304 || status == 416) return no("status");
  if (fields.has(http::FieldId::content_range)) return no("content-range");
  bool no_store = d.no_store;
  if (d.must_understand) {  // §5.2.2.3
    if (!understood(status)) return no("must-understand");
    no_store = false;
  }
  if (no_store) return no("no-store");
  if (d.private_ || !d.private_fields.empty()) return no("private");
  if (request.authorization && !d.public_ && !d.must_revalidate && !d.s_maxage) return no("authorization");  // §3.5
  if (!vary_names(fields)) return no("vary");
  if (rules.cdn_safe) {
    if (fields.has(http::FieldId::set_cookie)) return no("set-cookie");
    if (status == 400 || status == 413 || status == 414 || status == 431) return no("status");
  }
  bool explicit_lifetime = d.s_maxage || d.max_age || fields.has(http::FieldId::expires);
  if (!explicit_lifetime && !d.public_ && !heuristically_cacheable(rules, status)) return no("status");  // §3
  bool validator = fields.has(http::FieldId::etag) || fields.has(http::FieldId::last_modified);
  bool usable = fresh.lifetime_ms > fresh.initial_age_ms && !fresh.no_cache;
  if (!usable && !validator && fresh.stale_if_error_ms == 0) {
    // Kept only for clients that ask for stale answers, which is not worth making others wait.
    if (rules.cdn_safe || fresh.lifetime_ms == 0) return no("stale");
  }
  if (!usable && status >= 400) return no("stale");
  return {true, nullptr};
}

Use judge(const Object& object, const RequestFacts& request, int64_t now_ms) {
  const Freshness& f = object.freshness();
  if (f.no_cache) return Use::validate_stale;
  if (request.no_cache) return Use::validate_request;
  int64_t age_ms = f.lifetime_ms - object.left_ms(now_ms);
  int64_t left_ms = object.left_ms(now_ms);
  if (request.max_age_s && age_ms / 1000 > *request.max_age_s) return Use::validate_request;
  if (request.max_age_s && *request.max_age_s == 0) return Use::validate_request;
  if (request.min_fresh_s && left_ms < *request.min_fresh_s * 1000)
    return left_ms > 0 ? Use::validate_request : Use::validate_stale;
  if (left_ms > 0) return Use::serve;
  if (request.max_stale_s && !f.must_revalidate) {
    if (*request.max_stale_s == INT64_MAX || -left_ms <= *request.max_stale_s * 1000) return Use::serve;  // §5.2.1.2
  }
  return Use::validate_stale;
}

bool stored_field(http::FieldId id) {
  switch (id) {
    case http::FieldId::age:
    case http::FieldId::content_length:
    case http::FieldId::cache_status:
    case http::FieldId::proxy_authenticate:  // RFC 9111 §3.1
    case http::FieldId::proxy_authentication_info:
    case http::FieldId::proxy_authorization:
      return false;
    default:
      return !http::is_hop_by_hop(id);
  }
}

}  // namespace portolan::edge
