#pragma once
// What purges are found by: 64-bit digests, of each kind with its own seed. The same after a restart.
#include <cstdint>
#include <string_view>

namespace portolan::edge {

uint64_t url_digest(std::string_view primary_key);  // of compose_url_key()
uint64_t host_digest(std::string_view authority);
uint64_t tag_digest(std::string_view tag);
// `segments`: it ends where a segment does.
uint64_t prefix_digest(uint64_t host, std::string_view path, bool segments);

}  // namespace portolan::edge
