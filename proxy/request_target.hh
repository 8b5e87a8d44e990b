#pragma once
// What a request asks for, in the form in which routes and caches know it. Pure.
#include <optional>
#include <string_view>

#include "core/base/recycled.hh"
#include "core/http/authority.hh"
#include "core/http/message.hh"

namespace portolan::proxy {

using http::lower_case;
using http::normal_authority;
using http::without_port;

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
