#include "geodns/rdata_words.hh"

#include <charconv>

namespace portolan::geodns {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Error bad_value(std::string_view value, const std::string& why) {
  return Error{"\"" + std::string(value) + "\": " + why};
}

Result<std::vector<std::string_view>> split_words(std::string_view value) {
  std::vector<std::string_view> words;
  for (size_t i = 0; i < value.size();) {
    if (is_blank(value[i])) {
      i++;
      continue;
    }
    const size_t begin = i;
    bool quoted = false;
    for (; i < value.size() && (quoted || !is_blank(value[i])); i++) {
      if (value[i] == '"') quoted = !quoted;
      if (value[i] == '\\' && i + 1 < value.size()) i++;
    }
    if (quoted) return bad_value(value, "a quote is left open");
    words.push_back(value.substr(begin, i - begin));
  }
  return words;
}

Result<std::string> unescape(std::string_view word) {
  std::string bytes;
  for (size_t i = 0; i < word.size(); i++) {
    char c = word[i];
    if (c == '"') continue;
    if (c == '\\') {
      if (i + 1 == word.size()) return bad_value(word, "a backslash at the end");
      unsigned code = 0;
      const char* digits = word.data() + i + 1;
      if (i + 3 < word.size() && std::from_chars(digits, digits + 3, code).ptr == digits + 3) {
        if (code > 255) return bad_value(word, "an escape over \\255");
        c = static_cast<char>(code);
        i += 3;
      } else {
        c = word[++i];
      }
    }
    bytes += c;
  }
  return bytes;
}

bool read_number(std::string_view word, uint32_t most, uint32_t& out) {
  if (word.empty()) return false;
  const char* end = word.data() + word.size();
  auto [rest, error] = std::from_chars(word.data(), end, out);
  return error == std::errc() && rest == end && out <= most;
}

Result<std::string> read_hex(const std::vector<std::string_view>& words, size_t first) {
  std::string bytes;
  int high = -1;
  for (size_t i = first; i < words.size(); i++)
    for (char c : words[i]) {
      const int digit = hex_digit(c);
      if (digit < 0) return bad_value(words[i], "not hexadecimal");
      if (high < 0) {
        high = digit;
        continue;
      }
      bytes += static_cast<char>(high << 4 | digit);
      high = -1;
    }
  if (high >= 0) return Error{"an odd number of hexadecimal digits"};
  return bytes;
}

}  // namespace portolan::geodns
