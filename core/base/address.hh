#pragma once
// IP addresses, networks and socket addresses as plain values.
#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hh"

namespace portolan {

// An IPv4 or IPv6 address in network byte order; IPv4 uses the first four bytes.
struct IpAddress {
  enum class Family : uint8_t { none, v4, v6 };
  Family family = Family::none;
  std::array<uint8_t, 16> bytes{};

  static Result<IpAddress> parse(std::string_view text);  // no port, no brackets, no zone id
  static IpAddress v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d);
  bool is_v4() const { return family == Family::v4; }
  bool is_v6() const { return family == Family::v6; }
  unsigned bits() const { return is_v4() ? 32 : 128; }
  size_t size() const { return is_v4() ? 4 : 16; }
  bool bit(unsigned i) const { return (bytes[i / 8] >> (7 - i % 8)) & 1; }
  // ::ffff:a.b.c.d becomes a.b.c.d; everything else stays.
  IpAddress unmapped() const;
  IpAddress masked(unsigned length) const;  // bits past `length` cleared
  std::string to_string() const;            // "-" of no family
  static constexpr size_t text_capacity = 46;
  size_t print(char* out) const;  // to_string() without a string: at most text_capacity bytes; how many
  auto operator<=>(const IpAddress&) const = default;
};

struct IpNetwork {
  IpAddress address;  // host bits are zero
  unsigned length = 0;
  static Result<IpNetwork> parse(std::string_view text);  // "10.0.0.0/8", "2001:db8::/32", or one address
  bool contains(const IpAddress& a) const;                // false for the other family
  std::string to_string() const;
  auto operator<=>(const IpNetwork&) const = default;
};

bool contains(const std::vector<IpNetwork>& networks, const IpAddress& a);

// Where a socket binds or connects: an IP address and a port, or the path of a Unix socket.
struct SocketAddress {
  IpAddress ip;
  uint16_t port = 0;
  std::string path;  // Unix socket when not empty

  static Result<SocketAddress> parse(std::string_view text);  // "1.2.3.4:80", "[::1]:80", "unix:/path"
  static SocketAddress from(const sockaddr* address, socklen_t length);
  socklen_t to(sockaddr_storage& out) const;  // 0 when a path is too long
  int domain() const;                         // AF_INET, AF_INET6 or AF_UNIX
  bool is_unix() const { return !path.empty(); }
  std::string to_string() const;  // parse's form
  auto operator<=>(const SocketAddress&) const = default;
};

// A host (name or address) and a port as written in the configuration: "app.internal:8080", "10.0.0.1:80", "[::1]:80",
// "unix:/path". `literal` is set where no name has to be resolved.
struct HostPort {
  std::string host;
  uint16_t port = 0;
  bool is_literal = false;
  SocketAddress literal;
  static Result<HostPort> parse(std::string_view text);
  std::string to_string() const;
  auto operator<=>(const HostPort&) const = default;
};

}  // namespace portolan
