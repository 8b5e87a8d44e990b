#pragma once
// A record's value cut into words, as zone files do it (RFC 1035 §5.1): blanks part them, quotes keep blanks, "\X" and
// "\DDD" stand for bytes.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hh"
#include "core/dns/wire.hh"

namespace portolan::geodns {

// As written, quotes and escapes still in them. Error: a quote is left open.
Result<std::vector<std::string_view>> split_words(std::string_view value);
// The bytes of a word, or of a part of one; quotes around or inside it go.
Result<std::string> unescape(std::string_view word);
// A whole number from 0 to `most`, decimal digits and nothing else.
bool read_number(std::string_view word, uint32_t most, uint32_t& out);
// Hexadecimal digits, an even number of them, in any number of words.
Result<std::string> read_hex(const std::vector<std::string_view>& words, size_t first);

Error bad_value(std::string_view value, const std::string& why);

inline void put8(std::string& data, uint32_t v) {
  data += static_cast<char>(v);
}
inline void put16(std::string& data, uint32_t v) {
  data += static_cast<char>(v >> 8);
  data += static_cast<char>(v);
}
// A character-string (RFC 1035 §3.3); at most 255 bytes.
inline void put_string(std::string& data, std::string_view text) {
  data += static_cast<char>(text.size());
  data += text;
}

}  // namespace portolan::geodns
