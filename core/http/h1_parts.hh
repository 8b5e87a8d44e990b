#pragma once
// What the request, response and trailer parsers share; internal to core/http. Every function takes
// bytes in order and its answer depends on the bytes alone, never on how they were split over
// calls.
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/http/message.hh"

namespace portolan::http::h1 {

struct Failure {
  int status = 0;  // 0: none
  const char* reason = "";
  explicit operator bool() const { return status != 0; }
};

struct FieldLimits {
  size_t bytes;  // of the section, counted from in's first byte
  size_t count;
  bool refuse_underscores;
};

enum class Scan : uint8_t { more, done, failed };

// Reads whole field lines from in[line_start…] into `fields` until the empty line; `scanned`
// remembers how far LF was looked for. On done, line_start is just past the empty line.
Scan scan_fields(std::string_view in, const FieldLimits& limits, size_t& scanned, size_t& line_start, Fields& fields,
                 Failure& failure);

// The bytes a view was made over have moved: from address `old_base` to `new_base`.
void rebase(std::string_view& view, const char* old_base, const char* new_base);
void rebase(Fields& fields, const char* old_base, const char* new_base);

// What the framing and connection fields of a head say, from one pass over them.
struct HeadFacts {
  bool has_length = false;
  bool has_transfer_encoding = false;
  bool has_host = false;
  bool expect_continue = false;
  bool close = false;       // Connection: close
  bool keep_alive = false;  // Connection: keep-alive
  uint64_t content_length = 0;
  std::string_view host;
};
Failure read_facts(const Fields& fields, int minor_version, HeadFacts& facts);

// Digits only, at most 2^63-1 (RFC 9112 §6.3).
std::optional<uint64_t> parse_content_length(std::string_view text);

// RFC 3986 host [":" port] without userinfo; never empty.
struct Authority {
  std::string_view host;  // with the brackets of an IPv6 literal
  std::string_view port;  // digits; may be empty
};
std::optional<Authority> parse_authority(std::string_view text);
// Same host and port, ignoring case; an absent port is that of the scheme.
bool same_authority(const Authority& a, const Authority& b, bool https);

}  // namespace portolan::http::h1
