#include <cstdlib>
#include <string>

#include "core/http/byte_ranges.hh"

namespace {

using namespace portolan::http;

void check(bool holds) {
  if (!holds) std::abort();
}

// Whatever is asked for, what is given lies inside, overlaps nowhere, and reads back from what is said of it.
void check_set(const RangeSet& set, uint64_t size, size_t most) {
  check((set.kind == RangeKind::ranges) == !set.ranges.empty() && set.ranges.size() <= most);
  for (const ByteRange& range : set.ranges) {
    check(range.length > 0 && range.length <= size && range.first <= size - range.length);
    auto said = parse_content_range(content_range(range, size));
    check(said && said->size == size && said->range.first == range.first && said->range.length == range.length);
    for (const ByteRange& other : set.ranges)
      check(&range == &other || range.last() < other.first || other.last() < range.first);
  }
  if (set.ranges.empty()) return;
  ByteRanges body(set.ranges, size, "text/plain", 1);
  uint64_t length = body.tail().size();
  for (size_t i = 0; i < set.ranges.size(); ++i) length += body.head(i).size() + set.ranges[i].length;
  check(length == body.length());
}

}  // namespace

// A byte for the size, one for how many ranges may be asked for, then the value of Range, of Content-Range and of If-Range.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  uint64_t whole = data[0] < 64 ? data[0] : uint64_t{1} << (data[0] & 63);
  size_t most = data[1] & 31;
  std::string text(reinterpret_cast<const char*>(data + 2), size - 2);
  RangeSet set = parse_range(text, whole, most);
  check_set(set, whole, most);
  if (set.kind != RangeKind::ignore) {
    auto first = first_range(text);
    check(first && (first->first || first->last));
  }
  if (auto said = parse_content_range(text)) {
    check(said->size || said->range.length > 0);
    if (said->size && said->range.length) check(said->range.last() < *said->size);
  }
  Fields request;
  request.add("Range", text);
  request.add("If-Range", text);
  if (asked_ranges(request, Method::get, whole, text, 1'000, 2'000).kind == RangeKind::ranges) {
    check(if_range_matches(text, text, 1'000, 2'000));
  }
  return 0;
}
