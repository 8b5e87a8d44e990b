#include "edge/parts.hh"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace portolan::edge {

using http::FieldId;

http::ByteRange Parts::fragment(uint64_t number) const {
  uint64_t first = number * fragment_bytes;
  return {first, std::min(fragment_bytes, size_ - first)};
}

uint64_t Parts::round_up(uint64_t at) const {
  return at >= size_ - std::min(size_, fragment_bytes) ? size_ : round_down(at + fragment_bytes - 1);
}

std::optional<http::ByteRange> Parts::brought_by(const http::ResponseHead& response) const {
  auto said = consistent_range(response);
  if (!said || said->size != size_) return std::nullopt;
  auto validator = strong_validator(response.fields);
  if (validator != validator_) return std::nullopt;
  return said->range;
}

std::optional<std::string_view> strong_validator(const http::Fields& response) {
  if (auto text = response.find(FieldId::etag)) {
    auto tag = http::parse_etag(*text);
    if (response.count(FieldId::etag) != 1 || !tag || tag->weak) return std::nullopt;
    return *text;
  }
  auto modified = response.find(FieldId::last_modified);
  auto date = response.find(FieldId::date);
  if (!modified || !date || response.count(FieldId::last_modified) != 1) return std::nullopt;
  auto modified_s = http::parse_date(*modified), date_s = http::parse_date(*date);
  if (!modified_s || !date_s || *modified_s >= *date_s) return std::nullopt;
  return *modified;
}

std::optional<http::ContentRange> consistent_range(const http::ResponseHead& response) {
  if (response.status != 206 || response.fields.count(FieldId::content_range) != 1) return std::nullopt;
  if (response.framing != http::Framing::length && response.framing != http::Framing::chunked) return std::nullopt;
  auto said = http::parse_content_range(*response.fields.find(FieldId::content_range));
  if (!said || !said->size || said->range.length == 0) return std::nullopt;
  if (response.framing == http::Framing::length && response.content_length != said->range.length) return std::nullopt;
  return said;
}

std::string aligned_range(const http::Fields& request) {
  if (request.count(FieldId::range) != 1) return {};
  auto asked = http::first_range(*request.find(FieldId::range));
  if (!asked) return {};
  constexpr uint64_t most = std::numeric_limits<uint64_t>::max() - 2 * Parts::fragment_bytes;
  // Without the size nobody knows where the fragment begins that the last bytes begin in: one more holds it.
  if (!asked->first) return fmt::format("bytes=-{}", std::min(*asked->last, most) + Parts::fragment_bytes);
  uint64_t first = Parts::round_down(*asked->first);
  if (!asked->last || *asked->last >= most) return fmt::format("bytes={}-", first);
  return fmt::format("bytes={}-{}", first, Parts::round_down(*asked->last) + Parts::fragment_bytes - 1);
}

}  // namespace portolan::edge
