// The response's side: storability and freshness (RFC 9111 §3, §4).
#include <algorithm>

#include "core/http/semantics.hh"
#include "edge/rules.hh"

namespace portolan::edge {
namespace {

constexpr int64_t heuristic_cap_ms = 24 * 3600 * 1000;
constexpr size_t most_groups = 128;

// What the response says of its caching: CDN-Cache-Control, where it is there and sound, is in the place of Cache-Control
// and Expires (RFC 9213 §2.2).
struct Policy {
  http::CacheDirectives d;
  bool targeted = false;
  bool explicit_lifetime(const http::Fields& fields) const {
    return d.s_maxage || d.max_age || (!targeted && fields.has(http::FieldId::expires));
  }
};

Policy policy_of(const http::Fields& fields) {
  Policy policy;
  if (fields.may_have(http::FieldId::cdn_cache_control))
    if (auto value = fields.joined(http::FieldId::cdn_cache_control))
      if (auto d = http::parse_targeted_cache_control(*value)) return {std::move(*d), true};
  if (auto value = fields.joined(http::FieldId::cache_control)) policy.d = http::parse_cache_control(*value);
  return policy;
}

int64_t ms_of(const std::optional<uint32_t>& seconds) {
  return int64_t{seconds.value_or(0)} * 1000;
}

// RFC 5861, within what RFC 9111 §4.2.4 allows.
void set_stale_windows(const Rules& rules, const http::CacheDirectives& d, int status, Freshness& f) {
  // §5.2.2.10: s-maxage is proxy-revalidate, too. On the open Internet it stands beside these two more often than not,
  // and means them.
  const bool forbidden = f.no_cache || d.must_revalidate || d.proxy_revalidate || (d.s_maxage && !rules.cdn_safe);
  f.stand_in_said = forbidden || d.stale_if_error;
  if (forbidden) return;
  f.stale_while_revalidate_ms = ms_of(d.stale_while_revalidate);
  f.stale_if_error_ms = f.stale_if_unreachable_ms = ms_of(d.stale_if_error);
  if (!d.stale_if_error && !d.s_maxage && status < 400)
    f.stale_if_unreachable_ms = rules.config.stale_if_unreachable_ms;
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

bool never_stored(int status) {
  switch (status) {
    case 206:
    case 304:
    case 416:
    case 428:  // RFC 6585 §§3, 4, 6
    case 429:
    case 511:
      return true;
    default:
      return status < 200;
  }
}

bool needs_rule(int status, bool cdn_safe) {
  switch (status) {
    case 431:  // RFC 6585 §5
      return true;
    case 400:
    case 406:
    case 412:
    case 413:
    case 414:
    case 417:
      return cdn_safe;
    default:
      return false;
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

bool explicit_lifetime(const http::Fields& response) {
  return policy_of(response).explicit_lifetime(response);
}

Freshness freshness(const Rules& rules, const http::ResponseHead& response, int64_t request_ms, int64_t response_ms) {
  const http::Fields& fields = response.fields;
  Policy policy = policy_of(fields);
  const http::CacheDirectives& d = policy.d;
  int64_t now_s = response_ms / 1000;
  Freshness f;
  f.response_ms = response_ms;
  f.no_cache = d.no_cache || !d.no_cache_fields.empty();
  f.must_revalidate = d.must_revalidate || d.proxy_revalidate || d.s_maxage.has_value();
  f.immutable = d.immutable;
  set_stale_windows(rules, d, response.status, f);

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
  } else if (auto expires = policy.targeted ? std::nullopt : expires_s(fields, now_s)) {
    f.lifetime_ms = std::max<int64_t>(0, *expires - date_s) * 1000;
  } else if (!heuristically_cacheable(rules, response.status) && !d.public_) {
    return f;
  } else if (response.status >= 400) {
    f.lifetime_ms = rules.config.negative_ttl_ms;
    f.heuristic = true;
  } else {
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
  Policy policy = policy_of(fields);
  const http::CacheDirectives& d = policy.d;
  int status = response.status;
  if (!request.may_store || request.head) return no("no-store");
  if (never_stored(status)) return no("status");
  // It means nothing here (RFC 9110 §14.4); but where it is one, this may be a part that a server calls the whole.
  auto range = fields.find(http::FieldId::content_range);
  if (range && http::equal_ignoring_case(range->substr(0, 6), "bytes ")) return no("content-range");
  bool no_store = d.no_store;
  if (d.must_understand) {  // §5.2.2.3
    if (!understood(status)) return no("must-understand");
    no_store = false;
  }
  if (no_store) return no("no-store");
  if (d.private_ || !d.private_fields.empty()) return no("private");
  if (request.authorization && !d.public_ && !d.must_revalidate && !d.s_maxage) return no("authorization");  // §3.5
  auto names = vary_names(fields);
  if (!names || varies_by_told(*names, request.told)) return no("vary");
  if (group_hashes(fields, cache_groups, 0).size() > most_groups) return no("groups");
  if (rules.cdn_safe && fields.has(http::FieldId::set_cookie)) return no("set-cookie");
  if (needs_rule(status, rules.cdn_safe) && !fresh.status_ruled) return no("status");
  if (rules.extension_check && !fits(request.asset, status, fields.find(http::FieldId::content_type)))
    return no("content-type");
  if (!policy.explicit_lifetime(fields) && !d.public_ && !heuristically_cacheable(rules, status))
    return no("status");  // §3
  bool validator = fields.has(http::FieldId::etag) || fields.has(http::FieldId::last_modified);
  bool usable = fresh.lifetime_ms > fresh.initial_age_ms && !fresh.no_cache;
  bool stands_in = fresh.stale_if_error_ms > 0 || fresh.stale_while_revalidate_ms > 0;
  if (!usable && !validator && !stands_in) {
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
  // RFC 8246 §2: a reload has nothing to ask for while it is fresh.
  bool asks_age = request.max_age_s && !(f.immutable && left_ms > 0);
  if (asks_age && (age_ms / 1000 > *request.max_age_s || *request.max_age_s == 0)) return Use::validate_request;
  if (request.min_fresh_s && left_ms < *request.min_fresh_s * 1000)
    return left_ms > 0 ? Use::validate_request : Use::validate_stale;
  if (left_ms > 0) return Use::serve;
  if (request.max_stale_s && !f.must_revalidate) {
    if (*request.max_stale_s == INT64_MAX || -left_ms <= *request.max_stale_s * 1000) return Use::serve;  // §5.2.1.2
  }
  return object.may_stand_in(Object::StandIn::validation, now_ms) ? Use::serve_and_validate : Use::validate_stale;
}

bool stored_field(http::FieldId id) {
  switch (id) {
    case http::FieldId::age:
    case http::FieldId::content_length:
    case http::FieldId::proxy_authenticate:  // RFC 9111 §3.1
    case http::FieldId::proxy_authentication_info:
    case http::FieldId::proxy_authorization:
      return false;
    default:
      return !http::is_hop_by_hop(id);
  }
}

}  // namespace portolan::edge
