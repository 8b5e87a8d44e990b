#pragma once
// Character classes of RFC 9110 §5.6.2, RFC 9112 §3 and RFC 3986 as one table of bits, and SWAR
// tests over 8 bytes.
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace portolan::http {

enum CharClass : uint8_t {
  char_token = 1,   // tchar
  char_target = 2,  // 0x21-0x7e but '#'
  char_value = 4,   // HTAB, 0x20-0x7e, 0x80-0xff
  char_host = 8,    // reg-name without '%' and without ','
  char_digit = 16,
  char_hex = 32,
  char_alpha = 64,
};

inline constexpr std::array<uint8_t, 256> char_classes = [] {
  std::array<uint8_t, 256> t{};
  auto mark = [&t](std::string_view set, uint8_t bit) {
    for (char c : set) t[static_cast<uint8_t>(c)] |= bit;
  };
  for (int c = 0; c < 256; ++c) {
    uint8_t bits = 0;
    bool digit = c >= '0' && c <= '9';
    bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (digit) bits |= char_digit | char_hex;
    if (alpha) bits |= char_alpha;
    if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) bits |= char_hex;
    if (digit || alpha) bits |= char_token | char_host;
    if (c > 0x20 && c < 0x7f && c != '#') bits |= char_target;
    if (c == '\t' || (c >= 0x20 && c != 0x7f)) bits |= char_value;
    t[static_cast<size_t>(c)] = bits;
  }
  mark("!#$%&'*+-.^_`|~", char_token);
  mark("-._~!$&'()*+;=", char_host);
  return t;
}();

inline constexpr std::array<uint8_t, 256> lower_table = [] {
  std::array<uint8_t, 256> t{};
  for (int c = 0; c < 256; ++c) {
    t[static_cast<size_t>(c)] = static_cast<uint8_t>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  }
  return t;
}();

inline bool is_class(char c, uint8_t bits) {
  return char_classes[static_cast<uint8_t>(c)] & bits;
}
inline constexpr char lower(char c) {
  return static_cast<char>(lower_table[static_cast<uint8_t>(c)]);
}

// Value of a hexadecimal digit, or -1.
inline int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  char l = static_cast<char>(c | 0x20);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

// How many of the first bytes are of a class.
inline size_t span_of_class(const char* text, size_t size, uint8_t bits) {
  size_t n = 0;
  while (n < size && is_class(text[n], bits)) ++n;
  return n;
}

// span_of_class(char_target), eight bytes at a time.
inline size_t span_of_target(const char* text, size_t size) {
  constexpr uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;
  size_t n = 0;
  for (; n + 8 <= size; n += 8) {
    uint64_t w;
    std::memcpy(&w, text + n, 8);
    uint64_t hash = w ^ (ones * '#'), del = w ^ (ones * 0x7f);
    uint64_t odd = ((w - ones * 0x21) & ~w) | ((hash - ones) & ~hash) | ((del - ones) & ~del) | w;
    if (odd & highs) break;
  }
  return n + span_of_class(text + n, size - n, char_target);
}

inline bool all_of_class(std::string_view text, uint8_t bits) {
  for (char c : text) {
    if (!is_class(c, bits)) return false;
  }
  return true;
}

inline bool is_token(std::string_view text) {
  return !text.empty() && all_of_class(text, char_token);
}

// How many of the first bytes may stand in a field value; eight at a time.
inline size_t span_of_value(const char* text, size_t size) {
  constexpr uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;
  size_t n = 0;
  for (; n + 8 <= size; n += 8) {
    uint64_t w;
    std::memcpy(&w, text + n, 8);
    uint64_t del = w ^ (ones * 0x7f);
    uint64_t odd = (((w - ones * 0x20) & ~w) | ((del - ones) & ~del)) & highs;
    if (odd == 0) continue;
    size_t plain = span_of_class(text + n, 8, char_value);  // a HTAB is odd, and may stand there
    if (plain < 8) return n + plain;
  }
  return n + span_of_class(text + n, size - n, char_value);
}

// True when every byte may stand in a field value.
inline bool is_field_value(std::string_view text) {
  return span_of_value(text.data(), text.size()) == text.size();
}

inline std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace portolan::http
