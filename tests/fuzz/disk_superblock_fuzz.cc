// Any bytes as a superblock: ours only with a segment size that can be worked with, whichever copy it came from.
#include <algorithm>
#include <bit>

#include "tests/fuzz/disk_repair.hh"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace portolan;
  using namespace portolan::edge::disk;
  using namespace portolan::edge::disk::fuzz;
  auto [repaired, bytes] = input_of(data, size);
  if (repaired) {
    std::string copy = bytes.substr(0, superblock_bytes / 2);
    copy.resize(superblock_bytes / 2);
    copy.replace(0, 16, encode(Superblock{}).substr(0, 16));
    seal(copy, 20);
    bytes = size % 2 ? copy + std::string(copy.size(), '\0') : std::string(copy.size(), 'x') + copy;
  }
  Superblock block;
  if (parse(bytes, block) != Judgement::ours) return 0;
  check(block.version == format_version && std::has_single_bit(block.segment_bytes));
  check(block.segment_bytes >= 64 << 10 && block.segment_bytes <= Disk::segment_bytes);
  Superblock again;
  std::string text = encode(block);
  text[size % text.size()] ^= 1;  // one copy is enough
  check(parse(text, again) == Judgement::ours && again.secret.a == block.secret.a);
  return 0;
}
