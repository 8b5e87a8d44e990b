#pragma once
// Domain names in wire form (RFC 1035 §3.1): labels with their lengths, the root label last. Labels
// are eight-bit clean.
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "core/base/result.hh"
#include "core/dns/wire.hh"

namespace portolan::dns {

inline char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

// A name that owns its bytes, without the heap. A default one is the root.
class Name {
 public:
  Name() : size_(1) { bytes_[0] = 0; }
  Name(const Name& o) : size_(o.size_) { std::memcpy(bytes_, o.bytes_, size_); }
  Name& operator=(const Name& o) {
    size_ = o.size_;
    std::memmove(bytes_, o.bytes_, o.size_);
    return *this;
  }

  // Presentation form, absolute with or without the final dot; "\." and "\DDD" escapes (RFC 4343
  // §2.1). Limits 63/255.
  static Result<Name> parse(std::string_view text);
  // Reads the name at `offset` of a message and moves `offset` past it. Compression pointers must
  // lead strictly backwards, so no loop can pass; with `pointers` false any pointer is refused.
  // False: malformed.
  bool read(std::span<const uint8_t> message, size_t& offset, bool pointers = true);
  // read() without pointers, in lower case; `offset` is within the message. `labels`: how many it
  // has.
  bool read_lowered(std::span<const uint8_t> message, size_t& offset, unsigned& labels);

  std::string_view wire() const { return {bytes_, size_}; }
  Name lowered() const;
  // This name's labels, then those of `o`; false, and nothing done: over 255 bytes.
  bool append(const Name& o);
  unsigned labels() const;           // without the root
  bool equals(const Name& o) const;  // case-insensitively (RFC 4343)
  std::string to_string() const;     // with escapes and the final dot

 private:
  bool append_label(const char* data, size_t size);
  uint8_t size_;
  char bytes_[max_name_size];
};

// `wire` without its first label; the root stays.
inline std::string_view parent(std::string_view wire) {
  return wire.size() > 1 ? wire.substr(1 + static_cast<uint8_t>(wire[0])) : wire;
}
unsigned label_count(std::string_view wire);
bool equal_ignoring_case(std::string_view a, std::string_view b);
// True when `name` is `zone` or ends in it, by whole labels; both in lower case.
bool is_within(std::string_view name, std::string_view zone);

}  // namespace portolan::dns
