#include "core/base/address.hh"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <charconv>
#include <cstddef>
#include <cstring>

namespace portolan {
namespace {

bool parse_port(std::string_view text, uint16_t& port) {
  if (text.empty() || text.size() > 5) return false;
  unsigned value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value == 0 || value > 65535) return false;
  port = static_cast<uint16_t>(value);
  return true;
}

// Splits "host:port" and "[v6]:port"; host comes without brackets.
bool split_host_port(std::string_view text, std::string_view& host, std::string_view& port, bool& bracketed) {
  bracketed = !text.empty() && text.front() == '[';
  if (bracketed) {
    size_t close = text.find(']');
    if (close == std::string_view::npos || close + 1 >= text.size() || text[close + 1] != ':') return false;
    host = text.substr(1, close - 1);
    port = text.substr(close + 2);
    return true;
  }
  size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return false;
  host = text.substr(0, colon);
  port = text.substr(colon + 1);
  return host.find(':') == std::string_view::npos && !host.empty();
}

bool valid_host_name(std::string_view host) {
  if (host.empty() || host.size() > 253) return false;
  for (char c : host)
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
          c == '_'))
      return false;
  return host.front() != '.' && host.front() != '-';
}

}  // namespace

Result<IpAddress> IpAddress::parse(std::string_view text) {
  char buffer[INET6_ADDRSTRLEN + 1];
  IpAddress a;
  if (text.size() < sizeof buffer) {
    std::memcpy(buffer, text.data(), text.size());
    buffer[text.size()] = 0;
    if (inet_pton(AF_INET, buffer, a.bytes.data()) == 1) {
      a.family = Family::v4;
      return a;
    }
    if (inet_pton(AF_INET6, buffer, a.bytes.data()) == 1) {
      a.family = Family::v6;
      return a;
    }
  }
  return Error{"\"" + std::string(text) + "\" is not an IP address"};
}

IpAddress IpAddress::v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
  IpAddress r;
  r.family = Family::v4;
  r.bytes = {a, b, c, d};
  return r;
}

IpAddress IpAddress::unmapped() const {
  static constexpr uint8_t prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (!is_v6() || std::memcmp(bytes.data(), prefix, 12) != 0) return *this;
  return v4(bytes[12], bytes[13], bytes[14], bytes[15]);
}

IpAddress IpAddress::masked(unsigned length) const {
  IpAddress r = *this;
  for (unsigned i = 0; i < size(); ++i) {
    unsigned start = i * 8;
    if (start >= length) {
      r.bytes[i] = 0;
    } else if (start + 8 > length) {
      r.bytes[i] &= static_cast<uint8_t>(0xff << (8 - (length - start)));
    }
  }
  return r;
}

size_t IpAddress::print(char* out) const {
  if (is_v4()) {
    char* at = out;
    for (size_t i = 0; i < 4; ++i) {
      if (i > 0) *at++ = '.';
      unsigned value = bytes[i];
      if (value >= 100) *at++ = static_cast<char>('0' + value / 100);
      if (value >= 10) *at++ = static_cast<char>('0' + value / 10 % 10);
      *at++ = static_cast<char>('0' + value % 10);
    }
    return static_cast<size_t>(at - out);
  }
  if (is_v6() && inet_ntop(AF_INET6, bytes.data(), out, text_capacity)) return std::strlen(out);
  *out = '-';
  return 1;
}

std::string IpAddress::to_string() const {
  char text[text_capacity];
  return std::string(text, print(text));
}

Result<IpNetwork> IpNetwork::parse(std::string_view text) {
  size_t slash = text.find('/');
  auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return address.error();
  IpNetwork n{*address, address->bits()};
  if (slash != std::string_view::npos) {
    std::string_view length = text.substr(slash + 1);
    auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), n.length);
    if (error != std::errc() || end != length.data() + length.size() || n.length > address->bits())
      return Error{"\"" + std::string(text) + "\" has a bad prefix length"};
  }
  if (n.address.masked(n.length) != n.address)
    return Error{"\"" + std::string(text) + "\" has bits set past its prefix; write " +
                 n.address.masked(n.length).to_string() + "/" + std::to_string(n.length)};
  return n;
}

bool IpNetwork::contains(const IpAddress& a) const {
  return a.family == address.family && a.masked(length) == address;
}

std::string IpNetwork::to_string() const {
  return address.to_string() + "/" + std::to_string(length);
}

bool contains(const std::vector<IpNetwork>& networks, const IpAddress& a) {
  for (const IpNetwork& n : networks)
    if (n.contains(a)) return true;
  return false;
}

Result<SocketAddress> SocketAddress::parse(std::string_view text) {
  SocketAddress r;
  if (text.substr(0, 5) == "unix:") {
    r.path = text.substr(5);
    if (r.path.empty() || r.path.size() >= sizeof(sockaddr_un::sun_path))
      return Error{"\"" + std::string(text) + "\": a Unix socket's path has 1 to 107 characters"};
    return r;
  }
  std::string_view host, port;
  bool bracketed = false;
  if (!split_host_port(text, host, port, bracketed) || !parse_port(port, r.port))
    return Error{"\"" + std::string(text) +
                 "\" is not an address: write \"host:port\", \"[v6]:port\" or \"unix:/path\""};
  auto ip = IpAddress::parse(host);
  if (!ip || ip->is_v6() != bracketed) return Error{"\"" + std::string(text) + "\" is not an IP address and port"};
  r.ip = *ip;
  return r;
}

SocketAddress SocketAddress::from(const sockaddr* address, socklen_t length) {
  SocketAddress r;
  if (address->sa_family == AF_INET) {
    const auto* in = reinterpret_cast<const sockaddr_in*>(address);
    r.ip.family = IpAddress::Family::v4;
    std::memcpy(r.ip.bytes.data(), &in->sin_addr, 4);
    r.port = ntohs(in->sin_port);
  } else if (address->sa_family == AF_INET6) {
    const auto* in = reinterpret_cast<const sockaddr_in6*>(address);
    r.ip.family = IpAddress::Family::v6;
    std::memcpy(r.ip.bytes.data(), &in->sin6_addr, 16);
    r.port = ntohs(in->sin6_port);
  } else if (address->sa_family == AF_UNIX && length > offsetof(sockaddr_un, sun_path)) {
    r.path = reinterpret_cast<const sockaddr_un*>(address)->sun_path;
  }
  return r;
}

socklen_t SocketAddress::to(sockaddr_storage& out) const {
  std::memset(&out, 0, sizeof out);
  if (is_unix()) {
    auto* un = reinterpret_cast<sockaddr_un*>(&out);
    if (path.size() >= sizeof un->sun_path) return 0;
    un->sun_family = AF_UNIX;
    std::memcpy(un->sun_path, path.data(), path.size());
    return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  }
  if (ip.is_v4()) {
    auto* in = reinterpret_cast<sockaddr_in*>(&out);
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    std::memcpy(&in->sin_addr, ip.bytes.data(), 4);
    return sizeof *in;
  }
  auto* in = reinterpret_cast<sockaddr_in6*>(&out);
  in->sin6_family = AF_INET6;
  in->sin6_port = htons(port);
  std::memcpy(&in->sin6_addr, ip.bytes.data(), 16);
  return sizeof *in;
}

int SocketAddress::domain() const {
  if (is_unix()) return AF_UNIX;
  return ip.is_v4() ? AF_INET : AF_INET6;
}

std::string SocketAddress::to_string() const {
  if (is_unix()) return "unix:" + path;
  if (ip.is_v6()) return "[" + ip.to_string() + "]:" + std::to_string(port);
  return ip.to_string() + ":" + std::to_string(port);
}

Result<HostPort> HostPort::parse(std::string_view text) {
  HostPort r;
  if (auto literal = SocketAddress::parse(text)) {
    r.literal = *literal;
    r.is_literal = true;
    r.host = literal->is_unix() ? literal->path : literal->ip.to_string();
    r.port = literal->port;
    return r;
  }
  std::string_view host, port;
  bool bracketed = false;
  if (!split_host_port(text, host, port, bracketed) || bracketed || !parse_port(port, r.port) || !valid_host_name(host))
    return Error{"\"" + std::string(text) +
                 "\" is not an address: write \"host:port\", \"[v6]:port\" or \"unix:/path\""};
  r.host = host;
  return r;
}

std::string HostPort::to_string() const {
  return is_literal ? literal.to_string() : host + ":" + std::to_string(port);
}

}  // namespace portolan
