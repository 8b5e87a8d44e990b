#pragma once
// Memory for what comes and goes with every request: a thread keeps what it frees in lists by size and takes it from
// there, so that a steady load never asks the heap. At most 4 MiB of all sizes stay with a thread; larger things than
// 4 KiB go to the heap. May be freed by another thread than allocated it. Under AddressSanitizer everything goes to the
// heap, where a use after free is seen.
#include <cstddef>
#include <new>
#include <string>

namespace portolan {

void* allocate_recycled(size_t bytes);  // aligned as by operator new; throws like it
void free_recycled(void* memory, size_t bytes) noexcept;

// For containers that are filled anew by every request.
template <class T>
struct RecycledAllocator {
  using value_type = T;
  RecycledAllocator() = default;
  template <class U>
  RecycledAllocator(const RecycledAllocator<U>&) {}  // NOLINT(google-explicit-constructor): allocators convert
  T* allocate(size_t n) { return static_cast<T*>(allocate_recycled(n * sizeof(T))); }
  void deallocate(T* p, size_t n) noexcept { free_recycled(p, n * sizeof(T)); }
  bool operator==(const RecycledAllocator&) const { return true; }
};

using Text = std::basic_string<char, std::char_traits<char>, RecycledAllocator<char>>;

// A base for objects of which every request has one.
struct Recycled {
  static void* operator new(size_t bytes) { return allocate_recycled(bytes); }
  static void operator delete(void* memory, size_t bytes) noexcept { free_recycled(memory, bytes); }
};

}  // namespace portolan
