#pragma once
// Structured Fields (RFC 9651 §4.2; what RFC 8941 allows is a part of it). All or nothing: a value with one fault is no
// value. Parameters must be well-formed and are dropped: nobody here gives them a meaning. Pure functions; the lines of a
// field are joined by ", " first; more than 1024 members are none.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace portolan::http {

struct SfItem {
  enum class Type : uint8_t { integer, decimal, string, token, bytes, boolean, date, display, list };
  Type type = Type::boolean;
  bool boolean = true;
  int64_t integer = 0;  // of integer and date (seconds); of decimal in thousandths
  std::string text;     // of string and display unescaped, of token as it stands, of bytes decoded
  // Of list: what stands in the parentheses, never lists themselves.
  std::vector<SfItem> items;
};

struct SfMember {
  std::string key;
  SfItem value;  // a key alone is true
};
using SfDictionary = std::vector<SfMember>;

// In the order in which the keys came first; of a key that comes twice the last value counts. An empty value is an empty
// dictionary or list.
std::optional<SfDictionary> parse_sf_dictionary(std::string_view text);
std::optional<std::vector<SfItem>> parse_sf_list(std::string_view text);

}  // namespace portolan::http
