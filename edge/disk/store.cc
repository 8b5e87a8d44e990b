#include "edge/disk/store.hh"

#include <cerrno>

namespace portolan::edge::disk {

void Store::enter(Index::Name name, const Index::Entry& entry) {
  volume->segment(entry.place.segment).live.fetch_add(1, std::memory_order_relaxed);
  Index::Displaced displaced = index.put(name, entry);
  if (displaced.before) left(*displaced.before);
  if (displaced.evicted) {
    left(*displaced.evicted);
    ++counters.evicted;
  }
}

void Store::collect() {
  auto held = [this](uint32_t number) { return volume->segment(number).pins.load() > 0; };
  auto end = std::partition(emptied.begin(), emptied.end(), held);
  for (auto it = end; it != emptied.end(); ++it) free.push_back(*it);
  emptied.erase(end, emptied.end());
}

void Store::try_again(size_t most) {
  for (; most > 0 && !unbacked.empty(); --most) {
    free.push_back(unbacked.back());
    unbacked.pop_back();
  }
  counters.without_room = unbacked.size();
}

Result<bool> Store::open_segment(Kind kind) {
  collect();
  while (!free.empty()) {
    uint32_t number = free.front();
    auto opened = log.open(kind, number);
    free.pop_front();
    if (!opened) {
      free.push_back(number);
      return opened.error();
    }
    if (*opened) return true;
    unbacked.push_back(number);
    counters.without_room = unbacked.size();
    if (free.empty() && probation.empty() && main.empty()) return Error{"no space left for a segment", ENOSPC};
  }
  return false;
}

Status Store::seal(Kind kind) {
  if (!log.is_open(kind)) return {};
  sealed(kind).push_back(static_cast<uint32_t>(log.number_of(kind)));
  return log.seal(kind);
}

void Store::give_up(Kind kind) {
  if (!log.is_open(kind)) return;
  sealed(kind).push_back(static_cast<uint32_t>(log.number_of(kind)));
  log.give_up(kind);
}

}  // namespace portolan::edge::disk
