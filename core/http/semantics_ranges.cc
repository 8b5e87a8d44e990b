// Range and Content-Range, and the body that answers several ranges at once (RFC 9110 §14).
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "core/http/byte_ranges.hh"
#include "core/http/semantics.hh"

namespace portolan::http {
namespace {

constexpr std::string_view unit = "bytes=";
constexpr uint64_t small_range = 4096;

// A decimal number off the front; one too large for 64 bits becomes the largest. nullopt: no digit.
std::optional<uint64_t> take_number(std::string_view& text) {
  constexpr uint64_t most = std::numeric_limits<uint64_t>::max();
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end == text.data()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return error == std::errc::result_out_of_range ? most : value;
}

std::optional<RangeSpec> read_spec(std::string_view text) {
  RangeSpec spec;
  spec.first = take_number(text);
  if (text.empty() || text[0] != '-') return std::nullopt;
  text.remove_prefix(1);
  spec.last = take_number(text);
  if (!text.empty() || (!spec.first && !spec.last)) return std::nullopt;
  if (spec.first && spec.last && *spec.last < *spec.first) return std::nullopt;
  return spec;
}

// Of length 0 when it lies outside.
ByteRange within(const RangeSpec& spec, uint64_t size) {
  if (!spec.first) {
    uint64_t length = std::min(*spec.last, size);
    return {size - length, length};
  }
  if (*spec.first >= size) return {};
  return {*spec.first, std::min(spec.last.value_or(size - 1), size - 1) - *spec.first + 1};
}

bool overlap(std::vector<ByteRange> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const ByteRange& a, const ByteRange& b) { return a.first < b.first; });
  for (size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i].first <= ranges[i - 1].last()) return true;
  }
  return false;
}

// §14.2: many small ranges in no order are a waste of everybody's time.
bool scattered(const std::vector<ByteRange>& ranges) {
  if (ranges.size() <= 2) return false;
  bool ascend = std::is_sorted(ranges.begin(), ranges.end(),
                               [](const ByteRange& a, const ByteRange& b) { return a.first < b.first; });
  return !ascend &&
         std::any_of(ranges.begin(), ranges.end(), [](const ByteRange& r) { return r.length < small_range; });
}

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// Digits that fit 64 bits, not one more.
std::optional<uint64_t> exact_number(std::string_view& text) {
  size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + digits, value);
  if (digits == 0 || error != std::errc()) return std::nullopt;
  text.remove_prefix(digits);
  return value;
}

}  // namespace

std::optional<RangeSpec> first_range(std::string_view value) {
  if (value.size() < unit.size() || !equal_ignoring_case(value.substr(0, unit.size()), unit)) return std::nullopt;
  ListCursor cursor(value.substr(unit.size()));
  std::string_view element;
  if (!cursor.next(element)) return std::nullopt;
  return read_spec(element);
}

RangeSet parse_range(std::string_view value, uint64_t size, size_t most) {
  if (value.size() < unit.size() || !equal_ignoring_case(value.substr(0, unit.size()), unit)) return {};
  RangeSet set;
  size_t asked = 0;
  ListCursor cursor(value.substr(unit.size()));
  for (std::string_view element; cursor.next(element);) {
    std::optional<RangeSpec> spec = read_spec(element);
    if (++asked > most || !spec) return {};
    if (ByteRange range = within(*spec, size); range.length) set.ranges.push_back(range);
  }
  if (asked == 0 || overlap(set.ranges) || scattered(set.ranges)) return {};
  set.kind = set.ranges.empty() ? RangeKind::unsatisfiable : RangeKind::ranges;
  return set;
}

std::string content_range(const ByteRange& range, uint64_t size) {
  return "bytes " + std::to_string(range.first) + "-" + std::to_string(range.last()) + "/" + std::to_string(size);
}

std::optional<ContentRange> parse_content_range(std::string_view value) {
  if (value.size() < 6 || !equal_ignoring_case(value.substr(0, 6), "bytes ")) return std::nullopt;
  value.remove_prefix(6);
  ContentRange said;
  std::optional<uint64_t> last;
  if (!take(value, "*")) {
    std::optional<uint64_t> first = exact_number(value);
    if (!first || !take(value, "-")) return std::nullopt;
    last = exact_number(value);
    if (!last || *last < *first || *last - *first == std::numeric_limits<uint64_t>::max()) return std::nullopt;
    said.range = {*first, *last - *first + 1};
  }
  if (!take(value, "/")) return std::nullopt;
  if (!take(value, "*")) {
    said.size = exact_number(value);
    if (!said.size || (last && *last >= *said.size)) return std::nullopt;
  }
  if (!value.empty() || (!last && !said.size)) return std::nullopt;
  return said;
}

RangeSet asked_ranges(const Fields& request, Method method, uint64_t size, std::optional<std::string_view> etag,
                      std::optional<int64_t> last_modified_s, std::optional<int64_t> date_s) {
  if (method != Method::get || request.count(FieldId::range) != 1) return {};
  if (auto condition = request.find(FieldId::if_range))
    if (!if_range_matches(*condition, etag, last_modified_s, date_s)) return {};
  return parse_range(*request.find(FieldId::range), size);
}

// ── several at once ──

ByteRanges::ByteRanges(std::vector<ByteRange> ranges, uint64_t size, std::string_view content_type, uint64_t boundary)
    : ranges_(std::move(ranges)),
      size_(size),
      boundary_(fmt::format("{:016x}", boundary)),
      part_type_(content_type),
      content_type_("multipart/byteranges; boundary=" + boundary_) {
  length_ = tail().size();
  for (size_t i = 0; i < ranges_.size(); ++i) length_ += head(i).size() + ranges_[i].length;
}

std::string ByteRanges::head(size_t i) const {
  std::string out = fmt::format("\r\n--{}\r\n", boundary_);
  if (!part_type_.empty()) out.append("Content-Type: ").append(part_type_).append("\r\n");
  return out.append("Content-Range: ").append(content_range(ranges_[i], size_)).append("\r\n\r\n");
}

std::string ByteRanges::tail() const {
  return fmt::format("\r\n--{}--\r\n", boundary_);
}

}  // namespace portolan::http
