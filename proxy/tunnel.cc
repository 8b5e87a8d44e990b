#include "proxy/tunnel.hh"

#include <cstring>

#include "core/crypto/websocket.hh"
#include "core/http/semantics.hh"

namespace portolan::proxy {
namespace {

using http::FieldId;

constexpr std::string_view key_field = "sec-websocket-key", accept_field = "sec-websocket-accept";

bool names_websocket(const http::Fields& fields) {
  auto upgrade = fields.joined(FieldId::upgrade);
  auto connection = fields.joined(FieldId::connection);
  return upgrade && connection && http::list_has(*upgrade, websocket) && http::list_has(*connection, "upgrade");
}

}  // namespace

bool asks_for_websocket(const http::RequestHead& head) {
  return head.fields.may_have(FieldId::upgrade) && head.method == http::Method::get && head.minor_version == 1 &&
         !head.http2 && head.framing == http::Framing::none && names_websocket(head.fields);
}

bool grants_websocket(const http::ResponseHead& head) {
  return names_websocket(head.fields);
}

bool Upgrade::settle(const http::RequestHead& request, const http::Fields& response, std::string& accept) const {
  auto said = response.find(accept_field);
  if (!key.empty()) return said == crypto::websocket_accept(key);
  if (request.http2) return true;  // HTTP/2 on both sides
  if (said) {
    accept = *said;  // the client's to judge
  } else {
    accept = crypto::websocket_accept(request.fields.find(key_field).value_or(""));
  }
  return true;
}

std::string new_websocket_key(Rng& rng) {
  unsigned char random[16];
  for (size_t i = 0; i < sizeof random; i += sizeof(uint64_t)) {
    uint64_t part = rng.next();
    std::memcpy(random + i, &part, sizeof part);
  }
  return crypto::websocket_key(random);
}

}  // namespace portolan::proxy
