#include "proxy/request_target.hh"

#include <algorithm>
#include <array>

namespace portolan::proxy {
namespace {

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = static_cast<char>(c | 32);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Of application/x-www-form-urlencoded. A % that begins no escape stays what it is.
std::string_view decode(std::string_view text, Text& out) {
  if (text.find_first_of("%+") == std::string_view::npos) return text;
  out.clear();
  for (size_t i = 0; i < text.size(); ++i) {
    bool escape = text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0;
    out += escape ? static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2])) : text[i] == '+' ? ' ' : text[i];
    if (escape) i += 2;
  }
  return out;
}

// What a path may be written with that readers don't all take for the same.
constexpr std::array<bool, 256> ambiguous = [] {
  std::array<bool, 256> t{};
  for (char c : {'%', '\\', ';'}) t[static_cast<uint8_t>(c)] = true;
  return t;
}();

// A path that can be written and read in one way only, as nearly all are: no escapes, no backslashes, no parameters, no
// empty segments and none that begin with a dot.
bool is_plain(std::string_view path) {
  char before = '/';
  if (path.starts_with('/')) path.remove_prefix(1);
  for (char c : path) {
    if (ambiguous[static_cast<uint8_t>(c)] || (before == '/' && (c == '/' || c == '.'))) return false;
    before = c;
  }
  return true;
}

// Servers of Java end a segment at its ';' (RFC 3986 §3.3) before they look at it.
bool has_parent_segment(std::string_view path) {
  for (size_t at = path.find(".."); at != std::string_view::npos; at = path.find("..", at + 1)) {
    bool begins = at == 0 || path[at - 1] == '/';
    bool ends = at + 2 == path.size() || path[at + 2] == '/' || path[at + 2] == ';';
    if (begins && ends) return true;
  }
  return false;
}

// The character an escape at `at` stands for; -1: there is none.
int escaped(std::string_view text, size_t at) {
  if (text[at] != '%' || at + 2 >= text.size()) return -1;
  int high = hex(text[at + 1]), low = hex(text[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool unreserved(int c) {
  return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '-' || c == '.' || c == '_' || c == '~';
}

}  // namespace

bool climbs(std::string_view path) {
  if (is_plain(path)) return false;
  Text read;
  for (size_t i = 0; i < path.size(); ++i) {
    int c = escaped(path, i);
    if (c >= 0) i += 2;
    if (c < 0) c = static_cast<unsigned char>(path[i]);
    read.push_back(c == '\\' ? '/' : static_cast<char>(c));
  }
  return has_parent_segment(read);
}

std::string_view normal_path(std::string_view path, Text& storage) {
  if (is_plain(path)) return path;
  storage.clear();
  for (size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    if (c == ';') {
      i = std::min(path.find('/', i), path.size()) - 1;
      continue;
    }
    if (int e = escaped(path, i); e >= 0 && unreserved(e)) {
      c = static_cast<char>(e);
      i += 2;
    }
    bool dot = storage.ends_with("/.");
    if (c == '/' && dot) storage.pop_back();
    if (c == '/' && storage.ends_with('/')) continue;
    storage.push_back(c);
  }
  if (storage.ends_with("/.")) storage.pop_back();
  return storage;
}

std::optional<std::string_view> query_parameter(std::string_view query, std::string_view name, Text& decoded) {
  while (!query.empty()) {
    std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    size_t equals = std::min(pair.find('='), pair.size());
    if (decode(pair.substr(0, equals), decoded) != name) continue;
    return decode(pair.substr(std::min(equals + 1, pair.size())), decoded);
  }
  return std::nullopt;
}

std::string https_target(std::string_view host, const http::RequestHead& head) {
  std::string target = "https://" + std::string(host).append(head.path);
  if (head.has_query) target.append("?").append(head.query);
  return target;
}

}  // namespace portolan::proxy
