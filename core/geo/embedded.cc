#include "core/geo/embedded.hh"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace portolan::geo {
namespace {

constexpr std::array<uint8_t, 12> mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::array<uint8_t, 12> translated = {0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0};
constexpr std::array<uint8_t, 12> nat64 = {0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0};

constexpr std::array<uint8_t, 12> six_to_four = {0x20, 0x02};
constexpr std::array<uint8_t, 12> teredo = {0x20, 0x01};

Embedded at(const uint8_t* bytes, unsigned offset) {
  const uint8_t* b = bytes + offset / 8;
  return {IpAddress::v4(b[0], b[1], b[2], b[3]), offset, 0};
}

unsigned common_bits(const uint8_t* bytes, const std::array<uint8_t, 12>& prefix) {
  unsigned i = 0;
  while (i + 1 < prefix.size() && bytes[i] == prefix[i]) ++i;
  return i * 8 + static_cast<unsigned>(std::countl_zero(static_cast<uint8_t>(bytes[i] ^ prefix[i])));
}

// Most addresses differ from all of the prefixes in the first bytes.
unsigned bits_apart(const uint8_t* bytes) {
  unsigned common = 0;
  for (const auto* prefix : {&mapped, &translated, &nat64, &six_to_four, &teredo})
    common = std::max(common, common_bits(bytes, *prefix));
  return common + 1;
}

}  // namespace

Embedded find_embedded(const IpAddress& address) {
  if (!address.is_v6()) return {address, 0, 0};
  const uint8_t* b = address.bytes.data();
  const auto begins = [b](const std::array<uint8_t, 12>& prefix) {
    return std::memcmp(b, prefix.data(), prefix.size()) == 0;
  };
  switch (b[0] << 8 | b[1]) {
    case 0:
      if (begins(mapped) || begins(translated)) return at(b, 96);
      break;
    case 0x64:
      if (begins(nat64)) return at(b, 96);
      break;
    case 0x2002:
      return at(b, 16);
    case 0x2001:
      if (b[2] != 0 || b[3] != 0) break;
      return {IpAddress::v4(static_cast<uint8_t>(~b[12]), static_cast<uint8_t>(~b[13]), static_cast<uint8_t>(~b[14]),
                            static_cast<uint8_t>(~b[15])),
              96, 0};
  }
  return {address, 0, bits_apart(b)};
}

bool is_embedded(const IpNetwork& network) {
  IpAddress last = network.address;
  for (unsigned bit = network.length; bit < last.bits(); bit++)
    last.bytes[bit / 8] = static_cast<uint8_t>(last.bytes[bit / 8] | 0x80 >> bit % 8);
  return find_embedded(network.address).offset > 0 && find_embedded(last).offset > 0;
}

}  // namespace portolan::geo
