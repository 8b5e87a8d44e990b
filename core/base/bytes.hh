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
  // Standard sizes are taken from a per-thread free list, others from the heap. Aborts when memory is exhausted.
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

}  // namespace portolan
