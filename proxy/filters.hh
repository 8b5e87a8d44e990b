#pragma once
// What changes in a head on its way through: hop-by-hop fields go, framing is made anew, the client's address, Via, Date,
// Age and Cache-Status come. RFC 9110 §7.6, RFC 9111 §5.1, RFC 9211. Pure but for the caller's buffers.
#include <string>
#include <string_view>

#include "core/base/address.hh"
#include "core/crypto/peer_identity.hh"
#include "core/http/h1.hh"
#include "core/http/semantics.hh"
#include "core/loop/tls_session.hh"
#include "proxy/header_edits.hh"
#include "proxy/source/source.hh"

namespace portolan::edge {
class Cache;
}
namespace portolan::proxy {

struct Client {
  IpAddress address;                               // the true one, as far as it is known
  IpAddress peer;                                  // who is connected to us
  bool through_trusted = false;                    // the peer is a trusted proxy
  std::string_view scheme = "http";                // as the client asked
  const crypto::PeerIdentity* identity = nullptr;  // by its certificate; nullptr: none that is good
};

// The client's address and scheme from X-Forwarded-For or Forwarded, read from the right while the senders are trusted.
// `tls`: the session of its connection, or nullptr.
Client identify_client(const http::RequestHead& head, const IpAddress& peer, const std::vector<IpNetwork>& trusted,
                       const loop::TlsSession* tls = nullptr);

struct RequestFilter {
  explicit RequestFilter(const Client& c) : client(c) {}
  const Client& client;
  std::string_view node;       // for Via
  std::string_view authority;  // Host to send
  std::string_view target;     // instead of the request's own, when not empty
  http::Framing framing = http::Framing::none;
  uint64_t content_length = 0;
  bool whole = false;                          // no Range passes, nor what goes with it
  bool for_cache = false;                      // leave out what edge::drop_for_fetch says
  std::optional<std::string> accept_encoding;  // for the cache: in place of the client's
  const edge::Cache* cache = nullptr;          // which the request may be cached by: what it withholds doesn't pass
  std::string_view device;                     // of the client, where its cache's key holds it: goes in X-Device-Class
  std::string_view country;                    // … in X-Country-Code, with tells_country
  bool tells_country = false;
  std::optional<std::string> cookie;  // with replace_cookie: what replaces Cookie
  bool replace_cookie = false;
  const http::Fields* extra = nullptr;  // added at the end
  std::string_view upgrade;             // asked for
  std::string_view websocket_key;       // Sec-WebSocket-Key, where the client has sent none
  const AppliedEdits* edits = nullptr;  // the route's
  std::string_view prefix;              // X-Forwarded-Prefix: what was taken off the path; empty: nothing
  bool pass_authorization = true;       // else Authorization was for us
  std::string_view user_header;         // who the client is goes in this; what it sent under the name doesn't pass
  std::string_view user;
  const std::vector<std::string>* user_headers = nullptr;  // of all routes: no client says who it is under these
};
// A whole head for a server.
void write_request(BlockWriter& out, const http::RequestHead& head, const RequestFilter& filter);

struct ResponseFilter {
  std::string_view node;
  std::string_view date;          // sent when the answer has none
  std::string_view cache_status;  // appended, when not empty
  http::Framing framing = http::Framing::none;
  uint64_t length = 0;
  bool send_length = true;              // with Framing::none: HEAD and 304 say nothing when unknown
  std::string_view hsts;                // Strict-Transport-Security, where the answer has none; empty: not sent
  std::string_view set_cookie;          // one more, when not empty
  std::string_view upgrade;             // granted
  std::string_view websocket_accept;    // Sec-WebSocket-Accept, in place of the server's
  const AppliedEdits* edits = nullptr;  // the route's
  std::string_view location;            // in place of the answer's Location, when not empty
  bool hide_tags = false;               // no Surrogate-Key, no Cache-Tag
  bool close = false;
  bool http_1_0 = false;  // the client's version: told when the connection stays
};
void write_response(BlockWriter& out, const Answer& answer, const ResponseFilter& filter);

// Client-Cert and X-Client-Cert-…, in which servers are told of a client's certificate.
bool names_client_certificate(std::string_view name);
// An interim answer of a server as it goes on to a client.
void write_interim(std::string& out, const http::ResponseHead& head);

// A trailer that may pass (RFC 9110 §6.5.1): not framing, routing, authentication or what steers caches.
bool may_be_trailer(const http::Field& field);
// Copies names and values into one block of their own.
void copy_fields(const http::Fields& from, BlockRef& storage, http::Fields& to);

}  // namespace portolan::proxy
