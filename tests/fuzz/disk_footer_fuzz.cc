// Any bytes as a segment's footer, and as a row of the table of segments.
#include "tests/fuzz/disk_repair.hh"

namespace {

// A row's mark comes from a row.
uint64_t row_mark(uint32_t segment) {
  using namespace portolan::edge::disk;
  std::string row = encode(Row{}, fuzz::secret, segment);
  uint64_t mark;
  std::memcpy(&mark, row.data() + 56, sizeof mark);
  return mark;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace portolan;
  using namespace portolan::edge::disk;
  using namespace portolan::edge::disk::fuzz;
  auto [repaired, bytes] = input_of(data, size);
  constexpr uint32_t segment = 3;
  uint64_t mark = footer_mark(secret, segment);
  std::string row_text = bytes;
  if (repaired && bytes.size() >= footer_fixed_bytes) {
    size_t fixed = bytes.size() - footer_fixed_bytes;
    put(bytes, fixed, mark);
    seal(bytes, fixed + 12);
  }
  if (auto footer = parse_footer(bytes, mark, Disk::segment_bytes)) {
    check(bytes.size() == footer_bytes_of(footer->entries.size()));
    for (const FooterEntry& entry : footer->entries) check(entry.unit > 0 && entry.unit < units_of_segment);
    auto again = parse_footer(encode(*footer, mark), mark, Disk::segment_bytes);
    check(again && again->epoch == footer->epoch && again->entries.size() == footer->entries.size());
    check(!parse_footer(bytes, mark + 1, Disk::segment_bytes));
  }
  if (repaired) {
    row_text.resize(row_bytes);
    put(row_text, 56, row_mark(segment));
    seal(row_text, 52);
  }
  if (auto row = parse_row(row_text, secret, segment)) {
    check(row->kind <= Kind::main);
    auto again = parse_row(encode(*row, secret, segment), secret, segment);
    check(again && again->epoch == row->epoch && again->open == row->open && again->used == row->used);
    check(!parse_row(row_text, secret, segment + 1));
  }
  return 0;
}
