#include "proxy/access_log.hh"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstring>

namespace portolan::proxy {
namespace {

// Bytes that could break the line, or the terminal of whoever reads it, are escaped.
constexpr std::array<bool, 256> plain = [] {
  std::array<bool, 256> t{};
  for (size_t c = 0x20; c < 0x7f; ++c) t[c] = c != '"' && c != '\\';
  return t;
}();

// How many of the first bytes are plain; eight at a time.
size_t span_of_plain(const char* text, size_t size) {
  constexpr uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;
  size_t n = 0;
  for (; n + 8 <= size; n += 8) {
    uint64_t w;
    std::memcpy(&w, text + n, 8);
    uint64_t quote = w ^ (ones * '"'), slash = w ^ (ones * '\\'), del = w ^ (ones * 0x7f);
    uint64_t odd =
        ((w - ones * 0x20) & ~w) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((del - ones) & ~del) | w;
    if (odd & highs) break;
  }
  while (n < size && plain[static_cast<uint8_t>(text[n])]) ++n;
  return n;
}

// Appends `text`, whose plain stretches are copied as they are; `escape` writes the other bytes.
template <class Escape>
void append_escaped(BlockWriter& out, std::string_view text, Escape escape) {
  for (;;) {
    size_t n = span_of_plain(text.data(), text.size());
    out.append(text.substr(0, n));
    if (n == text.size()) return;
    escape(static_cast<uint8_t>(text[n]));
    text.remove_prefix(n + 1);
  }
}

void append_hex(BlockWriter& out, std::string_view before, uint8_t byte, std::string_view digits) {
  out.append(before);
  out.append(digits[byte >> 4]);
  out.append(digits[byte & 15]);
}

void escape_json(BlockWriter& out, std::string_view text) {
  append_escaped(out, text, [&out](uint8_t byte) {
    if (byte == '"' || byte == '\\') {
      out.append('\\');
      out.append(static_cast<char>(byte));
    } else {
      append_hex(out, "\\u00", byte, "0123456789abcdef");
    }
  });
}

void escape_combined(BlockWriter& out, std::string_view text) {
  if (text.empty()) out.append('-');
  append_escaped(out, text, [&out](uint8_t byte) { append_hex(out, "\\x", byte, "0123456789ABCDEF"); });
}

void add_number(BlockWriter& out, std::string_view before, uint64_t value) {
  char* to = out.room(before.size() + 20);
  char* end = std::to_chars(copy_short(to, before), to + before.size() + 20, value).ptr;
  out.advance(static_cast<size_t>(end - to));
}

// `before` is the key with all that stands around it: `,"key":"`.
void add_text(BlockWriter& out, std::string_view before, std::string_view value) {
  if (value.empty()) return;
  out.append(before);
  escape_json(out, value);
  out.append('"');
}

void add_address(BlockWriter& out, const IpAddress& address) {
  out.advance(address.print(out.room(IpAddress::text_capacity)));
}

// ".007", the thousandths of a second or a millisecond.
void add_thousandths(BlockWriter& out, int64_t value) {
  auto v = static_cast<unsigned>(value % 1000);
  const char text[] = {'.', static_cast<char>('0' + v / 100), static_cast<char>('0' + v / 10 % 10),
                       static_cast<char>('0' + v % 10)};
  out.append({text, sizeof text});
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

void write_json(BlockWriter& out, const LogEntry& e) {
  out.append("{\"time\":\"");
  out.append(second_as_text<0>(e.wall_ms, "{:%Y-%m-%dT%H:%M:%S}"));
  add_thousandths(out, e.wall_ms);
  out.append("Z\",\"client\":\"");
  add_address(out, e.client);
  out.append("\"");
  add_text(out, ",\"user\":\"", e.user);
  add_text(out, ",\"listener\":\"", e.listener);
  add_text(out, ",\"method\":\"", e.method);
  add_text(out, ",\"host\":\"", e.host);
  add_text(out, ",\"target\":\"", e.target);
  out.append(",\"protocol\":\"");
  out.append(e.protocol);
  out.append('"');
  add_text(out, ",\"tls\":\"", e.tls);
  add_number(out, ",\"status\":", static_cast<uint64_t>(e.status));
  add_text(out, ",\"grpc_status\":\"", e.grpc_status);
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
  out.append("}\n");
}

void write_combined(BlockWriter& out, const LogEntry& e) {
  add_address(out, e.client);
  out.append(" - ");
  escape_combined(out, e.user);
  out.append(" [");
  out.append(second_as_text<1>(e.wall_ms, "{:%d/%b/%Y:%H:%M:%S}"));
  out.append(" +0000] \"");
  escape_combined(out, e.method);
  out.append(' ');
  escape_combined(out, e.target);
  out.append(' ');
  out.append(e.protocol);
  add_number(out, "\" ", static_cast<uint64_t>(e.status));
  add_number(out, " ", e.bytes);
  out.append(" \"");
  escape_combined(out, e.referer);
  out.append("\" \"");
  escape_combined(out, e.user_agent);
  out.append("\"\n");
}

}  // namespace

void write_log_line(BlockWriter& out, const LogEntry& entry, LogFormat format) {
  if (format == LogFormat::json) return write_json(out, entry);
  write_combined(out, entry);
}

}  // namespace portolan::proxy
