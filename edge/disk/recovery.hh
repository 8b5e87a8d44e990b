#pragma once
// From the files of a store to its index: the newest checkpoint, the segments that were open, the footers of what was sealed
// since, and, where a part of the checkpoint is lost, the footers of all the others. In steps of some milliseconds each;
// what was found can be read from at once.
//
// A checkpoint knows what had become of all that was appended before it began: what it doesn't name of that had been
// replaced, removed or dropped, and stays away.
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "edge/disk/removals.hh"
#include "edge/disk/store.hh"

namespace portolan::edge::disk {

class Recovery {
 public:
  Recovery(Store& store, FileSystem& files, const Removals& removals)
      : store_(store), files_(files), removals_(removals) {}

  // The next step. False: ready() has been reached, and so has the end.
  bool step();
  // The checkpoint and what was written after it are in: new records may be written.
  bool ready() const { return stage_ == Stage::mend || stage_ == Stage::done; }
  // Whether more than the checkpoint and what came after it had to be read.
  bool mended() const { return damaged_ || !has_checkpoint_; }
  uint64_t generation() const { return generation_; }  // of the newest checkpoint there is

 private:
  enum class Stage : uint8_t { segments, checkpoint, open, recent, mend, done };
  void sort_segments();
  void take_open(uint32_t segment);
  void choose_checkpoint();
  bool load_blocks();
  void take(const Piece& piece);
  Status replay(uint32_t segment);
  bool knows(uint32_t segment) const;
  bool was_open(uint32_t segment) const;
  void offer(const FooterEntry& entry, uint32_t segment, uint64_t order);
  void offer(Index::Name name, const Index::Entry& entry);
  bool older(Place there, Place place);
  void finish_numbers();

  Store& store_;
  FileSystem& files_;
  const Removals& removals_;
  Stage stage_ = Stage::segments;
  std::vector<uint32_t> open_, recent_, mend_;  // to do, the last first
  std::unique_ptr<File> checkpoint_;
  CheckpointHead head_;
  bool has_checkpoint_ = false, damaged_ = false;
  uint32_t block_ = 0;
  uint64_t generation_ = 0;
  std::unordered_map<uint64_t, unsigned> named_;  // by the checkpoint, of segments that were open: frequency by place
  std::string buffer_;
};

}  // namespace portolan::edge::disk
