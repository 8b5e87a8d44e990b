// Cache-Status (RFC 9211 §2).
#include <array>
#include <charconv>

#include "core/http/semantics.hh"
#include "edge/cache.hh"
#include "edge/inspect.hh"

namespace portolan::edge {
namespace {

constexpr std::array<bool, 256> token_chars = [] {
  std::array<bool, 256> t{};
  for (char c : std::string_view("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~:/"))
    t[static_cast<uint8_t>(c)] = true;
  return t;
}();

bool is_sf_token(std::string_view text) {
  auto alpha = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (text.empty() || !(alpha(text[0]) || text[0] == '*')) return false;
  for (char c : text)
    if (!token_chars[static_cast<uint8_t>(c)]) return false;
  return true;
}

void append_number(Text& out, std::string_view before, int64_t value) {
  char digits[20];
  out.append(before).append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

}  // namespace

std::string_view token_of(Forward f) {
  switch (f) {
    case Forward::none:
      return "";
    case Forward::bypass:
      return "bypass";
    case Forward::method:
      return "method";
    case Forward::uri_miss:
      return "uri-miss";
    case Forward::vary_miss:
      return "vary-miss";
    case Forward::request:
      return "request";
    case Forward::stale:
      return "stale";
    case Forward::partial:
      return "partial";
  }
  return "";
}

Text cache_status(std::string_view name, const StatusNote& note) {
  Text out;
  out.reserve(name.size() + 64);
  if (is_sf_token(name)) {
    out = name;
  } else {
    std::string quoted;
    http::append_sf_string(quoted, name);
    out.append(quoted);
  }
  if (note.outcome == Outcome::hit) {
    out += "; hit";
  } else {
    Forward forward = note.forward == Forward::none ? Forward::bypass : note.forward;
    if (note.outcome != Outcome::only_if_cached_miss) out.append("; fwd=").append(token_of(forward));
    if (note.forward_status) append_number(out, "; fwd-status=", note.forward_status);
  }
  if (note.ttl_s) append_number(out, "; ttl=", *note.ttl_s);
  if (note.stored) out += "; stored";
  if (note.collapsed) out += "; collapsed";
  if (note.outcome == Outcome::only_if_cached_miss) out += "; detail=only-if-cached";
  if (note.detail) out.append("; detail=").append(note.detail);
  return out;
}

}  // namespace portolan::edge
