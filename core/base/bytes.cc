#include "core/base/bytes.hh"

#include <cstdlib>
#include <new>

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

FreeList* list_for(size_t capacity) {
  thread_local FreeList small;
  thread_local FreeList standard;
  if (capacity == Block::small_capacity) return &small;
  if (capacity == Block::standard_capacity) return &standard;
  return nullptr;
}

}  // namespace

Block* Block::make(size_t capacity) {
  size_t total = capacity + sizeof(Block);
  void* memory = nullptr;
  if (FreeList* list = list_for(capacity); list && !list->closed && list->count > 0)
    memory = list->blocks[--list->count];
  if (!memory) memory = std::malloc(total);
  if (!memory) std::abort();
  Block* block = new (memory) Block;
  block->capacity_ = static_cast<uint32_t>(capacity);
  return block;
}

void Block::destroy(Block* block) {
  size_t capacity = block->capacity_;
  block->~Block();
  if (FreeList* list = list_for(capacity); list && !list->closed && list->count < keep) {
    list->blocks[list->count++] = block;
    return;
  }
  std::free(block);
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
