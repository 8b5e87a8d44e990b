#pragma once
// gzip (RFC 1952), brotli (RFC 7932) and zstd (RFC 8878), a piece at a time. The only room that sees their libraries. One
// thread at a time; makes no use of the clock or the heap beyond what the libraries take, which is bounded by the level and
// the size that is told.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/http/encoding.hh"

namespace portolan::compress {

class Compressor {
 public:
  virtual ~Compressor() = default;
  // Appends to `out` what is ready of all that was given so far; with `last` all of it. False: out of memory.
  virtual bool add(std::string_view bytes, bool last, std::string& out) = 0;
};

struct Levels {
  int gzip = 6;  // 1..9
  int br = 5;    // 0..11
  int zstd = 6;  // 1..19
  bool operator==(const Levels&) const = default;
};

// For a body of `size` bytes. Null where the library has no memory, or for identity.
std::unique_ptr<Compressor> make_compressor(http::Coding coding, const Levels& levels, uint64_t size);

// Never will `size` bytes become more than this.
uint64_t largest_output(uint64_t size);

}  // namespace portolan::compress
