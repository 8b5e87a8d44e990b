#pragma once
// The end of the log, where records are appended: one open segment for what is new (probation), one for what was used and
// moved on (main). A body's fragments first, then the head; nothing counts before the flush that follows. One thread at a
// time; blocks.
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "edge/disk/volume.hh"

namespace portolan::edge::disk {

class Log {
 public:
  // Fills `out` with the next bytes of a body. False: they can't be had, and the record is given up.
  using Source = std::function<bool(std::span<char> out)>;
  struct Appended {
    Place place;
    bool whole = false;  // false: the source failed, and nothing was appended
  };

  Log(Volume& volume, const Clock& clock) : volume_(volume), clock_(clock) {}

  static uint64_t space_of(uint64_t body_bytes, uint64_t meta_bytes);  // at most, with its line in the footer
  bool fits(Kind kind, uint64_t space) const;
  bool is_open(Kind kind) const { return open_of(kind).number >= 0; }
  int64_t number_of(Kind kind) const { return open_of(kind).number; }
  // Opens a segment that nobody holds: its old pages and bytes go. False: there is no room for one that never was used.
  Result<bool> open(Kind kind, uint32_t segment);
  // Goes on where a scan says that the log ended.
  void resume(Kind kind, uint32_t segment, Footer contents);
  // `head`: all but order, body_at and, where `check` is false, fragments; what doesn't agree with those fails.
  Result<Appended> append(Kind kind, Head head, bool check, const Source& source);
  Status flush(Kind kind);
  // Flushes, and ends the segment with its footer. It is no longer open, whatever happens.
  Status seal(Kind kind);
  // After an error: what was flushed counts, and is found by a scan.
  void give_up(Kind kind);

  void set_next(uint64_t epoch, uint64_t order) { next_epoch_ = epoch, next_order_ = order; }
  uint64_t next_epoch() const { return next_epoch_; }
  uint64_t next_order() const { return next_order_; }
  uint64_t written_bytes() const { return written_; }  // to the disk, footers and padding included

 private:
  struct Open {
    int64_t number = -1;
    Footer footer;
    size_t flushed = 0;      // of the footer's entries
    uint64_t buffer_at = 0;  // in the segment
    std::string buffer;
    uint64_t cursor() const { return buffer_at + buffer.size(); }
  };
  Open& open_of(Kind kind) { return kind == Kind::main ? main_ : probation_; }
  const Open& open_of(Kind kind) const { return kind == Kind::main ? main_ : probation_; }
  Status write_out(Open& open);
  Result<bool> append_body(Open& open, Head& head, bool check, const Source& source);
  void close(Open& open);
  Volume& volume_;
  const Clock& clock_;
  Open probation_, main_;
  uint64_t next_epoch_ = 1, next_order_ = 1, written_ = 0;
};

}  // namespace portolan::edge::disk
