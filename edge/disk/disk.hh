#pragma once
// The disk tier as the cache sees it: records by key, in segments of a log (docs/cache-store.md tells the format). It knows
// nothing of HTTP: a record is a key, a number that grows, some bytes of `meta` and a body. What isn't whole and right
// doesn't exist; when the disk fails the tier steps aside, and everybody goes on without it.
//
// Threads: may_have(), hold(), touch(), write(), remove(), tick(), stats() any, and none of them waits for a disk; read(),
// verify() and most_used() wait for it: on the Executor's threads only.
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/body.hh"
#include "core/base/clock.hh"
#include "core/base/file.hh"
#include "core/base/io.hh"

namespace portolan::edge::disk {

// A digest of what names a record; the caller's. Evenly distributed, and the same after a restart.
struct Key {
  uint64_t high = 0, low = 0;
  bool operator==(const Key&) const = default;
};

struct Record {
  Key key;
  uint64_t sequence = 0;   // of the object (Object::sequence()); of two records of a key the later one counts
  int64_t useless_ms = 0;  // wall clock; from here on nobody wants it any more. A hint for what is kept
  std::string meta;        // at most max_meta_bytes
  Body body;               // no file ranges but those that pread(2) can read; at most max_body_bytes
};

enum class Removed : uint8_t {
  nothing,  // there was nothing, on the disk nor waiting
  something,
  unknown,  // what is there isn't known: it isn't open, or not read to its end
};

// Where something was found, for Disk::hold().
struct Spot {
  uint64_t trust = 0, epoch = 0;
  uint32_t segment = 0;
};

struct Found {
  uint64_t sequence = 0;
  std::string meta;
  // The body: verified, and at this place as long as `file` is held. It also may be sent by sendfile(2): what is under
  // way is never overwritten. Held, it keeps a whole segment from being used anew: for as long as it takes to send it, not
  // for as long as somebody remembers it (Spot, Disk::hold()).
  FileRef file;
  off_t offset = 0;
  uint64_t length = 0;
  // The body itself, where the file may yet lose it: what the kernel couldn't write it forgets, and zeros are read.
  BlockRef bytes;
  Spot spot;
};

struct Config {
  std::string path;  // a directory
  uint64_t bytes = 0;
  bool operator==(const Config&) const = default;
};

struct Stats {
  enum class State : uint8_t { starting, serving, aside, stopped } state = State::starting;
  std::string reason;     // why it is aside
  std::string set_aside;  // where the start found a store that couldn't be used: why, and what became of it
  uint64_t objects = 0, bytes = 0, budget = 0, index_bytes = 0;
  uint64_t segments = 0, segments_free = 0;
  uint64_t segments_without_room = 0;  // of the free ones: the file system had no space for them
  uint64_t reads = 0, writes = 0, written_bytes = 0,
           rewritten_bytes = 0;  // rewritten: moved on when a segment was reclaimed
  uint64_t refused = 0;          // not written: too much waits, or it is aside
  uint64_t damaged = 0;          // records dropped because a checksum was wrong
  uint64_t reclaimed = 0;        // segments
  uint64_t evicted = 0;          // records that went with them
  uint64_t syncs = 0;
  uint64_t errors = 0;  // of the disk
};

// What nobody needs to set, and tests do.
struct Tuning {
  uint64_t segment_bytes = 32ull << 20;  // a power of two, 64 KiB to 32 MiB
  uint64_t index_bytes = 0;              // most memory of the index; 0: a thousandth of the store's bytes
  int64_t checkpoint_ms = 30'000;
  int64_t retry_ms = 10'000;       // while it is aside
  int64_t stall_ms = 500;          // what the disk takes that long to read, nobody waits for any more
  int64_t write_stall_ms = 5'000;  // nor is it given anything while it takes that long to write or sync
};

// What verify() found in a segment.
struct SegmentReport {
  enum class Kind : uint8_t { free, probation, main } kind = Kind::free;
  uint32_t number = 0;
  bool open = false;
  int64_t opened_ms = 0;  // wall clock
  uint64_t records = 0, bytes = 0, damaged = 0;
  uint64_t current = 0;  // of the records: the ones that the index knows
};

// Records by the size of their bodies: of each class below four times the one before, of the last whatever is larger.
struct SizeClass {
  static constexpr uint64_t first_below = 1 << 10;
  uint64_t records = 0, bytes = 0;
};
using SizeClasses = std::array<SizeClass, 8>;

struct VerifyReport {
  uint64_t records = 0, bytes = 0, damaged = 0;
  std::vector<SegmentReport> segments;  // those that are in use
  SizeClasses sizes;
};
// Called now and then with bytes walked and in all; false ends the walk.
using Progress = std::function<bool(uint64_t done, uint64_t total)>;

// A segment, from RAM.
struct SegmentStats {
  SegmentReport::Kind kind = SegmentReport::Kind::free;
  bool open = false;
  int64_t opened_ms = 0;
  uint64_t objects = 0, bytes = 0;  // objects: those that the index knows; bytes: all that was written
};

struct Used {
  Key key;
  std::string meta;
  uint64_t bytes = 0;
  unsigned frequency = 0;  // 0 to 3
};

class Disk {
 public:
  static constexpr uint64_t segment_bytes = 32ull << 20;
  static constexpr uint64_t max_body_bytes = 16ull << 20;
  static constexpr uint64_t max_meta_bytes = 64ull << 10;

  // Nothing is touched before start(), and every write refused.
  // Nobody else may use the directory: where another process or an earlier Disk still has it, or something that an
  // earlier one found is still held, this one is aside until that ends.
  Disk(const Config& config, FileSystem& files, Executor& executor, const Clock& clock, Tuning tuning = {});
  ~Disk();  // stop()
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  // Opens the store and reads its index, on the executor. It serves what it knows already meanwhile.
  void start();
  // Waits for what it has under way, writes what waits and a checkpoint, and gives the store up as soon as nothing of it is
  // held any more. Afterwards everything is a miss or refused. Any thread that may wait; once is enough.
  void stop();
  const std::string& path() const;
  // False: there is nothing of this key; true: most likely there is. RAM only, some hundred nanoseconds.
  bool may_have(Key key) const;
  // A record of the key was taken over and isn't readable yet: what is read is an earlier one.
  bool waits(Key key) const;
  // The record, verified. A damaged one is dropped and counted.
  std::optional<Found> read(Key key);
  // The `file` of what this Disk found before, if it still stands, verified, at its offset; else null, and it is to be read
  // anew. Any thread, and never waits for a disk: what a memory tier asks that keeps a Found without its `file`.
  FileRef hold(const Spot& spot) const;
  // `tell` is called by tick() while the disk doesn't answer: who waits for read() is to go on without it. Replaces an
  // earlier one.
  void when_stalled(std::function<void()> tell);
  // Calls `read`, which reads from what was found: another one whose wait is watched.
  void watched(const std::function<void()>& read) const;
  // It was used: to be kept when its segment is reclaimed.
  void touch(Key key);
  // Takes the record over, to be written soon: readable at once or a little later, durable against kill -9 within 500 ms.
  // Where that fails, what was there of the key before goes all the same. False: refused, because too much waits already,
  // it is too large, or the tier is aside; what was there stays.
  bool write(Record record);
  // Forgotten, and so is what waits to be written; also while it starts or is aside. It may be there again after a crash:
  // what must not be served the caller knows by its sequence, or writes a later record in its place.
  Removed remove(Key key);
  // About once a second: what is to be done by time alone.
  void tick();
  // The largest sequence it has ever seen, once it serves; 0 for an empty store.
  uint64_t last_sequence() const;
  Stats stats() const;
  std::vector<SegmentStats> segments() const;
  // Reads and checks every record; damaged ones are dropped. Empty: there is nothing to walk.
  std::optional<VerifyReport> verify(const Progress& progress);
  // At most `most` of the records used most often, in no order.
  std::vector<Used> most_used(size_t most);

 private:
  class Engine;
  std::shared_ptr<Engine> engine_;
};

// The same for a store that nobody has open. Changes nothing.
Result<VerifyReport> verify_store(const std::string& path, FileSystem& files, const Progress& progress);

}  // namespace portolan::edge::disk
