#include "edge/disk/checkpoint.hh"

#include <span>

namespace portolan::edge::disk {
namespace {

constexpr uint32_t blocks_a_step = 4;

}  // namespace

Status Checkpoint::begin() {
  std::string path = store_.volume->path() + (generation_ % 2 == 0 ? "/index.a" : "/index.b");
  auto file = files_.open(path, FileSystem::Open::create);
  if (!file) return file.error();
  // From here on the older one of the two is none any more.
  if (Status s = (*file)->write_at(std::string(checkpoint_head_bytes, '\0'), 0); !s) return s;
  head_ = {};
  head_.generation = generation_ + 1;
  head_.epoch_limit = store_.log.next_epoch();
  head_.next_order = store_.log.next_order();
  head_.max_sequence = store_.counters.last_sequence.load();
  for (Kind kind : {Kind::probation, Kind::main})
    if (store_.log.is_open(kind)) head_.open.push_back(static_cast<uint32_t>(store_.log.number_of(kind)));
  shard_ = 0;
  block_.clear();
  file_ = std::move(*file);
  return {};
}

Result<bool> Checkpoint::step() {
  for (uint32_t before = head_.blocks; shard_ < Index::shards && head_.blocks < before + blocks_a_step; ++shard_) {
    entries_.clear();
    store_.index.copy(shard_, entries_);
    head_.entries += entries_.size();
    for (std::span<const uint64_t> left = entries_; !left.empty();) {
      size_t taken = block_.add(shard_, left);
      left = left.subspan(taken);
      if (left.empty()) break;
      if (Status s = write_block(); !s) return s.error();
    }
  }
  if (shard_ < Index::shards) return true;
  if (Status s = end(); !s) return s.error();
  return false;
}

Status Checkpoint::write_block() {
  uint64_t at = checkpoint_head_bytes + uint64_t{head_.blocks} * block_bytes;
  std::string_view bytes = block_.close(store_.volume->secret(), head_.generation, head_.blocks);
  if (Status s = file_->write_at(bytes, at); !s) return s;
  store_.counters.checkpoint_bytes += bytes.size();
  ++head_.blocks;
  block_.clear();
  return {};
}

Status Checkpoint::end() {
  if (!block_.empty())
    if (Status s = write_block(); !s) return s;
  if (Status s = file_->write_at(encode(head_, store_.volume->secret()), 0); !s) return s;
  if (Status s = file_->resize(checkpoint_head_bytes + uint64_t{head_.blocks} * block_bytes); !s) return s;
  generation_ = head_.generation;
  store_.covered = head_.next_order;
  file_.reset();
  return {};
}

}  // namespace portolan::edge::disk
