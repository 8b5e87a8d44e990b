#include "proxy/balance/maglev.hh"

#include <xxhash.h>

#include <algorithm>

namespace portolan::proxy {
namespace {

// A member has at least 200 places in the smaller tables and 26 in the larger, which are costlier to make.
size_t table_size(size_t members) {
  constexpr size_t sizes[] = {16381, 65537, 131071, 262147, 524287, 1048583};
  for (size_t size : sizes)
    if (members * (size <= 65537 ? 200 : 26) <= size) return size;
  return sizes[std::size(sizes) - 1];
}

}  // namespace

uint64_t Maglev::digest(const std::vector<Entry>& entries) {
  uint64_t hash = entries.size() + 1;
  for (const Entry& e : entries)
    hash = XXH3_64bits_withSeed(e.name.data(), e.name.size(), hash + static_cast<uint64_t>(e.share));
  return hash;
}

// Members take turns; each takes the next free places of its own permutation, in a turn so many as its share is of the
// smallest (much smaller ones pass some turns, so that the turns don't become many).
Maglev::Maglev(const std::vector<Entry>& entries) {
  if (entries.empty()) return;
  struct Turn {
    uint64_t at;
    uint64_t stride;
    int64_t owed = 0;  // shares collected towards the next place
  };
  constexpr uint32_t nobody = UINT32_MAX;
  const uint64_t size = table_size(entries.size());
  std::vector<Turn> turns;
  int64_t most = 0, least = INT64_MAX;
  for (const Entry& e : entries) {
    XXH128_hash_t hash = XXH3_128bits(e.name.data(), e.name.size());
    turns.push_back({hash.low64 % size, hash.high64 % (size - 1) + 1});
    most = std::max(most, e.share);
    least = std::min(least, e.share);
  }
  const int64_t a_place = std::max(least, most / 64);
  table_.assign(size, nobody);
  for (uint64_t taken = 0; taken < size;) {
    for (uint32_t i = 0; i < entries.size() && taken < size; ++i) {
      Turn& turn = turns[i];
      for (turn.owed += entries[i].share; turn.owed >= a_place && taken < size; turn.owed -= a_place, ++taken) {
        while (table_[turn.at] != nobody) turn.at = (turn.at + turn.stride) % size;
        table_[turn.at] = i;
      }
    }
  }
}

}  // namespace portolan::proxy
