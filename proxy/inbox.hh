#pragma once
// Bytes read from a stream and not yet used: one contiguous run in a refcounted block, so that heads and body slices
// are views into it without a copy. Holds no memory while empty.
#include "core/base/bytes.hh"
#include "core/loop/stream.hh"

namespace portolan::proxy {

class Inbox {
 public:
  std::string_view unread() const { return {block_ ? block_->data() + begin_ : nullptr, end_ - begin_}; }
  const BlockRef& block() const { return block_; }
  Slice slice(std::string_view part) const { return Slice{block_, part.data(), part.size()}; }
  void consume(size_t n);  // drops n bytes; the memory goes once nobody looks at it
  void release_if_empty();
  // One read. Makes room first; `limit` bounds what may wait unread (a longer head is the parser's to refuse). `sparing`:
  // begins with a small block.
  loop::Io fill(loop::Stream& stream, size_t limit, bool sparing = false);
  // False when the last read filled all the room there was: more is probably waiting.
  bool drained() const { return drained_; }

 private:
  void make_room(size_t limit, bool sparing);
  BlockRef block_;
  size_t begin_ = 0;
  size_t end_ = 0;
  bool drained_ = true;
};

}  // namespace portolan::proxy
