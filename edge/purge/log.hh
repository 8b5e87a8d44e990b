#pragma once
// Purges on a disk: an append-only file of numbered entries that is read before anything older than the process is served.
//
//   0       header: magic, version, node, the floors, where the sequence began, what is gone, all under a CRC32C
//           (a file of version 1 is read, too: nobody knows what is gone there)
//   2048    two slots, written in turn: up to where and to which number the file was synced ("acknowledged")
//   4096    records: length, CRC32C of length and payload, payload (number, sequence, time, kind, soft, value)
//
// An entry is acknowledged once fdatasync(2) came back; many that wait share one. What can't be read within the
// acknowledged part is damage: nobody knows what it said, so everything older counts as purged. Behind it, it is a write
// that was cut short: it was never acknowledged and is dropped. Opening and compaction write a new file beside the old one
// and rename it, so that a crash at any point leaves one or the other. purges.lock beside it keeps others away.
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/file.hh"
#include "core/base/io.hh"
#include "edge/purge/clock.hh"
#include "edge/purge/purge.hh"

namespace portolan::edge {

// ── the format: pure ──

struct PurgeImage {  // what a file says
  std::string node;
  PurgeClock::Floors floors;
  uint64_t began = 0;        // the sequence of the process that wrote it began here
  uint64_t last_number = 0;  // of all there ever were
  uint64_t trimmed = 0;      // of those up to this number some may be gone for good
  std::vector<PurgeEntry> entries;
};

struct PurgeSlot {
  uint64_t stamp = 0;  // the higher one counts
  uint64_t end = 0;    // bytes of the file that are synced
  uint64_t number = 0;
};

struct ParsedPurges {
  PurgeImage image;    // of what could be read
  bool known = false;  // false: it isn't such a file, or of another version
  bool damaged = false;
  uint64_t dropped = 0;  // bytes of a write that was cut short
};

inline constexpr size_t purge_header_bytes = 4096;
ParsedPurges parse_purges(std::string_view file);
void append_record(const PurgeEntry& entry, std::string& out);
std::string render_purges(const PurgeImage& image);  // a whole file, all of it acknowledged
std::string render_slot(const PurgeSlot& slot);
uint64_t slot_offset(uint64_t stamp);

// ── the file ──

// Threads: append(), rewrite(), stats() any, and none waits for the disk.
class PurgeLog : public std::enable_shared_from_this<PurgeLog> {
 public:
  static constexpr const char* file_name = "purges.log";
  static constexpr const char* lock_name = "purges.lock";
  using Done = std::function<void(Status)>;  // on one of the Executor's threads
  // What the file is to hold; asked for on one of the Executor's threads. nullopt: nobody knows any more.
  using Source = std::function<std::optional<PurgeImage>()>;

  struct Opened {
    std::shared_ptr<PurgeLog> log;
    PurgeImage image;    // what was read; `began` is where the sequence of this process begins, above all before
    bool fresh = false;  // there was no file
    bool lost = false;   // damaged, or not readable: all older than `began` is to count as purged
    std::string note;    // what happened, where that is worth a line; else empty
  };
  // Blocks. `wall_ms`, `at_least`: the sequence begins above both what the file says and `at_least`, and grows with the
  // wall clock from start to start. Whatever is wrong with the disk, there is a log: then its appends fail until it works.
  // So they do while somebody else has the file, which is left alone.
  static Opened open(const std::string& directory, const std::string& node, FileSystem& files, Executor& executor,
                     int64_t wall_ms, uint64_t at_least = 0);

  // Entries come in the order of their numbers. `done` may be empty. False: refused, too much waits for the executor; `done`
  // is not told. The executor never runs this in the caller's place.
  bool append(const PurgeEntry& entry, Done done);
  // Writes the file anew from `source` soon; what was appended before is in what it says. Also used after an error.
  void compact_from(Source source);
  void compact();
  const std::string& directory() const { return directory_; }
  struct Stats {
    uint64_t bytes = 0;    // of the file
    uint64_t durable = 0;  // the last number that is
    uint64_t syncs = 0, rewrites = 0, errors = 0;
    std::string error;  // of the last write, if that failed
  };
  Stats stats() const;

 private:
  struct Waiting {
    PurgeEntry entry;
    Done done;
  };
  PurgeLog(std::string directory, FileSystem& files, Executor& executor);
  Status take_lock();
  Status rewrite(const PurgeImage& image);
  Status write_behind(const std::vector<Waiting>& batch);
  void run();
  bool turn();
  void finish(std::vector<Waiting>& batch, const Status& written);

  const std::string directory_, path_;
  FileSystem& files_;
  Executor& executor_;
  // By the one who runs.
  std::unique_ptr<File> lock_;
  std::unique_ptr<File> file_;
  PurgeSlot slot_;
  bool broken_ = false;  // of what is there nothing is certain: it is written anew
  std::string node_;

  mutable std::mutex mutex_;
  std::vector<Waiting> waiting_;
  Source source_;
  bool running_ = false;
  bool rewrite_asked_ = false;
  Stats stats_;
};

}  // namespace portolan::edge
