#pragma once
// Upgrades to WebSocket, as HTTP/1.1 asks for them (RFC 6455) and as HTTP/2 does (RFC 8441), and what becomes of the one
// on the way to the other. After the server's own 101 bytes pass untouched; before it none do.
#include <string>
#include <string_view>

#include "core/base/clock.hh"
#include "core/http/message.hh"

namespace portolan::proxy {

inline constexpr std::string_view websocket = "websocket";

// An HTTP/1.1 request for an upgrade that is passed on.
bool asks_for_websocket(const http::RequestHead& head);
// A 101 that grants it.
bool grants_websocket(const http::ResponseHead& head);

// What the two sides of an upgrade say beyond its fields.
struct Upgrade {
  std::string key;  // for a server that speaks HTTP/1, where the client has sent none
  // Fills `accept` with what a client of HTTP/1 is to be told (HTTP/2: nothing). False: the server's proof is wrong.
  bool settle(const http::RequestHead& request, const http::Fields& response, std::string& accept) const;
};
std::string new_websocket_key(Rng& rng);

}  // namespace portolan::proxy
