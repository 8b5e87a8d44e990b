#pragma once
// `cache_bypass` of a route: requests that aren't answered from its cache, for what they say in a cookie, a header or a
// parameter.
#include <optional>

#include "core/conf/field.hh"
#include "core/http/message.hh"
#include "proxy/config.hh"

namespace portolan::proxy {

// One of the names is there with a value that is neither empty nor "0". Pure; any thread.
bool bypasses_cache(const CacheBypassConfig& config, const http::RequestHead& request);

conf::Type<std::optional<CacheBypassConfig>> cache_bypass();

}  // namespace portolan::proxy
