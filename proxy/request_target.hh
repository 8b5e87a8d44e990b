#pragma once
// What a request asks for, in the form in which routes and caches know it. Pure.
#include <optional>
#include <string_view>

#include "core/base/recycled.hh"
#include "core/http/message.hh"

namespace portolan::proxy {

// The text itself where it has no capitals, else a copy in `lowered`.
std::string_view lower_case(std::string_view text, Text& lowered);
// host[:port] without its port; an IPv6 literal keeps its brackets.
std::string_view without_port(std::string_view authority);
// As routes and caches know it: lower case, no default port, no final dot of the name. In place where it stands so, else in
// `storage`.
std::string_view normal_authority(std::string_view authority, std::string_view scheme, Text& storage);
// True when a segment is "..", plain or escaped, with or without parameters ("..;a"), and whatever a reader may take for
// a slash (/, \\, %2f, %5c): what it means depends on who reads it, so nobody gets to.
bool climbs(std::string_view path);
// The path as most servers will read it: unreserved characters unescaped (RFC 3986 §6.2.2.2), slashes once, no "."
// segments, no parameters of segments (";a=b"). In place where that is how it stands, else in `storage`.
std::string_view normal_path(std::string_view path, Text& storage);
// The first parameter of that name, decoded (%41, + for a space): in place where nothing is encoded, else in `decoded`.
// nullopt: none; "" where it has no value.
std::optional<std::string_view> query_parameter(std::string_view query, std::string_view name, Text& decoded);

// Where "https" as a route's `redirect` sends a request for `host`: it keeps host and path.
std::string https_target(std::string_view host, const http::RequestHead& head);

}  // namespace portolan::proxy
