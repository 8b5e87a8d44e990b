#include "core/base/bytes.hh"

#include <cstdlib>
#include <new>

#include "core/base/recycled.hh"

namespace portolan {
namespace {

// Free blocks a thread keeps of one size; enough for a busy worker's turn, small beside the memory cap.
constexpr size_t keep = 64;

struct FreeList {
  ~FreeList() {
    while (count > 0) std::free(blocks[--count]);
    closed = true;
  }
  size_t count = 0;
  bool closed = false;
  void* blocks[keep];
};

// Under AddressSanitizer every block comes from the heap, where a use after free is seen.
#if defined(__SANITIZE_ADDRESS__)
FreeList* list_for(size_t) {
  return nullptr;
}
#else
thread_local FreeList small_blocks;
thread_local FreeList standard_blocks;

FreeList* list_for(size_t capacity) {
  if (capacity == Block::small_capacity) return &small_blocks;
  if (capacity == Block::standard_capacity) return &standard_blocks;
  return nullptr;
}
#endif

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
  void* memory = nullptr;
  if (FreeList* list = list_for(capacity)) {
    memory = !list->closed && list->count > 0 ? list->blocks[--list->count] : std::malloc(capacity + sizeof(Block));
    if (!memory) std::abort();
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
  FreeList* list = list_for(capacity);
  if (!list) return free_recycled(block, capacity + sizeof(Block));
  if (!list->closed && list->count < keep) {
    list->blocks[list->count++] = block;
    return;
  }
  std::free(block);
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
