#pragma once
// CRC-32C (Castagnoli; RFC 3720 §12.1): tells damage from what was written, and nothing against somebody who means harm.
// By the processor's instruction where it has one, by a table elsewhere. Pure; any thread.
#include <cstdint>
#include <string_view>

namespace portolan::crypto {

// Of `bytes`, or of what came before (whose result is `before`) and `bytes`.
uint32_t crc32c(std::string_view bytes, uint32_t before = 0);
uint32_t crc32c_by_table(std::string_view bytes, uint32_t before = 0);

}  // namespace portolan::crypto
