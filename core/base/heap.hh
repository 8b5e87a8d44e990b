#pragma once
// The heap as its allocator sees it. With jemalloc it tells; with another (under sanitizers) nothing is known.
#include <cstdint>

namespace portolan {

// What is free between what is in use, in pages that therefore can't be given back. 0 where nobody knows. Takes some ten
// microseconds; any thread.
uint64_t heap_slack_bytes();

// Gives all free pages back to the system. May take milliseconds.
void give_back_free_pages();

// What an allocation of `bytes` takes: jemalloc's classes are four to each power of two.
constexpr uint64_t heap_bytes(uint64_t bytes) {
  if (bytes <= 128) return (bytes + 15) / 16 * 16;
  uint64_t step = uint64_t{1} << (61 - static_cast<unsigned>(__builtin_clzll(bytes - 1)));
  return (bytes + step - 1) / step * step;
}

}  // namespace portolan
