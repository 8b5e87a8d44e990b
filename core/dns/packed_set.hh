#pragma once
// A record set in wire form, made once and copied into answers: owner, type, class, TTL and RDATA,
// whose names are compressed already (RFC 1035 §4.1.4). Immutable once made.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/dns/wire.hh"

namespace portolan::dns {

// Where the names stand that may be compressed in RDATA: `before` bytes, then so many names; only
// in types RFC 1035 knew (RFC 3597 §4).
struct RdataNames {
  size_t before = 0;
  unsigned names = 0;
};
RdataNames names_in(uint16_t type);
// Length of the name that begins `wire`, root label included.
size_t name_size(std::string_view wire);

class PackedSet {
 public:
  PackedSet() = default;
  // For answers to questions within `zone`, to which its names are compressed. Names in lower case,
  // uncompressed.
  PackedSet(std::string_view zone, uint16_t type, uint32_t ttl_s, std::span<const std::string> data);

 private:
  friend class Composer;
  struct Pointer {
    uint16_t at;      // index into bytes_
    uint16_t target;  // relative to the zone's name, or to the set
    bool in_zone;
  };
  struct Suffix {
    std::string name;
    uint16_t at;
  };
  void put_name(std::string_view name, std::string_view zone, std::vector<Suffix>& earlier);

  std::string bytes_;  // the owners are pointers to the question's name
  std::vector<Pointer> pointers_;
  uint16_t count_ = 0;
};

}  // namespace portolan::dns
