#include "edge/extension.hh"

#include <algorithm>
#include <array>
#include <string>

#include "core/http/chars.hh"
#include "core/http/message.hh"

namespace portolan::edge {
namespace {

struct Extension {
  std::string_view name;
  Asset asset;
};
// Sorted by name.
constexpr Extension extensions[] = {
    {"7z", Asset::archive},    {"aac", Asset::media},    {"avi", Asset::media},    {"avif", Asset::image},
    {"bin", Asset::archive},   {"bmp", Asset::image},    {"bz2", Asset::archive},  {"css", Asset::style},
    {"csv", Asset::data},      {"dmg", Asset::archive},  {"doc", Asset::document}, {"docx", Asset::document},
    {"eot", Asset::font},      {"exe", Asset::archive},  {"flac", Asset::media},   {"gif", Asset::image},
    {"gz", Asset::archive},    {"ico", Asset::image},    {"iso", Asset::archive},  {"jar", Asset::archive},
    {"jpeg", Asset::image},    {"jpg", Asset::image},    {"js", Asset::script},    {"jxl", Asset::image},
    {"m3u8", Asset::media},    {"m4a", Asset::media},    {"m4s", Asset::media},    {"m4v", Asset::media},
    {"map", Asset::script},    {"mjs", Asset::script},   {"mov", Asset::media},    {"mp3", Asset::media},
    {"mp4", Asset::media},     {"mpd", Asset::media},    {"mpeg", Asset::media},   {"ogg", Asset::media},
    {"otf", Asset::font},      {"pdf", Asset::document}, {"png", Asset::image},    {"ppt", Asset::document},
    {"pptx", Asset::document}, {"rar", Asset::archive},  {"svg", Asset::image},    {"svgz", Asset::image},
    {"tar", Asset::archive},   {"tif", Asset::image},    {"tiff", Asset::image},   {"ts", Asset::media},
    {"ttf", Asset::font},      {"wasm", Asset::script},  {"wav", Asset::media},    {"webm", Asset::media},
    {"webp", Asset::image},    {"woff", Asset::font},    {"woff2", Asset::font},   {"xls", Asset::document},
    {"xlsx", Asset::document}, {"xz", Asset::archive},   {"zip", Asset::archive},  {"zst", Asset::archive},
};

constexpr bool in_order() {
  for (size_t i = 1; i < std::size(extensions); ++i)
    if (extensions[i].name <= extensions[i - 1].name) return false;
  return true;
}
static_assert(in_order());

bool begins(std::string_view text, std::string_view with) {
  return text.size() >= with.size() && http::equal_ignoring_case(text.substr(0, with.size()), with);
}

bool any_of(std::string_view type, std::initializer_list<std::string_view> begin) {
  return std::any_of(begin.begin(), begin.end(), [type](std::string_view b) { return begins(type, b); });
}

bool is_alnum(char c) {
  return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

// Once, as servers do; what is no escape stays.
std::string unescaped(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    bool escape =
        text[i] == '%' && i + 2 < text.size() && http::hex_value(text[i + 1]) >= 0 && http::hex_value(text[i + 2]) >= 0;
    out += escape ? static_cast<char>(http::hex_value(text[i + 1]) * 16 + http::hex_value(text[i + 2])) : text[i];
    if (escape) i += 2;
  }
  return out;
}

// Of documents and archives: whatever a browser doesn't read as a page, a script or an API's answer.
bool is_application(std::string_view type) {
  return begins(type, "application/") && !any_of(type, {"application/xhtml", "application/json", "application/xml"});
}

}  // namespace

Asset asset_of(std::string_view path) {
  path.remove_prefix(path.rfind('/') + 1);
  std::string read;
  if (path.find('%') != std::string_view::npos) path = read = unescaped(path);
  size_t dot = path.rfind('.');
  if (dot == std::string_view::npos) return Asset::none;
  std::array<char, 6> lowered{};
  size_t size = 0;
  for (std::string_view rest = path.substr(dot + 1); size < rest.size() && is_alnum(rest[size]); ++size) {
    if (size == lowered.size()) return Asset::none;
    char c = rest[size];
    lowered[size] = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  }
  std::string_view name(lowered.data(), size);
  auto at = std::lower_bound(std::begin(extensions), std::end(extensions), name,
                             [](const Extension& e, std::string_view n) { return e.name < n; });
  return at != std::end(extensions) && at->name == name ? at->asset : Asset::none;
}

bool fits(Asset asset, int status, std::optional<std::string_view> content_type) {
  if (asset == Asset::none || !content_type || content_type->empty()) return true;
  if ((status >= 300 && status < 400) || status == 404 || status == 410) return true;
  std::string_view type = *content_type;
  if (any_of(type, {"application/octet-stream", "binary/octet-stream"})) return true;
  switch (asset) {
    case Asset::none:
      return true;
    case Asset::image:
      return begins(type, "image/");
    case Asset::style:
      return begins(type, "text/css");
    case Asset::script:
      return any_of(type, {"text/javascript", "application/javascript", "application/x-javascript", "text/ecmascript",
                           "application/ecmascript", "application/wasm", "application/json", "text/plain"});
    case Asset::font:
      return any_of(type, {"font/", "application/font", "application/x-font", "application/vnd.ms-fontobject"});
    case Asset::media:
      return any_of(type, {"video/", "audio/", "application/vnd.apple.mpegurl", "application/x-mpegurl",
                           "application/dash+xml", "application/mp4", "application/ogg"});
    case Asset::document:
    case Asset::archive:
      return is_application(type);
    case Asset::data:
      return any_of(type, {"text/csv", "text/plain", "application/csv", "application/vnd.ms-excel"});
  }
  return true;
}

}  // namespace portolan::edge
