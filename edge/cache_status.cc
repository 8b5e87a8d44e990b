// Cache-Status (RFC 9211 §2).
#include <fmt/format.h>

#include <algorithm>

#include "core/http/semantics.hh"
#include "edge/cache.hh"

namespace portolan::edge {
namespace {

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

bool is_sf_token(std::string_view text) {
  auto alpha = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (text.empty() || !(alpha(text[0]) || text[0] == '*')) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return alpha(c) || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~:/").find(c) != std::string_view::npos;
  });
}

}  // namespace

std::string cache_status(std::string_view name, const StatusNote& note) {
  std::string out;
  if (is_sf_token(name)) {
    out = name;
  } else {
    http::append_sf_string(out, name);
  }
  if (note.outcome == Outcome::hit) {
    out += "; hit";
  } else {
    Forward forward = note.forward == Forward::none ? Forward::bypass : note.forward;
    if (note.outcome != Outcome::only_if_cached_miss) out.append("; fwd=").append(token_of(forward));
    if (note.forward_status) fmt::format_to(std::back_inserter(out), "; fwd-status={}", note.forward_status);
  }
  if (note.ttl_s) fmt::format_to(std::back_inserter(out), "; ttl={}", *note.ttl_s);
  if (note.stored) out += "; stored";
  if (note.collapsed) out += "; collapsed";
  if (note.outcome == Outcome::only_if_cached_miss) out += "; detail=only-if-cached";
  if (note.detail) out.append("; detail=").append(note.detail);
  return out;
}

}  // namespace portolan::edge
