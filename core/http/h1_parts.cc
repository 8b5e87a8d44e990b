#include "core/http/h1_parts.hh"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "core/http/chars.hh"

namespace portolan::http::h1 {
namespace {

constexpr uint64_t largest_length = (uint64_t{1} << 63) - 1;

// `line` is without its CRLF and not empty.
const char* parse_field_line(std::string_view line, bool refuse_underscores, Field& field) {
  size_t n = span_of_class(line.data(), line.size(), char_token);
  if (n == 0) {
    return line[0] == ' ' || line[0] == '\t' ? "line folding" : "bad field name";
  }
  if (n == line.size()) return "field line without a colon";
  if (line[n] != ':') return "bad character in a field name";
  field.name = line.substr(0, n);
  if (refuse_underscores && field.name.find('_') != std::string_view::npos) return "underscore in a field name";
  field.value = trim(line.substr(n + 1));
  if (!is_field_value(field.value)) return "control character in a field value";
  field.id = field_id(field.name);
  return nullptr;
}

// A whole, faultless field line in one pass; the bytes it took with its CRLF, or 0: something is odd or missing.
size_t read_usual_line(std::string_view in, bool refuse_underscores, Field& field) {
  size_t colon = span_of_usual_name(in.data(), in.size());
  bool usual = colon < in.size() && in[colon] == ':';
  if (!usual) colon += span_of_class(in.data() + colon, in.size() - colon, char_token);
  if (colon == 0 || colon >= in.size() || in[colon] != ':') return 0;
  std::string_view rest = in.substr(colon + 1);
  while (!rest.empty() && (rest[0] == ' ' || rest[0] == '\t')) rest.remove_prefix(1);
  size_t size = span_of_value(rest.data(), rest.size());
  if (rest.size() - size < 2 || rest[size] != '\r' || rest[size + 1] != '\n') return 0;
  field.name = in.substr(0, colon);
  if (refuse_underscores && !usual && field.name.find('_') != std::string_view::npos) return 0;
  field.value = trim(rest.substr(0, size));
  field.id = field_id(field.name);
  return static_cast<size_t>(rest.data() + size + 2 - in.data());
}

// Transfer-Encoding is one "chunked" and nothing else; `text` is known not to be that.
Failure judge_transfer_encoding(std::string_view text) {
  bool chunked = false;
  for (;;) {
    size_t comma = text.find(',');
    std::string_view coding = trim(text.substr(0, comma));
    std::string_view name = trim(coding.substr(0, coding.find(';')));
    if (!is_token(name)) return {400, "malformed Transfer-Encoding"};
    if (chunked) return {400, "chunked is not the last transfer coding"};
    chunked = equal_ignoring_case(name, "chunked");
    if (chunked && name.size() != coding.size()) return {400, "parameters on the chunked coding"};
    if (comma == std::string_view::npos) return {501, "unknown transfer coding"};
    text.remove_prefix(comma + 1);
  }
}

void read_connection(std::string_view value, HeadFacts& facts) {
  for (;;) {
    size_t comma = value.find(',');
    std::string_view option = trim(value.substr(0, comma));
    if (equal_ignoring_case(option, "close")) facts.close = true;
    if (equal_ignoring_case(option, "keep-alive")) facts.keep_alive = true;
    if (comma == std::string_view::npos) return;
    value.remove_prefix(comma + 1);
  }
}

bool is_ipv6(std::string_view text) {
  char copy[INET6_ADDRSTRLEN];
  if (text.size() >= sizeof copy) return false;
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = 0;
  in6_addr address;
  return inet_pton(AF_INET6, copy, &address) == 1;
}

// With no empty label: what such a name is to its one reader it isn't to another. One final dot is good.
bool is_reg_name(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '.' && (i == 0 || text[i - 1] == '.')) return false;
    if (is_class(text[i], char_host)) continue;
    bool escaped =
        text[i] == '%' && text.size() - i > 2 && is_class(text[i + 1], char_hex) && is_class(text[i + 2], char_hex);
    if (!escaped) return false;
    i += 2;
  }
  return !text.empty();
}

int port_number(std::string_view digits, int fallback) {
  if (digits.empty()) return fallback;
  int value = 0;
  for (char c : digits) {
    value = value * 10 + (c - '0');
    if (value > 65535) return -1;
  }
  return value;
}

}  // namespace

Scan scan_fields(std::string_view in, const FieldLimits& limits, size_t& scanned, size_t& line_start, Fields& fields,
                 Failure& failure) {
  const size_t window = std::min(in.size(), limits.bytes);
  auto fail = [&failure](int status, const char* reason) {
    failure = {status, reason};
    return Scan::failed;
  };
  while (scanned < window) {
    if (scanned == line_start && in[scanned] != '\r' && fields.size() < limits.count) {
      Field field;
      if (size_t n = read_usual_line(in.substr(scanned, window - scanned), limits.refuse_underscores, field)) {
        fields.add(field);
        line_start = scanned += n;
        continue;
      }
    }
    auto* lf = static_cast<const char*>(std::memchr(in.data() + scanned, '\n', window - scanned));
    if (!lf) break;
    size_t end = static_cast<size_t>(lf - in.data());
    std::string_view line = in.substr(line_start, end - line_start);
    if (line.empty() || line.back() != '\r') return fail(400, "line ended by a bare LF");
    line.remove_suffix(1);
    line_start = scanned = end + 1;
    if (line.empty()) return Scan::done;
    if (fields.size() >= limits.count) return fail(431, "too many fields");
    Field field;
    if (const char* reason = parse_field_line(line, limits.refuse_underscores, field)) return fail(400, reason);
    fields.add(field);
  }
  scanned = window;
  if (in.size() > limits.bytes) return fail(431, "fields too large");
  return Scan::more;
}

void rebase(std::string_view& view, const char* old_base, const char* new_base) {
  auto offset = reinterpret_cast<uintptr_t>(view.data()) - reinterpret_cast<uintptr_t>(old_base);
  view = {new_base + offset, view.size()};
}

void rebase(Fields& fields, const char* old_base, const char* new_base) {
  for (Field& f : fields.list()) {
    rebase(f.name, old_base, new_base);
    rebase(f.value, old_base, new_base);
  }
}

Failure read_facts(const Fields& fields, int minor_version, HeadFacts& facts) {
  std::string_view coding;
  for (const Field& f : fields) {
    switch (f.id) {
      case FieldId::host:
        if (facts.has_host) return {400, "several Host fields"};
        facts.has_host = true;
        facts.host = f.value;
        break;
      case FieldId::content_length: {
        if (facts.has_length) return {400, "several Content-Length fields"};
        auto length = parse_content_length(f.value);
        if (!length) return {400, "bad Content-Length"};
        facts.has_length = true;
        facts.content_length = *length;
        break;
      }
      case FieldId::transfer_encoding:
        if (facts.has_transfer_encoding) return {400, "several Transfer-Encoding fields"};
        facts.has_transfer_encoding = true;
        coding = f.value;
        break;
      case FieldId::connection:
        read_connection(f.value, facts);
        break;
      case FieldId::expect:
        if (equal_ignoring_case(f.value, "100-continue")) facts.expect_continue = true;
        break;
      default:
        break;
    }
  }
  if (!facts.has_transfer_encoding) return {};
  if (facts.has_length) return {400, "Content-Length and Transfer-Encoding together"};
  if (minor_version == 0) return {400, "Transfer-Encoding in HTTP/1.0"};
  if (!equal_ignoring_case(coding, "chunked")) return judge_transfer_encoding(coding);
  return {};
}

std::optional<uint64_t> parse_content_length(std::string_view text) {
  if (text.empty()) return std::nullopt;
  uint64_t value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    auto digit = static_cast<uint64_t>(c - '0');
    if (value > (largest_length - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  return value;
}

std::optional<Authority> parse_authority(std::string_view text) {
  Authority a;
  size_t host_size;
  if (!text.empty() && text[0] == '[') {
    size_t close = text.find(']');
    if (close == std::string_view::npos || !is_ipv6(text.substr(1, close - 1))) return std::nullopt;
    host_size = close + 1;
  } else {
    host_size = std::min(text.find(':'), text.size());
    std::string_view name = text.substr(0, host_size);
    if (!is_reg_name(name)) return std::nullopt;
  }
  a.host = text.substr(0, host_size);
  text.remove_prefix(host_size);
  if (text.empty()) return a;
  if (text[0] != ':') return std::nullopt;
  a.port = text.substr(1);
  if (!all_of_class(a.port, char_digit) || port_number(a.port, 0) < 0) return std::nullopt;
  return a;
}

bool same_authority(const Authority& a, const Authority& b, bool https) {
  int fallback = https ? 443 : 80;
  return equal_ignoring_case(a.host, b.host) && port_number(a.port, fallback) == port_number(b.port, fallback);
}

}  // namespace portolan::http::h1
