#include <algorithm>

#include "core/http/chars.hh"
#include "core/http/semantics.hh"
#include "core/http/structured.hh"

namespace portolan::http {
namespace {

using Delta = std::optional<uint32_t> CacheDirectives::*;
using Flag = bool CacheDirectives::*;

struct DeltaName {
  std::string_view name;
  Delta member;
};
constexpr DeltaName delta_names[] = {
    {"max-age", &CacheDirectives::max_age},
    {"s-maxage", &CacheDirectives::s_maxage},
    {"stale-while-revalidate", &CacheDirectives::stale_while_revalidate},
    {"stale-if-error", &CacheDirectives::stale_if_error},
};

struct FlagName {
  std::string_view name;
  Flag member;
};
constexpr FlagName flag_names[] = {
    {"no-store", &CacheDirectives::no_store},
    {"must-revalidate", &CacheDirectives::must_revalidate},
    {"proxy-revalidate", &CacheDirectives::proxy_revalidate},
    {"public", &CacheDirectives::public_},
    {"immutable", &CacheDirectives::immutable},
    {"must-understand", &CacheDirectives::must_understand},
    {"only-if-cached", &CacheDirectives::only_if_cached},
    {"no-transform", &CacheDirectives::no_transform},
};

// The value of a delta directive; both the token and the quoted form are read (RFC 9111 §5.2).
std::optional<uint32_t> delta_of(const Parameter& p) {
  if (!p.value) return std::nullopt;
  std::string_view text = *p.value;
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  return parse_delta_seconds(text);
}

void keep_least(std::optional<uint32_t>& kept, uint32_t value) {
  kept = kept ? std::min(*kept, value) : value;
}

// no-cache and private, alone or with field names. A value without names counts as none: the whole
// response.
void read_qualified(const Parameter& p, bool& whole, std::vector<std::string>& names) {
  std::optional<std::string> text = p.value ? unquote(*p.value) : std::nullopt;
  size_t before = names.size();
  if (text) {
    ListCursor cursor(*text);
    for (std::string_view name; cursor.next(name);) {
      if (is_token(name)) {
        names.emplace_back(name);
      } else {
        whole = true;
      }
    }
  }
  if (names.size() == before) whole = true;
}

void read_directive(const Parameter& p, CacheDirectives& d) {
  for (const DeltaName& n : delta_names) {
    if (equal_ignoring_case(p.name, n.name)) return keep_least(d.*n.member, delta_of(p).value_or(0));
  }
  for (const FlagName& n : flag_names) {
    if (equal_ignoring_case(p.name, n.name)) {
      d.*n.member = true;
      return;
    }
  }
  if (equal_ignoring_case(p.name, "no-cache")) return read_qualified(p, d.no_cache, d.no_cache_fields);
  if (equal_ignoring_case(p.name, "private")) return read_qualified(p, d.private_, d.private_fields);
  if (equal_ignoring_case(p.name, "max-stale")) {
    return keep_least(d.max_stale, p.value ? delta_of(p).value_or(0) : longest_delta_s);
  }
  if (equal_ignoring_case(p.name, "min-fresh")) {
    d.min_fresh = std::max(d.min_fresh.value_or(0), delta_of(p).value_or(longest_delta_s));
  }
}

// False: a known directive with a value of another type, or a negative time.
bool read_targeted(const SfMember& member, CacheDirectives& d) {
  const SfItem& value = member.value;
  for (const DeltaName& n : delta_names) {
    if (member.key != n.name) continue;
    if (value.type != SfItem::Type::integer || value.integer < 0) return false;
    d.*n.member = static_cast<uint32_t>(std::min<int64_t>(value.integer, longest_delta_s));
    return true;
  }
  bool is_flag = value.type == SfItem::Type::boolean;
  for (const FlagName& n : flag_names) {
    if (member.key != n.name) continue;
    d.*n.member = is_flag && value.boolean;
    return is_flag;
  }
  if (member.key != "no-cache" && member.key != "private") return true;
  bool cache = member.key == "no-cache";
  bool& whole = cache ? d.no_cache : d.private_;
  if (is_flag) {
    whole = value.boolean;
    return true;
  }
  std::string quoted;
  append_sf_string(quoted, value.text);
  read_qualified({member.key, quoted}, whole, cache ? d.no_cache_fields : d.private_fields);
  return value.type == SfItem::Type::string;
}

}  // namespace

std::optional<uint32_t> parse_delta_seconds(std::string_view text) {
  if (text.empty() || !all_of_class(text, char_digit)) return std::nullopt;
  uint64_t value = 0;
  for (char c : text) value = std::min<uint64_t>(value * 10 + static_cast<uint64_t>(c - '0'), longest_delta_s);
  return static_cast<uint32_t>(value);
}

CacheDirectives parse_cache_control(std::string_view joined_value) {
  CacheDirectives d;
  ListCursor cursor(joined_value);
  for (std::string_view element; cursor.next(element);) read_directive(split_parameter(element), d);
  return d;
}

std::optional<CacheDirectives> parse_targeted_cache_control(std::string_view joined_value) {
  auto members = parse_sf_dictionary(joined_value);
  if (!members || members->empty()) return std::nullopt;
  CacheDirectives d;
  for (const SfMember& member : *members)
    if (!read_targeted(member, d)) return std::nullopt;
  return d;
}

}  // namespace portolan::http
