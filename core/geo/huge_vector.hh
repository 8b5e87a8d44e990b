#pragma once
// A vector whose memory lies in huge pages where the system gives them: every access of a large table somewhere else
// would cost a walk of page tables as well as a cache line.
#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <vector>

namespace portolan::geo {

template <class T>
struct HugeAllocator {
  using value_type = T;
  static constexpr size_t huge_page = 2 << 20;
  HugeAllocator() = default;
  template <class U>
  HugeAllocator(const HugeAllocator<U>&) {}  // NOLINT(google-explicit-constructor): allocators convert
  T* allocate(size_t n) {
    const size_t bytes = n * sizeof(T);
    if (bytes < huge_page) return static_cast<T*>(::operator new(bytes));
    void* memory = ::operator new (bytes, std::align_val_t{huge_page});
    // A wish. What is left beyond the last whole huge page stays in small ones.
    ::madvise(memory, bytes / huge_page * huge_page, MADV_HUGEPAGE);
    return static_cast<T*>(memory);
  }
  void deallocate(T* p, size_t n) noexcept {
    if (n * sizeof(T) < huge_page) {
      ::operator delete(p);
    } else {
      ::operator delete (p, std::align_val_t{huge_page});
    }
  }
  bool operator==(const HugeAllocator&) const { return true; }
};

template <class T>
using HugeVector = std::vector<T, HugeAllocator<T>>;

}  // namespace portolan::geo
