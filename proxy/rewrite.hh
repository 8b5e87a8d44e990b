#pragma once
// A route's `path` replaced by another prefix on the way to its servers, and back in the Location of their answers; or the
// whole path by what an expression makes of it, which isn't taken back. Pure.
#include <string>
#include <string_view>

#include "core/base/recycled.hh"
#include "proxy/config.hh"

namespace portolan::proxy {

// The path that servers are asked for. A path that is all gone is "/"; "*" stays, and so does a path in which the expression
// isn't found. False: what it would become climbs (proxy/request_target), which no server may be asked for.
bool rewrite_path(const RouteConfig& route, std::string_view path, Text& out);

// The Location of a server's answer in the client's terms: a path, or a URL of this `authority`, that begins with the
// prefix servers see. False: it stays.
bool restore_location(const RouteConfig& route, std::string_view authority, std::string_view location, Text& out);

// What X-Forwarded-Prefix tells a server of a path whose beginning was taken off; empty: nothing was.
std::string_view stripped_prefix(const RouteConfig& route);

}  // namespace portolan::proxy
