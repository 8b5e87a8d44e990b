// nghttp2's memory: what a connection's streams need comes and goes with them, so it is taken from the thread's lists.
#include <algorithm>
#include <cstring>

#include "core/base/recycled.hh"
#include "core/http/h2_parts.hh"

namespace portolan::http::h2 {
namespace {

constexpr size_t prefix = 16;  // nghttp2 doesn't tell sizes when it frees: they stand in front

size_t& size_of(void* memory) {
  return *reinterpret_cast<size_t*>(static_cast<char*>(memory) - prefix);
}

void* allocate(size_t size, void*) {
  char* begin = static_cast<char*>(allocate_recycled(size + prefix));
  size_of(begin + prefix) = size;
  return begin + prefix;
}

void release(void* memory, void*) {
  if (memory) free_recycled(static_cast<char*>(memory) - prefix, size_of(memory) + prefix);
}

void* allocate_zeroed(size_t count, size_t size, void*) {
  void* memory = allocate(count * size, nullptr);
  std::memset(memory, 0, count * size);
  return memory;
}

void* reallocate(void* memory, size_t size, void*) {
  void* larger = allocate(size, nullptr);
  if (memory) std::memcpy(larger, memory, std::min(size_of(memory), size));
  release(memory, nullptr);
  return larger;
}

}  // namespace

nghttp2_mem* memory() {
  static nghttp2_mem functions{nullptr, allocate, release, allocate_zeroed, reallocate};
  return &functions;
}

}  // namespace portolan::http::h2
