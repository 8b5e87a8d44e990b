#pragma once
// Refcounted blocks of bytes, and slices of them. A block may be read by several threads at once; it is written by
// the one that made it, past every slice handed out so far. Counts are atomic: cached bodies cross workers.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace portolan {

class Block {
 public:
  // Standard sizes are taken from a per-thread free list, others by allocate_recycled. Ends the process when memory is
  // exhausted.
  static const size_t small_capacity;     // fills 4 KiB with its header
  static const size_t standard_capacity;  // fills 16 KiB with its header

  char* data() { return reinterpret_cast<char*>(this + 1); }
  const char* data() const { return reinterpret_cast<const char*>(this + 1); }
  size_t capacity() const { return capacity_; }

 private:
  friend class BlockRef;
  static Block* make(size_t capacity);
  static void destroy(Block* block);
  std::atomic<uint32_t> refs_{1};
  uint32_t capacity_ = 0;
};

// Bytes of all blocks that are in use, of all threads; each may keep up to 64 KiB to itself before it tells. Any thread.
inline std::atomic<int64_t> told_block_bytes{0};
inline int64_t blocks_held() {
  return told_block_bytes.load(std::memory_order_relaxed);
}

inline constexpr size_t Block::small_capacity = 4096 - sizeof(Block);
inline constexpr size_t Block::standard_capacity = 16384 - sizeof(Block);

class BlockRef {
 public:
  BlockRef() = default;
  BlockRef(const BlockRef& o) : block_(o.block_) { retain(); }
  BlockRef(BlockRef&& o) noexcept : block_(std::exchange(o.block_, nullptr)) {}
  BlockRef& operator=(BlockRef o) noexcept {
    std::swap(block_, o.block_);
    return *this;
  }
  ~BlockRef() { release(); }

  // A fresh block of at least `capacity` bytes, uninitialised.
  static BlockRef make(size_t capacity) {
    BlockRef r;
    r.block_ = Block::make(capacity);
    return r;
  }

  explicit operator bool() const { return block_ != nullptr; }
  Block* operator->() const { return block_; }
  Block* get() const { return block_; }
  void reset() {
    release();
    block_ = nullptr;
  }
  // True when nobody else holds the block: its owner may then reuse it from the start.
  bool unique() const { return block_ && block_->refs_.load(std::memory_order_acquire) == 1; }

 private:
  void retain() {
    if (block_) block_->refs_.fetch_add(1, std::memory_order_relaxed);
  }
  void release() {
    if (block_ && block_->refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) Block::destroy(block_);
  }
  Block* block_ = nullptr;
};

// Bytes that stay valid as long as the slice lives. A slice without a block points at memory that outlives
// everything (string literals).
struct Slice {
  BlockRef block;
  const char* data = nullptr;
  size_t size = 0;

  std::string_view view() const { return {data, size}; }
  static Slice copy_of(std::string_view text);
  static Slice literal(std::string_view text) { return Slice{{}, text.data(), text.size()}; }
};

// memcpy for the short texts that heads are made of, without a call. Returns the end of the copy.
inline char* copy_short(char* to, const char* from, size_t n) {
  char* end = to + n;
  if (n >= 16) {
    for (; end - to > 16; to += 16, from += 16) std::memcpy(to, from, 16);
    std::memcpy(end - 16, from - 16 + (end - to), 16);
  } else if (n >= 8) {
    std::memcpy(to, from, 8);
    std::memcpy(end - 8, from + n - 8, 8);
  } else if (n >= 4) {
    std::memcpy(to, from, 4);
    std::memcpy(end - 4, from + n - 4, 4);
  } else {
    for (size_t i = 0; i < n; ++i) to[i] = from[i];
  }
  return end;
}
inline char* copy_short(char* to, std::string_view text) {
  return copy_short(to, text.data(), text.size());
}

// Text written piece by piece into a block of its own, such as a head on its way out. Grows as it must.
class BlockWriter {
 public:
  explicit BlockWriter(size_t capacity = Block::small_capacity) : block_(BlockRef::make(capacity)) {}

  void append(std::string_view text) {
    copy_short(room(text.size()), text);
    size_ += text.size();
  }
  void append(char c) {
    *room(1) = c;
    ++size_;
  }
  void clear() { size_ = 0; }  // begin again; nothing may have been taken
  // At least `n` bytes behind what is written; advance() says how many of them were used.
  char* room(size_t n) {
    if (block_->capacity() - size_ < n) grow(n);
    return block_->data() + size_;
  }
  void advance(size_t n) { size_ += n; }
  size_t size() const { return size_; }
  std::string_view view() const { return {block_->data(), size_}; }
  // What was written; the writer is of no more use.
  Slice take() {
    const char* data = block_->data();
    return Slice{std::move(block_), data, size_};
  }

 private:
  void grow(size_t n);
  BlockRef block_;
  size_t size_ = 0;
};

}  // namespace portolan
