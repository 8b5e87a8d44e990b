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
constexpr size_t keep_bytes = 64 * 1024;  // of one size

struct Free {
  Free* next;
};

struct List {
  Free* first = nullptr;
  uint32_t room = 0;  // how many more it takes
};

// Without a constructor to run, so that access costs no check; `open` says that the destructor is still to come.
struct Lists {
  List of[largest / step];
  bool open;
};

thread_local constinit Lists lists{};

// Gives the thread's memory back when it ends.
struct Closer {
  Closer() {
    for (size_t i = 0; i < largest / step; ++i) lists.of[i].room = static_cast<uint32_t>(keep_bytes / ((i + 1) * step));
    lists.open = true;
  }
  ~Closer() {
    lists.open = false;
    for (List& list : lists.of)
      while (Free* f = list.first) {
        list.first = f->next;
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
  List& list = lists.of[index];
  if (Free* f = list.first) {
    list.first = f->next;
    ++list.room;
    return f;
  }
  return ::operator new((index + 1) * step);
}

void free_recycled(void* memory, size_t bytes) noexcept {
  if (!memory) return;
  if (bytes == 0 || bytes > largest) return ::operator delete(memory);
  if (!lists.open) {
    open_lists();  // the first time; once the thread ends it stays closed
    if (!lists.open) return ::operator delete(memory);
  }
  List& list = lists.of[(bytes - 1) / step];
  if (list.room == 0) return ::operator delete(memory);
  --list.room;
  auto* f = static_cast<Free*>(memory);
  f->next = list.first;
  list.first = f;
}

#endif

}  // namespace portolan
