#pragma once
// Where servers come from, as `servers` of a pool writes it.
#include <string>
#include <string_view>

#include "core/base/address.hh"

namespace portolan {

// "10.0.0.1:80", "[::1]:80", "unix:/path": one server. "app.internal:80": all addresses of the name. "srv:NAME": the
// set of a DNS SRV record (RFC 2782). "file:/path": a list in a file.
struct ServerAddress : HostPort {
  enum class Kind : uint8_t { host, srv, file };
  Kind kind = Kind::host;  // srv, file: `host` is the name or the path, and there is no port

  ServerAddress() = default;
  ServerAddress(HostPort at) : HostPort(std::move(at)) {}  // NOLINT(google-explicit-constructor)
  static Result<ServerAddress> parse(std::string_view text);
  std::string to_string() const;  // parse's form
  auto operator<=>(const ServerAddress&) const = default;
};

}  // namespace portolan
