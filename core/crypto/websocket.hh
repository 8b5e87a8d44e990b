#pragma once
// The handshake of WebSockets (RFC 6455 §4.2.2). Pure.
#include <string>
#include <string_view>

namespace portolan::crypto {

std::string websocket_key(const unsigned char (&random)[16]);  // Sec-WebSocket-Key
std::string websocket_accept(std::string_view key);            // the Sec-WebSocket-Accept that answers it

}  // namespace portolan::crypto
