// The log of purges as it may be found on a disk: what is read can be written and read again, a record that is cut or
// changed is never taken for another, and however a file is cut, what is left is a beginning of it.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "edge/purge/log.hh"

using namespace portolan::edge;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

bool begins(const std::vector<PurgeEntry>& whole, const std::vector<PurgeEntry>& part) {
  return part.size() <= whole.size() && std::equal(part.begin(), part.end(), whole.begin());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 1 << 16) return 0;
  std::string file(reinterpret_cast<const char*>(data), size);
  ParsedPurges parsed = parse_purges(file);
  if (!parsed.known) require(parsed.image.entries.empty());
  uint64_t before = 0;
  for (const PurgeEntry& entry : parsed.image.entries) {
    require(entry.number > before && entry.purge.value.size() <= Purge::longest_value);
    before = entry.number;
  }
  require(parsed.image.last_number >= before);
  for (size_t cut : {size / 2, size - size / 8, size - (size > 0)}) {
    ParsedPurges part = parse_purges(std::string_view(file).substr(0, cut));
    require(begins(parsed.image.entries, part.image.entries));
  }
  // As it would be written again.
  std::string again = render_purges(parsed.image);
  ParsedPurges second = parse_purges(again);
  require(second.known && !second.damaged && second.dropped == 0);
  require(second.image.entries == parsed.image.entries && second.image.floors == parsed.image.floors);
  require(second.image.began == parsed.image.began && second.image.last_number == parsed.image.last_number);
  // All of that is acknowledged: no part of it goes without a word.
  for (size_t cut = 0; cut < again.size(); cut += 1 + again.size() / 7) {
    ParsedPurges part = parse_purges(std::string_view(again).substr(0, cut));
    require(!part.known || part.damaged);
  }
  if (size >= 8) {
    std::string changed = again;
    size_t at = purge_header_bytes + (data[0] | data[1] << 8) % std::max<size_t>(1, again.size() - purge_header_bytes);
    if (at < changed.size()) {
      changed[at] = static_cast<char>(changed[at] ^ (data[2] | 1));
      ParsedPurges third = parse_purges(changed);
      require(third.damaged && begins(parsed.image.entries, third.image.entries));
    }
  }
  return 0;
}
