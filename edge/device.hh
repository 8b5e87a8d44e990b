#pragma once
// What kind of device a client says it is, as key and origin are told. A guess from User-Agent: pages may differ by it,
// rights may not.
#include <string_view>

#include "core/http/message.hh"

namespace portolan::edge {

// "bot", "tablet", "mobile" or "desktop" (also without User-Agent).
std::string_view device_class(const http::Fields& request);

}  // namespace portolan::edge
