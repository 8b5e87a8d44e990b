#pragma once
// Host and port as a request names them (RFC 9110 §7.2), in the one spelling by which routes, caches and purges know them.
// Pure.
#include <string_view>

#include "core/base/recycled.hh"

namespace portolan::http {

// The text itself where it has no capitals, else a copy in `lowered`.
std::string_view lower_case(std::string_view text, Text& lowered);
// host[:port] without its port; an IPv6 literal keeps its brackets.
std::string_view without_port(std::string_view authority);
// Lower case; without a final dot of the name; the port without zeros before it, and none where it is empty or the default
// of the scheme, "http" or "https" (RFC 3986 §6.2.3, RFC 9110 §4.2.3). In place where it stands so, else in `storage`.
std::string_view normal_authority(std::string_view authority, std::string_view scheme, Text& storage);
// The same, with the port in any case: "example.com:80".
std::string_view with_port(std::string_view normal, std::string_view scheme, Text& storage);
// False: a name with an empty label, as in "a..b", ".a" and "a..": what it is to its one reader it isn't to another. One
// final dot is good (RFC 3986 §3.2.2).
bool has_sound_labels(std::string_view host);

}  // namespace portolan::http
