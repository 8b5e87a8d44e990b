#include "core/loop/proxy_protocol.hh"

#include <charconv>
#include <cstring>

namespace portolan::loop {
namespace {

constexpr std::string_view signature_v2("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::string_view signature_v1 = "PROXY ";
constexpr size_t longest_v1 = 107;
constexpr size_t longest_v2 = 520;

ProxyHeader invalid() {
  return ProxyHeader{ProxyHeader::Outcome::invalid, 0, false, {}, {}};
}

bool parse_port(std::string_view text, uint16_t& port) {
  unsigned value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > 65535) return false;
  if (text.size() > 1 && text[0] == '0') return false;
  port = static_cast<uint16_t>(value);
  return true;
}

ProxyHeader parse_v1(std::string_view in) {
  size_t end = in.substr(0, longest_v1).find("\r\n");
  if (end == std::string_view::npos) return in.size() >= longest_v1 ? invalid() : ProxyHeader{};
  std::string_view line = in.substr(signature_v1.size(), end - signature_v1.size());
  ProxyHeader h{ProxyHeader::Outcome::ok, end + 2, false, {}, {}};
  if (line == "UNKNOWN" || line.starts_with("UNKNOWN ")) return h;
  std::string_view words[5];
  for (size_t i = 0; i < 5; ++i) {
    size_t space = line.find(' ');
    if ((i < 4) == (space == std::string_view::npos)) return invalid();
    words[i] = line.substr(0, space);
    line.remove_prefix(i < 4 ? space + 1 : line.size());
  }
  auto source = IpAddress::parse(words[1]);
  auto destination = IpAddress::parse(words[2]);
  bool v4 = words[0] == "TCP4";
  if ((!v4 && words[0] != "TCP6") || !source || !destination || source->is_v4() != v4 || destination->is_v4() != v4 ||
      !parse_port(words[3], h.source.port) || !parse_port(words[4], h.destination.port))
    return invalid();
  h.source.ip = *source;
  h.destination.ip = *destination;
  h.has_source = true;
  return h;
}

uint16_t read_16(const char* p) {
  return static_cast<uint16_t>(static_cast<uint8_t>(p[0]) << 8 | static_cast<uint8_t>(p[1]));
}

ProxyHeader parse_v2(std::string_view in) {
  if (in.size() < 16) return {};
  auto version_command = static_cast<uint8_t>(in[12]);
  auto family = static_cast<uint8_t>(in[13]);
  size_t length = read_16(in.data() + 14);
  if (version_command >> 4 != 2 || (version_command & 0xf) > 1 || length > longest_v2) return invalid();
  if (in.size() < 16 + length) return {};
  ProxyHeader h{ProxyHeader::Outcome::ok, 16 + length, false, {}, {}};
  size_t address_bytes = family == 0x11 ? 4 : family == 0x21 ? 16 : 0;
  if ((version_command & 0xf) == 0 || address_bytes == 0) return h;  // LOCAL, or not TCP over IP
  if (length < 2 * address_bytes + 4) return invalid();
  const char* p = in.data() + 16;
  auto kind = address_bytes == 4 ? IpAddress::Family::v4 : IpAddress::Family::v6;
  h.source.ip.family = h.destination.ip.family = kind;
  std::memcpy(h.source.ip.bytes.data(), p, address_bytes);
  std::memcpy(h.destination.ip.bytes.data(), p + address_bytes, address_bytes);
  h.source.port = read_16(p + 2 * address_bytes);
  h.destination.port = read_16(p + 2 * address_bytes + 2);
  h.has_source = true;
  return h;
}

bool could_be(std::string_view in, std::string_view signature) {
  size_t n = std::min(in.size(), signature.size());
  return in.substr(0, n) == signature.substr(0, n);
}

}  // namespace

ProxyHeader parse_proxy_header(std::string_view in) {
  if (could_be(in, signature_v2)) return parse_v2(in);
  if (could_be(in, signature_v1)) return in.size() < signature_v1.size() ? ProxyHeader{} : parse_v1(in);
  return invalid();
}

}  // namespace portolan::loop
