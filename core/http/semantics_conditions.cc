#include <algorithm>
#include <charconv>
#include <limits>

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

// A decimal number off the front; one too large for 64 bits becomes the largest. nullopt: no digit.
std::optional<uint64_t> take_number(std::string_view& text) {
  constexpr uint64_t most = std::numeric_limits<uint64_t>::max();
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end == text.data()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return error == std::errc::result_out_of_range ? most : value;
}

// One range-spec. False: a syntax error. `range` stays of length 0 when it lies outside.
bool read_range(std::string_view text, uint64_t size, ByteRange& range) {
  auto first = take_number(text);
  if (text.empty() || text[0] != '-') return false;
  text.remove_prefix(1);
  auto last = take_number(text);
  if (!text.empty() || (!first && !last)) return false;
  if (!first) {
    range.length = std::min(*last, size);
    range.first = size - range.length;
    return true;
  }
  if (last && *last < *first) return false;
  if (*first < size) range = {*first, std::min(last.value_or(size - 1), size - 1) - *first + 1};
  return true;
}

bool overlap(std::vector<ByteRange> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const ByteRange& a, const ByteRange& b) { return a.first < b.first; });
  for (size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i].first <= ranges[i - 1].last()) return true;
  }
  return false;
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

RangeSet parse_range(std::string_view value, uint64_t size, size_t most) {
  constexpr std::string_view unit = "bytes=";
  if (value.size() < unit.size() || !equal_ignoring_case(value.substr(0, unit.size()), unit)) return {};
  RangeSet set;
  size_t asked = 0;
  ListCursor cursor(value.substr(unit.size()));
  for (std::string_view element; cursor.next(element);) {
    ByteRange range;
    if (++asked > most || !read_range(element, size, range)) return {};
    if (range.length) set.ranges.push_back(range);
  }
  if (asked == 0 || overlap(set.ranges)) return {};
  set.kind = set.ranges.empty() ? RangeKind::unsatisfiable : RangeKind::ranges;
  return set;
}

std::string content_range(const ByteRange& range, uint64_t size) {
  return "bytes " + std::to_string(range.first) + "-" + std::to_string(range.last()) + "/" + std::to_string(size);
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
