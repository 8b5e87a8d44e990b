// The request's side: what may be looked up. Keys are in rules_key.cc.
#include "edge/rules.hh"

#include "core/http/semantics.hh"

namespace portolan::edge {
namespace {

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

// A length of zero says that there is none.
bool has_body(const http::RequestHead& head) {
  return head.framing != http::Framing::none && (head.framing != http::Framing::length || head.content_length > 0);
}

// Connection takes fields off on the way to the origin (RFC 9110 §7.6.1): what the key and Vary know of them would not
// be what the answer was made from.
bool names_another_field(std::string_view connection, const http::Fields& fields) {
  http::ListCursor options(connection);
  for (std::string_view option; options.next(option);) {
    if (http::field_id(option) == http::FieldId::other && fields.find(option)) return true;
  }
  return false;
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
  facts.no_transform = d.no_transform;
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

}  // namespace

Rules::Rules(const CacheConfig& c) : config(c), ttl(config.ttl) {
  cdn_safe = config.profile != "rfc";
  extension_check = config.extension_check.value_or(cdn_safe);
  key_mark = edge::key_mark(config);
}

RequestFacts examine(const Rules& rules, const RequestView& request) {
  using http::FieldId;
  const http::RequestHead& head = request.head;
  RequestFacts facts;
  facts.head = head.method == http::Method::head;
  if (head.method != http::Method::get && !facts.head) return pass(facts, Forward::method, nullptr);
  if (has_body(head)) return pass(facts, Forward::bypass, "body");
  facts.authorization = request.identified;
  facts.told = request.told;
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
      case FieldId::connection:
        if (names_another_field(f.value, head.fields)) return pass(facts, Forward::bypass, "connection");
        break;
      case FieldId::if_match:  // RFC 9111 §4.3.2: the origin's to judge
      case FieldId::if_unmodified_since:
        return pass(facts, Forward::bypass, "precondition");
      default:
        break;
    }
  }
  if (rules.cdn_safe && cookies && !cookies_allow(rules, head.fields)) return pass(facts, Forward::bypass, "cookie");
  read_directives(head.fields, facts);
  facts.no_cache = facts.no_cache || request.refresh;
  facts.lookup = true;
  return facts;
}

std::string_view cookie_name(std::string_view pair) {
  std::string_view name = pair.substr(0, pair.find('='));
  while (!name.empty() && (name.back() == ' ' || name.back() == '\t')) name.remove_suffix(1);
  return name;
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
