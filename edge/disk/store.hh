#pragma once
// What the one that works on an open store shares: its files, the index, the log, and the segments by what they are for.
// Used by one thread at a time, but for what says otherwise.
#include <algorithm>
#include <atomic>
#include <deque>
#include <memory>
#include <vector>

#include "edge/disk/index.hh"
#include "edge/disk/log.hh"

namespace portolan::edge::disk {

// Any thread may read them.
struct Counters {
  std::atomic<uint64_t> reads{0}, writes{0}, written_bytes{0}, rewritten_bytes{0}, refused{0}, damaged{0}, reclaimed{0},
      evicted{0}, syncs{0}, errors{0}, last_sequence{0}, checkpoint_bytes{0}, without_room{0};
  void saw(uint64_t sequence) {
    uint64_t last = last_sequence.load(std::memory_order_relaxed);
    while (last < sequence && !last_sequence.compare_exchange_weak(last, sequence)) {
    }
  }
};

struct Store {
  Store(std::shared_ptr<Volume> files, Index& names, Counters& counts, const Clock& time)
      : volume(std::move(files)), index(names), counters(counts), clock(time), log(*volume, time) {}

  std::shared_ptr<Volume> volume;
  Index& index;
  Counters& counters;
  const Clock& clock;
  Log log;
  std::deque<uint32_t> probation, main;  // sealed, oldest first
  std::deque<uint32_t> free;             // nobody holds anything of them
  std::vector<uint32_t> emptied;         // nothing leads there any more, but somebody may still hold something
  uint32_t turn = 1;                     // of the probation queue: one a segment
  std::vector<uint32_t> unbacked;        // of those that were free: the file system had no room for them
  uint64_t covered = 0;                  // what is of a lower order the newest checkpoint knows the fate of

  std::deque<uint32_t>& sealed(Kind kind) { return kind == Kind::main ? main : probation; }
  // Puts an entry into the index, and keeps the counts of what leads to which segment.
  void enter(Index::Name name, const Index::Entry& entry);
  void left(Place place) { volume->segment(place.segment).live.fetch_sub(1, std::memory_order_relaxed); }
  bool leave(Index::Name name, Place place) {
    bool was = index.erase(name, place);
    if (was) left(place);
    return was;
  }
  // As leave(), of what was never used again: should it come back soon, it goes to the main queue at once.
  bool bury(Index::Name name, Place place) {
    bool was = index.bury(name, place, turn);
    if (was) left(place);
    return was;
  }
  bool went_lately(Index::Name name) const {
    uint32_t at = index.went_at(name);
    return at != 0 && (turn + Index::most_turns - at) % Index::most_turns <= main.size() + probation.size();
  }
  void next_turn() { turn = turn + 1 < Index::most_turns ? turn + 1 : 1; }

  // What was emptied and is held no longer is free again.
  void collect();
  // As many of `unbacked` are to be tried again.
  void try_again(size_t most);
  // A segment to write to; false: there is none.
  Result<bool> open_segment(Kind kind);
  // Ends the open segment of a kind, and takes it among the sealed ones.
  Status seal(Kind kind);
  void give_up(Kind kind);
};

}  // namespace portolan::edge::disk
