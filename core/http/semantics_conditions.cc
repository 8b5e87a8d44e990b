#include "core/http/chars.hh"
#include "core/http/semantics.hh"

namespace portolan::http {
namespace {

// Takes one entity tag off the front of `text`.
std::optional<EntityTag> take_etag(std::string_view& text) {
  EntityTag tag;
  size_t at = 0;
  if (text.substr(0, 2) == "W/") {
    tag.weak = true;
    at = 2;
  }
  if (at >= text.size() || text[at] != '"') return std::nullopt;
  size_t end = ++at;
  auto is_etagc = [](char c) { return is_class(c, char_value) && c != ' ' && c != '\t' && c != '"'; };
  while (end < text.size() && is_etagc(text[end])) ++end;
  if (end == text.size() || text[end] != '"') return std::nullopt;
  tag.opaque = text.substr(at, end - at);
  text.remove_prefix(end + 1);
  return tag;
}

// The date of a field that came exactly once.
std::optional<int64_t> single_date(const Fields& fields, FieldId id, int64_t now_s) {
  if (fields.count(id) != 1) return std::nullopt;
  return parse_date(*fields.find(id), now_s);
}

}  // namespace

std::optional<EntityTag> parse_etag(std::string_view text) {
  auto tag = take_etag(text);
  if (!text.empty()) return std::nullopt;
  return tag;
}

bool strong_match(const EntityTag& a, const EntityTag& b) {
  return !a.weak && !b.weak && a.opaque == b.opaque;
}

bool weak_match(const EntityTag& a, const EntityTag& b) {
  return a.opaque == b.opaque;
}

bool etag_list_matches(std::string_view list, std::optional<std::string_view> etag, bool strong) {
  list = trim(list);
  if (list == "*") return true;
  auto current = etag ? parse_etag(*etag) : std::nullopt;
  if (!current) return false;
  while (!list.empty()) {
    if (list[0] == ',' || list[0] == ' ' || list[0] == '\t') {
      list.remove_prefix(1);
      continue;
    }
    auto tag = take_etag(list);
    std::string_view after = trim(list);
    if (!tag || (!after.empty() && after[0] != ',')) return false;
    if (strong ? strong_match(*tag, *current) : weak_match(*tag, *current)) return true;
  }
  return false;
}

Condition evaluate_conditions(const Fields& request, std::optional<std::string_view> etag,
                              std::optional<int64_t> last_modified_s, Method method, int64_t now_s) {
  const bool reads = method == Method::get || method == Method::head;
  if (auto list = request.joined(FieldId::if_match)) {
    if (!etag_list_matches(*list, etag, true)) return Condition::precondition_failed;
  } else if (auto date = single_date(request, FieldId::if_unmodified_since, now_s)) {
    if (last_modified_s && *last_modified_s > *date) return Condition::precondition_failed;
  }
  if (auto list = request.joined(FieldId::if_none_match)) {
    if (!etag_list_matches(*list, etag, false)) return Condition::proceed;
    return reads ? Condition::not_modified : Condition::precondition_failed;
  }
  if (!reads || !last_modified_s) return Condition::proceed;
  auto date = single_date(request, FieldId::if_modified_since, now_s);
  return date && *last_modified_s <= *date ? Condition::not_modified : Condition::proceed;
}

bool if_range_matches(std::string_view value, std::optional<std::string_view> etag,
                      std::optional<int64_t> last_modified_s, std::optional<int64_t> date_s) {
  if (auto asked = parse_etag(value)) {
    auto current = etag ? parse_etag(*etag) : std::nullopt;
    return current && strong_match(*asked, *current);
  }
  auto asked = parse_date(value, date_s.value_or(0));
  return asked && last_modified_s && date_s && *asked == *last_modified_s && *last_modified_s < *date_s;
}

}  // namespace portolan::http
