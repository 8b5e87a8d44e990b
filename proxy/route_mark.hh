#pragma once
// What keeps a route's stored answers apart from others of the same URL: whatever decides which server is asked, and how.
// Pure.
#include <string>

#include "proxy/config.hh"

namespace portolan::proxy {

// Of a route to servers with conditions besides host and path: 16 hexadecimal digits of a digest of these, of its pool
// (of several, the one that a request is given is in the key), and of what it rewrites in requests. It is the same wherever
// these mean the same: the route's name and place don't count, nor the order in which its lists are written. Empty for
// other routes: the URL leads to them.
std::string route_mark(const RouteConfig& route);

}  // namespace portolan::proxy
