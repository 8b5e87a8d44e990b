#include "core/crypto/record_buffers.hh"

#include <malloc.h>
#include <openssl/crypto.h>

#include <cstdlib>

namespace portolan::crypto {
namespace {

constexpr size_t least = 16 * 1024;  // a record without its overhead
constexpr size_t most = 18 * 1024;   // more than one with it
constexpr size_t slack = 64;         // what the heap adds to `most`
constexpr size_t kept = 8;           // of a thread

struct Spares {
  void* buffers[kept];
  size_t count = 0;
  bool closed = false;  // the thread ends
  ~Spares() {
    closed = true;
    while (count > 0) std::free(buffers[--count]);
  }
};
thread_local Spares spares;

void* allocate(size_t size, const char*, int) {
  if (size == 0) return nullptr;  // as OpenSSL's own does
  if (size < least || size > most) return std::malloc(size);
  Spares& s = spares;
  return s.count > 0 ? s.buffers[--s.count] : std::malloc(most);
}

void* reallocate(void* memory, size_t size, const char*, int) {
  if (size > 0) return std::realloc(memory, size);
  std::free(memory);
  return nullptr;
}

void release(void* memory, const char*, int) {
  size_t size = malloc_usable_size(memory);
  if (size >= most && size <= most + slack)
    if (Spares& s = spares; !s.closed && s.count < kept) {
      s.buffers[s.count++] = memory;
      return;
    }
  std::free(memory);
}

}  // namespace

void reuse_record_buffers() {
#if !defined(__SANITIZE_ADDRESS__)
  CRYPTO_set_mem_functions(allocate, reallocate, release);
#endif
}

}  // namespace portolan::crypto
