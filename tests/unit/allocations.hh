#pragma once
// Counts every operator new of the program that includes this, in one of its sources and no more: it replaces them.
#include <atomic>
#include <cstdlib>
#include <new>

namespace portolan::test {

inline std::atomic<long> allocations{0};

inline void* counted(std::size_t size, std::size_t alignment = 0) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (size == 0) size = 1;
  if (alignment == 0) return std::malloc(size);
  return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

inline void* counted_or_throw(std::size_t size, std::size_t alignment = 0) {
  if (void* p = counted(size, alignment)) return p;
  throw std::bad_alloc();
}

}  // namespace portolan::test

void* operator new(std::size_t size) {
  return portolan::test::counted_or_throw(size);
}
void* operator new[](std::size_t size) {
  return portolan::test::counted_or_throw(size);
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return portolan::test::counted(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return portolan::test::counted(size);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return portolan::test::counted_or_throw(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return portolan::test::counted_or_throw(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* p) noexcept {
  std::free(p);
}
void operator delete[](void* p) noexcept {
  std::free(p);
}
void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}
void operator delete[](void* p, std::size_t) noexcept {
  std::free(p);
}
void operator delete(void* p, const std::nothrow_t&) noexcept {
  std::free(p);
}
void operator delete[](void* p, const std::nothrow_t&) noexcept {
  std::free(p);
}
void operator delete(void* p, std::align_val_t) noexcept {
  std::free(p);
}
void operator delete[](void* p, std::align_val_t) noexcept {
  std::free(p);
}
void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
  std::free(p);
}
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept {
  std::free(p);
}
