#pragma once
// The files of a store, opened and locked, and what is known of each segment: `store` (the superblock), `data` (the
// segments, one after the other; one descriptor serves them all, and blocks are allocated a segment at a time, when it is
// first used), `segments` (the table) and `index.a`, `index.b` (checkpoints). Lives as long as anybody holds something that
// was found in it, and so does the lock.
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "core/base/file.hh"
#include "edge/disk/format.hh"

namespace portolan::edge::disk {

// Of a segment. Atomics: any thread. The rest: whoever works on the log.
struct SegmentState {
  std::atomic<uint64_t> epoch{0};
  std::atomic<int64_t> opened_ms{0};
  std::atomic<uint32_t> pins{0};  // bodies found and not yet let go
  std::atomic<uint32_t> live{0};  // entries of the index that lead here
  std::atomic<uint32_t> used{0};  // bytes
  std::atomic<Kind> kind{Kind::free};
  std::atomic<bool> open{false};
  std::atomic<uint32_t> synced{0};    // so many bytes the kernel won't forget for want of being able to write them
  std::atomic<bool> doubtful{false};  // of the others it may have done so: no later sync says otherwise
  bool known = true;                  // false: the table had lost it
  bool leaving = false;               // it is being reclaimed
  bool in_checkpoint = false;         // recovery takes what the checkpoint knows of it
  uint32_t entries = 0;
  uint64_t first_order = 0, last_order = 0, max_sequence = 0;
};

class Volume : public std::enable_shared_from_this<Volume> {
 public:
  enum class Use : uint8_t { write, read };
  // What is there is kept as far as it fits; a store of another version, or what is none, is renamed to
  // NAME.set-aside-N. Use::read: changes nothing, and takes the size as it is.
  static Result<std::shared_ptr<Volume>> open(FileSystem& files, const Config& config, uint64_t segment_bytes,
                                              int64_t now_ms, Use use = Use::write);

  const std::string& path() const { return path_; }
  // Where open() found what it couldn't use: why, and what became of it. Else empty.
  const std::string& set_aside() const { return set_aside_; }
  const crypto::HashKey& secret() const { return block_.secret; }
  uint64_t segment_bytes() const { return block_.segment_bytes; }
  uint32_t count() const { return static_cast<uint32_t>(segments_.size()); }
  SegmentState& segment(uint32_t number) { return segments_[number]; }
  File& data() { return *data_; }
  uint64_t offset_of(uint32_t segment) const { return segment * block_.segment_bytes; }
  Status write_row(uint32_t segment);
  // Keeps the segment from being used anew as long as it is held.
  FileRef pin(uint32_t segment);
  // Whether the directory still holds this very store, as far as can be told.
  bool still_there(FileSystem& files) const;

  // The head at a place; empty: there is none that is whole.
  Result<std::optional<Head>> read_head(Place place, uint64_t epoch);
  // Reads a body into `out` and checks it. False: it isn't what was written.
  Result<bool> read_body(uint32_t segment, const Head& head, char* out);
  // The same, a fragment at a time into `buffer` (of fragment_bytes).
  Result<bool> check_body(uint32_t segment, const Head& head, std::span<char> buffer);
  // The footer of a segment of this epoch; empty: there is none that is whole. Epoch 0: of whichever.
  Result<std::optional<Footer>> read_footer(uint32_t segment, uint64_t epoch);
  // What a footer would say, gathered from the records' heads. What can't be read is left out.
  struct Scanned {
    Footer footer;
    bool complete = true;  // false: a part couldn't be read
  };
  Scanned scan(uint32_t segment, uint64_t epoch);
  // One or the other.
  Result<Footer> contents(uint32_t segment);

 private:
  Volume(std::string path, Superblock block, std::unique_ptr<File> store) noexcept;
  Status load(FileSystem& files, uint64_t bytes, Use use);
  Status load_table(uint64_t data_bytes);
  void find_lost(uint32_t segment);
  std::string path_, set_aside_;
  Superblock block_;
  std::unique_ptr<File> store_;  // holds the lock
  std::unique_ptr<File> data_, table_;
  std::vector<SegmentState> segments_;
};

constexpr uint32_t least_segments = 6;

}  // namespace portolan::edge::disk
