#pragma once
// The PROXY protocol, versions 1 and 2 (haproxy.org/download/2.9/doc/proxy-protocol.txt). Pure: bytes in, address out.
#include <string_view>

#include "core/base/address.hh"

namespace portolan::loop {

struct ProxyHeader {
  enum class Outcome : uint8_t { need_more, ok, invalid } outcome = Outcome::need_more;
  size_t consumed = 0;
  bool has_source = false;  // false: LOCAL or UNKNOWN; the connection's own addresses stand
  SocketAddress source;
  SocketAddress destination;
};

// Never asks for more than 536 bytes (v2: 16 + 520; longer TLVs are invalid).
ProxyHeader parse_proxy_header(std::string_view in);

}  // namespace portolan::loop
