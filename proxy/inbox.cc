#include "proxy/inbox.hh"

#include <algorithm>

namespace portolan::proxy {
namespace {

constexpr size_t least_room = 2048;

}  // namespace

void Inbox::consume(size_t n) {
  begin_ += n;
  if (begin_ == end_ && block_.unique()) begin_ = end_ = 0;
}

void Inbox::release_if_empty() {
  if (begin_ != end_) return;
  block_.reset();
  begin_ = end_ = 0;
}

// Bytes in front of end_ may be looked at by others: they are never moved, only copied to a block of our own.
void Inbox::make_room(size_t limit, bool sparing) {
  if (!block_) {
    block_ = BlockRef::make(sparing ? Block::small_capacity : Block::standard_capacity);
    return;
  }
  size_t unread = end_ - begin_;
  if (unread == 0 && block_.unique()) begin_ = end_ = 0;
  if (block_->capacity() - end_ >= least_room) return;
  size_t capacity = Block::standard_capacity;
  while (capacity < unread + least_room) capacity *= 2;
  capacity = std::min(capacity, std::max(limit + least_room, Block::standard_capacity));
  BlockRef bigger = BlockRef::make(capacity);
  std::memcpy(bigger->data(), block_->data() + begin_, unread);
  block_ = std::move(bigger);
  begin_ = 0;
  end_ = unread;
}

loop::Io Inbox::fill(loop::Stream& stream, size_t limit, bool sparing) {
  if (end_ - begin_ >= limit) return loop::Io::would_block;
  if (!stream.may_read()) {
    drained_ = true;
    if (block_ && block_.unique()) release_if_empty();
    return loop::Io::would_block;
  }
  make_room(limit, sparing);
  size_t room = std::min(block_->capacity() - end_, limit - (end_ - begin_));
  size_t got = 0;
  loop::Io io = stream.read(block_->data() + end_, room, got);
  end_ += got;
  drained_ = got < room;
  // A block that others look at stays: the next bytes fill it, instead of each packet pinning a block of its own.
  if (io != loop::Io::done && block_.unique()) release_if_empty();
  return io;
}

}  // namespace portolan::proxy
