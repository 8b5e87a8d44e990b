#include "edge/evict/ghost.hh"

#include <algorithm>

namespace portolan::edge {

Ghost::Ghost(uint64_t bytes) {
  while ((mask_ * 2 + 2) * sizeof(Line) <= bytes) mask_ = mask_ * 2 + 1;
  lines_ = std::make_unique<Line[]>(mask_ + 1);
}

void Ghost::add(uint64_t hash, uint64_t keep) {
  keep_ = static_cast<uint32_t>(std::min<uint64_t>(keep, UINT32_MAX / 2));
  if (++added_ == 0) ++added_;
  Slot* place = nullptr;
  for (Slot& s : line_of(hash).slots) {
    if (s.added == 0) {
      place = &s;
      break;
    }
    if (!place || age(s) > age(*place)) place = &s;
  }
  *place = {static_cast<uint32_t>(hash >> 32), added_};
}

bool Ghost::take(uint64_t hash) {
  for (Slot& s : line_of(hash).slots) {
    if (s.added == 0 || s.fingerprint != static_cast<uint32_t>(hash >> 32)) continue;
    bool known = age(s) < keep_;
    s.added = 0;
    if (known) return true;
  }
  return false;
}

}  // namespace portolan::edge
