#include "core/base/heap.hh"

#include <malloc.h>

#include <cstddef>

// Of jemalloc, where it is linked.
extern "C" int mallctl(const char* name, void* old_value, size_t* old_bytes, void* value, size_t bytes)
    __attribute__((weak));

// Its options: an arena a core; what is free goes back to the system after a twentieth of a second.
extern "C" const char* const malloc_conf;
const char* const malloc_conf = "percpu_arena:percpu,dirty_decay_ms:50,muzzy_decay_ms:0";

namespace portolan {

uint64_t heap_slack_bytes() {
  if (!mallctl) return 0;
  uint64_t epoch = 1;
  size_t allocated = 0, active = 0, bytes = sizeof(size_t);
  if (mallctl("epoch", nullptr, nullptr, &epoch, sizeof epoch) != 0) return 0;
  if (mallctl("stats.allocated", &allocated, &bytes, nullptr, 0) != 0) return 0;
  if (mallctl("stats.active", &active, &bytes, nullptr, 0) != 0) return 0;
  return active > allocated ? active - allocated : 0;
}

void give_back_free_pages() {
  if (mallctl) {
    (void)mallctl("arena.4096.purge", nullptr, nullptr, nullptr, 0);  // 4096: of all arenas
  } else {
    ::malloc_trim(0);
  }
}

}  // namespace portolan
