#include "edge/ttl_rules.hh"

#include <algorithm>

#include "core/http/semantics.hh"
#include "edge/media_types.hh"

namespace portolan::edge {
namespace {

using http::FieldId;

// What a rule without `status` is about: what servers mean when they answer at all, and none of their errors.
bool plain_status(int status) {
  switch (status) {
    case 200:
    case 203:
    case 301:
    case 302:
    case 307:
    case 308:
      return true;
    default:
      return false;
  }
}

// By whole segments, with or without a final '/'.
bool path_begins(std::string_view path, std::string_view prefix) {
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

bool names_time(std::string_view directive) {
  return http::equal_ignoring_case(directive, "max-age") || http::equal_ignoring_case(directive, "s-maxage");
}

bool listed(const std::vector<std::string>& list, std::string_view name) {
  return std::any_of(list.begin(), list.end(),
                     [name](const std::string& item) { return http::equal_ignoring_case(item, name); });
}

bool directive_says_time(const http::Fields& fields, FieldId id) {
  auto value = fields.joined(id);
  if (!value) return false;
  http::ListCursor elements(*value);
  for (std::string_view e; elements.next(e);)
    if (names_time(http::split_parameter(e).name)) return true;
  return false;
}

}  // namespace

bool says_freshness(const http::Fields& fields) {
  return fields.has(FieldId::expires) || directive_says_time(fields, FieldId::cache_control) ||
         directive_says_time(fields, FieldId::cdn_cache_control);
}

TtlRules::TtlRules(const std::vector<TtlRule>& rules) {
  for (const TtlRule& rule : rules) {
    rules_.push_back({&rule, {}});
    if (rule.path_regex.empty()) continue;
    if (auto compiled = http::Regex::compile(rule.path_regex)) rules_.back().path = std::move(*compiled);
  }
}

const TtlRule* TtlRules::match(std::string_view path, const http::ResponseHead& response) const {
  for (const Rule& r : rules_) {
    const TtlRule& c = *r.config;
    bool status = c.statuses.empty()
                      ? (c.immutable ? response.status == 200 : plain_status(response.status))
                      : std::find(c.statuses.begin(), c.statuses.end(), response.status) != c.statuses.end();
    if (!status) continue;
    if (!c.paths.empty() && std::none_of(c.paths.begin(), c.paths.end(),
                                         [path](const std::string& prefix) { return path_begins(path, prefix); }))
      continue;
    if (!c.path_regex.empty() && !r.path.found_in(path)) continue;
    if (!c.types.empty() && !media_type_listed(c.types, response.fields)) continue;
    return &c;
  }
  return nullptr;
}

Ruled::Ruled(const TtlRule* rule, const http::ResponseHead& response) : rule_(rule), response_(response) {
  if (!rule) return;
  timed_ = rule->ttl_s && (rule->overrides || !says_freshness(response.fields));
  changed_ = timed_ || !rule->ignore.empty();
  cookieless_ = listed(rule->ignore, "set-cookie") && response.fields.has(FieldId::set_cookie);
  dressed_ = !rule->cache_control.empty();
  if (changed_) {
    counts_ = response;
    bool cdn = response.fields.has(FieldId::cdn_cache_control);
    if (cdn) edit(FieldId::cdn_cache_control, timed_);
    edit(FieldId::cache_control, timed_);
    if (timed_) counts_.fields.remove(FieldId::expires);
    if (cookieless_) counts_.fields.remove(FieldId::set_cookie);
  }
  if (dressed_ || cookieless_) sent_ = response;
  if (cookieless_) sent_.fields.remove(FieldId::set_cookie);
  if (!dressed_) return;
  sent_.fields.remove(FieldId::cache_control);
  sent_.fields.remove(FieldId::expires);
  sent_.fields.remove(FieldId::pragma);
  sent_.fields.add("Cache-Control", rule->cache_control);
}

// Takes out what the rule ignores and, where its own time counts, all others.
void Ruled::edit(FieldId id, bool add_time) {
  bool cdn = id == FieldId::cdn_cache_control;
  std::string& text = cdn ? cdn_cache_control_ : cache_control_;
  auto append = [&text](std::string_view element) { text.append(text.empty() ? "" : ", ").append(element); };
  if (auto value = response_.fields.joined(id)) {
    http::ListCursor elements(*value);
    for (std::string_view e; elements.next(e);) {
      std::string_view name = http::split_parameter(e).name;
      if ((add_time && names_time(name)) || listed(rule_->ignore, name)) continue;
      append(e);
    }
  }
  if (add_time) append("max-age=" + std::to_string(*rule_->ttl_s));
  counts_.fields.remove(id);
  if (!text.empty()) counts_.fields.add(cdn ? "CDN-Cache-Control" : "Cache-Control", text);
}

void Ruled::settle(Freshness& f) const {
  if (!rule_) return;
  if (timed_) {
    f.lifetime_ms = f.initial_age_ms + *rule_->ttl_s * 1000;
    f.heuristic = false;
  }
  if (rule_->stale_if_error_s && !f.stand_in_said) {
    f.stale_if_error_ms = *rule_->stale_if_error_s * 1000;
    f.stale_if_unreachable_ms = std::max(f.stale_if_unreachable_ms, f.stale_if_error_ms);
  }
  if (rule_->immutable) f.immutable = true;
  f.status_ruled = !rule_->statuses.empty();
}

}  // namespace portolan::edge
