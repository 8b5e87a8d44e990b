#include "core/base/bytes.hh"

#include <cstdlib>
#include <new>

#include "core/base/recycled.hh"

namespace portolan {
namespace {

// Free blocks a thread keeps of each size: what a few hundred streams at once have, and give back together; small beside
// the memory cap.
constexpr size_t keep_small = 512, keep_standard = 64;

template <size_t keep>
struct FreeList {
  static constexpr size_t capacity = keep;
  ~FreeList() {
    while (count > 0) std::free(blocks[--count]);
    closed = true;
  }
  size_t count = 0;
  bool closed = false;
  void* blocks[keep];
};

thread_local FreeList<keep_small> small_blocks;
thread_local FreeList<keep_standard> standard_blocks;

// Under AddressSanitizer every block comes from the heap, where a use after free is seen.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool reuses = false;
#else
constexpr bool reuses = true;
#endif

template <class List>
void* take(List& list, size_t bytes) {
  void* memory = reuses && !list.closed && list.count > 0 ? list.blocks[--list.count] : std::malloc(bytes);
  if (!memory) std::abort();
  return memory;
}

template <class List>
void give(List& list, void* memory) {
  if (!reuses || list.closed || list.count == List::capacity) return std::free(memory);
  list.blocks[list.count++] = memory;
}

constexpr int64_t untold_bytes = 64 * 1024;
thread_local constinit int64_t untold = 0;

void count(int64_t bytes) {
  untold += bytes;
  if (untold < untold_bytes && untold > -untold_bytes) return;
  told_block_bytes.fetch_add(untold, std::memory_order_relaxed);
  untold = 0;
}

}  // namespace

Block* Block::make(size_t capacity) {
  count(static_cast<int64_t>(capacity));
  void* memory;
  if (capacity == small_capacity) {
    memory = take(small_blocks, capacity + sizeof(Block));
  } else if (capacity == standard_capacity) {
    memory = take(standard_blocks, capacity + sizeof(Block));
  } else {
    memory = allocate_recycled(capacity + sizeof(Block));
  }
  Block* block = new (memory) Block;
  block->capacity_ = static_cast<uint32_t>(capacity);
  return block;
}

void Block::destroy(Block* block) {
  size_t capacity = block->capacity_;
  count(-static_cast<int64_t>(capacity));
  block->~Block();
  if (capacity == small_capacity) return give(small_blocks, block);
  if (capacity == standard_capacity) return give(standard_blocks, block);
  free_recycled(block, capacity + sizeof(Block));
}

void BlockWriter::grow(size_t n) {
  size_t capacity = block_->capacity();
  while (capacity - size_ < n) capacity = capacity < Block::standard_capacity ? Block::standard_capacity : capacity * 2;
  BlockRef bigger = BlockRef::make(capacity);
  std::memcpy(bigger->data(), block_->data(), size_);
  block_ = std::move(bigger);
}

Slice Slice::copy_of(std::string_view text) {
  Slice s;
  s.block = BlockRef::make(text.size());
  std::memcpy(s.block->data(), text.data(), text.size());
  s.data = s.block->data();
  s.size = text.size();
  return s;
}

}  // namespace portolan
