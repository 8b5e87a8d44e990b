#include "core/base/recycled.hh"

#include <cstdint>
#include <cstdlib>

namespace portolan {

#if defined(__SANITIZE_ADDRESS__)

void* allocate_recycled(size_t bytes) {
  return ::operator new(bytes);
}
void free_recycled(void* memory, size_t bytes) noexcept {
  ::operator delete(memory, bytes);
}

#else

namespace {

constexpr size_t step = 64;  // sizes are rounded up to multiples of it
constexpr size_t largest = 4096;
constexpr size_t keep_bytes = 4 << 20;  // of all sizes

struct Free {
  Free* next;
};

// Without a constructor to run, so that access costs no check; `open` says that the destructor is still to come.
struct Lists {
  Free* of[largest / step];
  size_t room;  // bytes that more may be kept of
  bool open;
};

thread_local constinit Lists lists{};

// Gives the thread's memory back when it ends.
struct Closer {
  Closer() {
    lists.room = keep_bytes;
    lists.open = true;
  }
  ~Closer() {
    lists.open = false;
    for (Free*& first : lists.of)
      while (Free* f = first) {
        first = f->next;
        ::operator delete(f);
      }
  }
};

void open_lists() {
  thread_local Closer closer;
  (void)closer;
}

}  // namespace

void* allocate_recycled(size_t bytes) {
  if (bytes == 0 || bytes > largest) return ::operator new(bytes);
  size_t index = (bytes - 1) / step;
  const size_t size = (index + 1) * step;
  if (Free* f = lists.of[index]) {
    lists.of[index] = f->next;
    lists.room += size;
    return f;
  }
  return ::operator new(size);
}

void free_recycled(void* memory, size_t bytes) noexcept {
  if (!memory) return;
  if (bytes == 0 || bytes > largest) return ::operator delete(memory);
  if (!lists.open) {
    open_lists();  // the first time; once the thread ends it stays closed
    if (!lists.open) return ::operator delete(memory);
  }
  const size_t index = (bytes - 1) / step, size = (index + 1) * step;
  if (lists.room < size) return ::operator delete(memory);
  lists.room -= size;
  auto* f = static_cast<Free*>(memory);
  f->next = lists.of[index];
  lists.of[index] = f;
}

#endif

}  // namespace portolan
