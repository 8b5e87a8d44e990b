#include "edge/purge/digest.hh"

#include <xxhash.h>

namespace portolan::edge {
namespace {

constexpr uint64_t url_seed = 0x75726c, host_seed = 0x686f7374, tag_seed = 0x746167, segments_seed = 0x736567,
                   characters_seed = 0x63686172;

}  // namespace

uint64_t url_digest(std::string_view primary_key) {
  return XXH3_64bits_withSeed(primary_key.data(), primary_key.size(), url_seed);
}

uint64_t host_digest(std::string_view authority) {
  return XXH3_64bits_withSeed(authority.data(), authority.size(), host_seed);
}

uint64_t tag_digest(std::string_view tag) {
  return XXH3_64bits_withSeed(tag.data(), tag.size(), tag_seed);
}

uint64_t prefix_digest(uint64_t host, std::string_view path, bool segments) {
  return XXH3_64bits_withSeed(path.data(), path.size(), host ^ (segments ? segments_seed : characters_seed));
}

}  // namespace portolan::edge
