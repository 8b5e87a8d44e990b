#include "proxy/access_log.hh"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <charconv>

namespace portolan::proxy {
namespace {

// Bytes that could break the line, or the terminal of whoever reads it, are escaped.
constexpr std::array<bool, 256> plain = [] {
  std::array<bool, 256> t{};
  for (size_t c = 0x20; c < 0x7f; ++c) t[c] = c != '"' && c != '\\';
  return t;
}();

// Appends `text`, whose plain stretches are copied as they are; `escape` writes the other bytes.
template <class Escape>
void append_escaped(std::string& out, std::string_view text, Escape escape) {
  size_t from = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    auto byte = static_cast<unsigned char>(text[i]);
    if (plain[byte]) continue;
    out.append(text.substr(from, i - from));
    escape(byte);
    from = i + 1;
  }
  out.append(text.substr(from));
}

void escape_json(std::string& out, std::string_view text) {
  append_escaped(out, text, [&out](unsigned char byte) {
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += static_cast<char>(byte);
    } else {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
    }
  });
}

void escape_combined(std::string& out, std::string_view text) {
  if (text.empty()) out += '-';
  append_escaped(out, text, [&out](unsigned char byte) { fmt::format_to(std::back_inserter(out), "\\x{:02X}", byte); });
}

void add_number(std::string& out, std::string_view before, uint64_t value) {
  char digits[20];
  out.append(before).append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

// `before` is the key with all that stands around it: `,"key":"`.
void add_text(std::string& out, std::string_view before, std::string_view value) {
  if (value.empty()) return;
  out.append(before);
  escape_json(out, value);
  out += '"';
}

void add_address(std::string& out, const IpAddress& address) {
  char text[IpAddress::text_capacity];
  out.append(text, address.print(text));
}

// ".007", the thousandths of a second or a millisecond.
void add_thousandths(std::string& out, int64_t value) {
  auto v = static_cast<unsigned>(value % 1000);
  const char text[] = {'.', static_cast<char>('0' + v / 100), static_cast<char>('0' + v / 10 % 10),
                       static_cast<char>('0' + v % 10)};
  out.append(text, sizeof text);
}

// A time by the second, made anew when the second changes.
template <size_t Form>
std::string_view second_as_text(int64_t wall_ms, const char* form) {
  thread_local int64_t second = -1;
  thread_local std::string text;
  if (int64_t now = wall_ms / 1000; now != second) {
    second = now;
    text = fmt::format(fmt::runtime(form), fmt::gmtime(static_cast<time_t>(now)));
  }
  return text;
}

void write_json(std::string& out, const LogEntry& e) {
  out.append("{\"time\":\"").append(second_as_text<0>(e.wall_ms, "{:%Y-%m-%dT%H:%M:%S}"));
  add_thousandths(out, e.wall_ms);
  out.append("Z\",\"client\":\"");
  add_address(out, e.client);
  out.append("\"");
  add_text(out, ",\"listener\":\"", e.listener);
  add_text(out, ",\"method\":\"", e.method);
  add_text(out, ",\"host\":\"", e.host);
  add_text(out, ",\"target\":\"", e.target);
  out.append(e.minor_version == 1 ? ",\"protocol\":\"HTTP/1.1\"" : ",\"protocol\":\"HTTP/1.0\"");
  add_number(out, ",\"status\":", static_cast<uint64_t>(e.status));
  add_number(out, ",\"bytes\":", e.bytes);
  add_number(out, ",\"duration_ms\":", static_cast<uint64_t>(e.duration_us / 1000));
  add_thousandths(out, e.duration_us);
  add_text(out, ",\"route\":\"", e.route);
  add_text(out, ",\"pool\":\"", e.pool);
  add_text(out, ",\"server\":\"", e.server);
  if (e.tries > 1) add_number(out, ",\"tries\":", static_cast<uint64_t>(e.tries));
  add_text(out, ",\"cache\":\"", e.cache);
  add_text(out, ",\"referer\":\"", e.referer);
  add_text(out, ",\"user_agent\":\"", e.user_agent);
  add_text(out, ",\"note\":\"", e.note);
  out += "}\n";
}

void write_combined(std::string& out, const LogEntry& e) {
  add_address(out, e.client);
  out.append(" - - [").append(second_as_text<1>(e.wall_ms, "{:%d/%b/%Y:%H:%M:%S}")).append(" +0000] \"");
  escape_combined(out, e.method);
  out += ' ';
  escape_combined(out, e.target);
  out.append(e.minor_version == 1 ? " HTTP/1.1" : " HTTP/1.0");
  add_number(out, "\" ", static_cast<uint64_t>(e.status));
  add_number(out, " ", e.bytes);
  out += " \"";
  escape_combined(out, e.referer);
  out += "\" \"";
  escape_combined(out, e.user_agent);
  out += "\"\n";
}

}  // namespace

void write_log_line(std::string& out, const LogEntry& entry, LogFormat format) {
  if (format == LogFormat::json) return write_json(out, entry);
  write_combined(out, entry);
}

}  // namespace portolan::proxy
