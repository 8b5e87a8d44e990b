#pragma once
// Makes room: S3-FIFO over segments. Of the oldest segment of the probation queue, or, when that is down to its share,
// of the main one, what was used since moves on to the main queue, as much of it as the budget for rewriting allows, the
// most used first; the rest goes. It starts there with nothing to its credit: the main queue takes long to come round.
// What nobody wants any more (useless_ms) and what was superseded never moves. In steps of about a megabyte.
//
// A segment goes only when a checkpoint knows all of it: else a start after a crash could find what its records had
// replaced elsewhere, and not find them.
#include <cstdint>
#include <vector>

#include "edge/disk/store.hh"

namespace portolan::edge::disk {

class Reclaimer {
 public:
  explicit Reclaimer(Store& store) : store_(store) {}

  bool wanted() const { return busy_ || store_.free.size() < reserve(); }
  bool covered() const;         // what is to go next; or nothing can
  bool uncovered_soon() const;  // a checkpoint begun now is done in time
  // False: there is nothing to reclaim, now.
  Result<bool> step();
  // New records of so many bytes came in: a share of them may be rewritten.
  void earned(uint64_t bytes);

 private:
  struct Move {
    FooterEntry entry;
    unsigned frequency = 0;
  };
  size_t reserve() const { return store_.volume->count() < 16 ? 2 : 3; }
  struct Victim {
    std::deque<uint32_t>* queue = nullptr;
    std::deque<uint32_t>::iterator at;
  };
  std::optional<Victim> choose() const;
  bool covers(uint32_t segment) const;
  bool begin();
  void sort_out(const Footer& contents);
  Status move_some();
  Result<bool> move(const Move& move);
  void finish();
  struct Moved {
    Move move;
    Place to;
  };
  Status commit();

  Store& store_;
  bool busy_ = false;
  uint32_t victim_ = 0;
  std::vector<Move> moves_;   // to do, the last first
  std::vector<Moved> moved_;  // in the log, not flushed yet
  double budget_ = 0;         // bytes
};

}  // namespace portolan::edge::disk
