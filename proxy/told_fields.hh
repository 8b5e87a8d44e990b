#pragma once
// What servers are told of clients that no cache's key knows: an answer that varies by it is one client's.
#include <string>
#include <vector>

#include "edge/cache.hh"
#include "proxy/config.hh"

namespace portolan::proxy {

// The names of RequestView::told for a route and its cache: addresses and certificates, `user_headers` (of all routes),
// and what the route's request_headers write of the client.
std::string told_fields(const RouteConfig& route, const std::vector<std::string>& user_headers,
                        const edge::Cache& cache);

}  // namespace portolan::proxy
