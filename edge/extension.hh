#pragma once
// What a URL's extension says of the answer: HTML under ".css" is a page that somebody was sent to by a name that caches
// keep (web cache deception), or an error in the asset's place. Pure.
#include <cstdint>
#include <optional>
#include <string_view>

namespace portolan::edge {

enum class Asset : uint8_t { none, image, style, script, font, media, document, archive, data };

// By the letters and digits behind the last dot of the last segment, escapes read, whatever follows them (";v=1", "%00",
// "%3f"): readers differ in what they take for the end of a path. `none`: no extension, or none of a static file.
Asset asset_of(std::string_view path);
// Whether an answer of that status and Content-Type may be stored under such a name. Redirects, 404 and 410 may whatever
// they are, and so may what says nothing of its type or "application/octet-stream", which no browser shows as a page.
bool fits(Asset asset, int status, std::optional<std::string_view> content_type);

}  // namespace portolan::edge
