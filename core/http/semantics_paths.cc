#include <algorithm>

#include "core/http/chars.hh"
#include "core/http/semantics.hh"

namespace portolan::http {
namespace {

struct TypeName {
  std::string_view extension, type;
};
// Sorted by extension.
constexpr TypeName type_names[] = {
    {"7z", "application/x-7z-compressed"},
    {"aac", "audio/aac"},
    {"apng", "image/apng"},
    {"atom", "application/atom+xml"},
    {"avif", "image/avif"},
    {"bmp", "image/bmp"},
    {"bz2", "application/x-bzip2"},
    {"css", "text/css; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"eot", "application/vnd.ms-fontobject"},
    {"epub", "application/epub+zip"},
    {"flac", "audio/flac"},
    {"gif", "image/gif"},
    {"gz", "application/gzip"},
    {"htm", "text/html; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"ico", "image/x-icon"},
    {"ics", "text/calendar; charset=utf-8"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"jxl", "image/jxl"},
    {"m3u8", "application/vnd.apple.mpegurl"},
    {"m4a", "audio/mp4"},
    {"m4s", "video/iso.segment"},
    {"m4v", "video/mp4"},
    {"map", "application/json"},
    {"md", "text/markdown; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"mov", "video/quicktime"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"mpd", "application/dash+xml"},
    {"mpeg", "video/mpeg"},
    {"oga", "audio/ogg"},
    {"ogg", "audio/ogg"},
    {"ogv", "video/ogg"},
    {"opus", "audio/ogg"},
    {"otf", "font/otf"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"rss", "application/rss+xml"},
    {"svg", "image/svg+xml"},
    {"tar", "application/x-tar"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"toml", "application/toml"},
    {"ts", "video/mp2t"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain; charset=utf-8"},
    {"vtt", "text/vtt; charset=utf-8"},
    {"wasm", "application/wasm"},
    {"wav", "audio/wav"},
    {"weba", "audio/webm"},
    {"webm", "video/webm"},
    {"webmanifest", "application/manifest+json"},
    {"webp", "image/webp"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"xhtml", "application/xhtml+xml"},
    {"xml", "application/xml"},
    {"xz", "application/x-xz"},
    {"yaml", "application/yaml"},
    {"yml", "application/yaml"},
    {"zip", "application/zip"},
    {"zst", "application/zstd"},
};
static_assert(std::is_sorted(std::begin(type_names), std::end(type_names),
                             [](const TypeName& a, const TypeName& b) { return a.extension < b.extension; }));
constexpr size_t longest_extension = 11;

// The byte at text[at] with its escape undone; `at` moves past it. -1: a malformed escape.
int take_byte(std::string_view text, size_t& at) {
  if (text[at] != '%') return static_cast<uint8_t>(text[at++]);
  if (text.size() - at < 3) return -1;
  int high = hex_value(text[at + 1]), low = hex_value(text[at + 2]);
  at += 3;
  return high < 0 || low < 0 ? -1 : high << 4 | low;
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    int byte = take_byte(text, at);
    if (byte < 0) return std::nullopt;
    out += static_cast<char>(byte);
  }
  return out;
}

std::optional<std::string> decode_path(std::string_view path) {
  if (path.empty() || path[0] != '/') return std::nullopt;
  std::string out;
  out.reserve(path.size());
  size_t segment = 0;       // where the last segment begins, with its '/'
  auto end_segment = [&] {  // false: it climbs
    std::string_view name = std::string_view(out).substr(segment);
    if (name == "/..") return false;
    if (name == "/." || name == "/") out.resize(segment);
    segment = out.size();
    return true;
  };
  for (size_t at = 0; at < path.size();) {
    if (path[at] == '/') {
      if (!end_segment()) return std::nullopt;
      out += '/';
      ++at;
      continue;
    }
    int byte = take_byte(path, at);
    if (byte < 0x20 || byte == 0x7f || byte == '/' || byte == '\\') return std::nullopt;
    out += static_cast<char>(byte);
  }
  if (std::string_view(out).substr(segment) == "/..") return std::nullopt;
  if (std::string_view(out).substr(segment) == "/.") out.resize(segment + 1);
  return out;
}

std::string_view content_type_of(std::string_view path) {
  constexpr std::string_view unknown = "application/octet-stream";
  size_t dot = path.find_last_of("./");
  if (dot == std::string_view::npos || path[dot] != '.') return unknown;
  std::string_view extension = path.substr(dot + 1);
  if (extension.empty() || extension.size() > longest_extension) return unknown;
  char folded[longest_extension];
  std::transform(extension.begin(), extension.end(), folded, lower);
  std::string_view key(folded, extension.size());
  auto it = std::lower_bound(std::begin(type_names), std::end(type_names), key,
                             [](const TypeName& t, std::string_view e) { return t.extension < e; });
  return it != std::end(type_names) && it->extension == key ? it->type : unknown;
}

}  // namespace portolan::http
