#pragma once
// Writes the index down, in turns to `index.a` and `index.b`: blocks with a checksum each, the head last. In steps of a
// megabyte; meanwhile the index goes on changing, and what changed is found in the segments' footers. Not synced: a
// checkpoint that a power cut took is one that was never written.
#include <memory>
#include <vector>

#include "edge/disk/store.hh"

namespace portolan::edge::disk {

class Checkpoint {
 public:
  Checkpoint(Store& store, FileSystem& files, uint64_t generation)
      : store_(store), files_(files), generation_(generation) {}

  bool busy() const { return file_ != nullptr; }
  Status begin();
  // False: it is written.
  Result<bool> step();
  void give_up() { file_.reset(); }
  uint64_t generation() const { return generation_; }

 private:
  Status write_block();
  Status end();
  Store& store_;
  FileSystem& files_;
  uint64_t generation_;  // of the newest one there is
  std::unique_ptr<File> file_;
  CheckpointHead head_;
  uint32_t shard_ = 0;
  BlockBuilder block_;
  std::vector<uint64_t> entries_;
};

}  // namespace portolan::edge::disk
