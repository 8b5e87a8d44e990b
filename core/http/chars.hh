#pragma once
// Character classes of RFC 9110 §5.6.2, RFC 9112 §3 and RFC 3986 as one table of bits, and tests over 8 or 16 bytes at
// once.
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

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

// How many of the first bytes are letters, digits or '-', which field names nearly always are, as far as that shows sixteen
// at a time: what it stops at may still be one.
inline size_t span_of_usual_name([[maybe_unused]] const char* text, [[maybe_unused]] size_t size) {
  size_t n = 0;
#ifdef __SSE2__
  auto all = [](char c) { return _mm_set1_epi8(c); };
  // Both ends of a range at once: what is below wraps around to the top.
  auto within = [&](__m128i b, char first, char last) {
    __m128i from = _mm_sub_epi8(b, all(first)), width = all(static_cast<char>(last - first));
    return _mm_cmpeq_epi8(_mm_min_epu8(from, width), from);
  };
  for (; n + 16 <= size; n += 16) {
    __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text + n));
    __m128i usual = _mm_or_si128(within(_mm_or_si128(b, all(0x20)), 'a', 'z'),
                                 _mm_or_si128(within(b, '0', '9'), _mm_cmpeq_epi8(b, all('-'))));
    if (int odd = ~_mm_movemask_epi8(usual) & 0xffff) return n + static_cast<size_t>(__builtin_ctz(odd));
  }
#endif
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

// Writes A to Z in lower case where they stand, eight bytes at a time, up to `end` or the first `stop`; returns where that is.
inline char* lower_until(char* text, char* end, char stop) {
  constexpr uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;
  for (; end - text >= 8; text += 8) {
    uint64_t w;
    std::memcpy(&w, text, 8);
    uint64_t other = w ^ (ones * static_cast<uint8_t>(stop));
    uint64_t stops = (other - ones) & ~other & highs;
    uint64_t low = w & ~highs;
    uint64_t upper = ((low + ones * (0x80 - 'A')) ^ (low + ones * (0x7f - 'Z'))) & ~w & highs;
    if (stops == 0) {
      w |= upper >> 2;
      std::memcpy(text, &w, 8);
      continue;
    }
    uint64_t before = (stops & -stops) - 1;
    w |= (upper & before) >> 2;
    std::memcpy(text, &w, 8);
    return text + __builtin_ctzll(stops) / 8;
  }
  for (; text < end && *text != stop; ++text) *text = lower(*text);
  return text;
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

// How many of the first bytes may stand in a field value; sixteen or eight at a time.
inline size_t span_of_value(const char* text, size_t size) {
  constexpr uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;
  size_t n = 0;
#ifdef __SSE2__
  auto all = [](char c) { return _mm_set1_epi8(c); };
  for (; n + 16 <= size; n += 16) {
    __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text + n));
    __m128i printed = _mm_andnot_si128(_mm_cmpeq_epi8(b, all(0x7f)), _mm_cmpeq_epi8(_mm_max_epu8(b, all(0x20)), b));
    __m128i good = _mm_or_si128(printed, _mm_cmpeq_epi8(b, all('\t')));
    if (int odd = ~_mm_movemask_epi8(good) & 0xffff) return n + static_cast<size_t>(__builtin_ctz(odd));
  }
#endif
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
