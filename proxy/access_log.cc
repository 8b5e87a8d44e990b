#include "proxy/access_log.hh"

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace portolan::proxy {
namespace {

// Bytes that could break the line, or the terminal of whoever reads it, are escaped; UTF-8 passes in JSON.
void escape_json(std::string& out, std::string_view text) {
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f || byte >= 0x80) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
}

void escape_combined(std::string& out, std::string_view text) {
  if (text.empty()) out += '-';
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\' || byte < 0x20 || byte >= 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\x{:02X}", byte);
    } else {
      out += c;
    }
  }
}

void add_text(std::string& out, std::string_view key, std::string_view value) {
  if (value.empty()) return;
  out += ",\"";
  out += key;
  out += "\":\"";
  escape_json(out, value);
  out += '"';
}

void write_json(std::string& out, const LogEntry& e) {
  fmt::format_to(std::back_inserter(out), "{{\"time\":\"{:%Y-%m-%dT%H:%M:%S}.{:03}Z\"",
                 fmt::gmtime(static_cast<time_t>(e.wall_ms / 1000)), e.wall_ms % 1000);
  add_text(out, "client", e.client.to_string());
  add_text(out, "listener", e.listener);
  add_text(out, "method", e.method);
  add_text(out, "host", e.host);
  add_text(out, "target", e.target);
  fmt::format_to(std::back_inserter(out),
                 ",\"protocol\":\"HTTP/1.{}\",\"status\":{},\"bytes\":{},\"duration_ms\":{}.{:03}", e.minor_version,
                 e.status, e.bytes, e.duration_us / 1000, e.duration_us % 1000);
  add_text(out, "route", e.route);
  add_text(out, "pool", e.pool);
  add_text(out, "server", e.server);
  if (e.tries > 1) fmt::format_to(std::back_inserter(out), ",\"tries\":{}", e.tries);
  add_text(out, "cache", e.cache);
  add_text(out, "referer", e.referer);
  add_text(out, "user_agent", e.user_agent);
  add_text(out, "note", e.note);
  out += "}\n";
}

void write_combined(std::string& out, const LogEntry& e) {
  fmt::format_to(std::back_inserter(out), "{} - - [{:%d/%b/%Y:%H:%M:%S} +0000] \"", e.client.to_string(),
                 fmt::gmtime(static_cast<time_t>(e.wall_ms / 1000)));
  escape_combined(out, e.method);
  out += ' ';
  escape_combined(out, e.target);
  fmt::format_to(std::back_inserter(out), " HTTP/1.{}\" {} {} \"", e.minor_version, e.status, e.bytes);
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
