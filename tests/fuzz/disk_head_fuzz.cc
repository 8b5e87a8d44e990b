// Any bytes as a record's head, and as a segment's: none, or one that keeps its promises and is the same when written again.
#include <algorithm>

#include "tests/fuzz/disk_repair.hh"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace portolan;
  using namespace portolan::edge::disk;
  using namespace portolan::edge::disk::fuzz;
  auto [repaired, bytes] = input_of(data, size);
  constexpr Place place{7, 900};
  uint64_t mark = mark_of(secret, 5, place);
  std::string segment_bytes = bytes;
  if (repaired) {
    put(bytes, 0, mark);
    if (uint32_t length = head_length(bytes, mark); length != 0 && length <= bytes.size()) seal(bytes, 12, length);
    segment_bytes.resize(unit_bytes);
    put(segment_bytes, 0, mark_of(secret, ~0ull, {place.segment, 0}));
    seal(segment_bytes, 36);
  }
  uint32_t length = head_length(bytes, mark);
  if (auto head = parse_head(bytes, mark, place.unit)) {
    check(length == head_bytes_of(head->body_bytes, head->meta.size()) && length <= bytes.size());
    check(head->body_at >= unit_bytes && uint64_t{head->body_at} + head->body_bytes <= place.unit * unit_bytes);
    check(head->fragments.size() == fragments_of(head->body_bytes) && head->meta.size() <= Disk::max_meta_bytes);
    std::string again = encode(*head, mark);
    auto second = parse_head(again, mark, place.unit);
    check(second && second->key == head->key && second->meta == head->meta && second->order == head->order &&
          second->fragments == head->fragments);
    check(!parse_head(again, mark + 1, place.unit));
    check(!parse_head(std::string_view(again).substr(0, again.size() - 1), mark, place.unit));
  }
  if (auto head = parse_segment_head(segment_bytes, secret, place.segment)) {
    check(head->kind == Kind::probation || head->kind == Kind::main);
    check(parse_segment_head(encode(*head, secret, place.segment), secret, place.segment)->epoch == head->epoch);
    check(!parse_segment_head(segment_bytes, secret, place.segment + 1));
  }
  return 0;
}
