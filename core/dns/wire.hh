#pragma once
// The DNS message's numbers (RFC 1035 §4, IANA's registry) and its integers. Everything in this
// room is pure: bytes in, bytes out, no sockets, no clock, safe from any thread.
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace portolan::dns {

inline constexpr size_t header_size = 12;
inline constexpr size_t max_name_size = 255;  // wire form with the root label
inline constexpr size_t max_label_size = 63;
inline constexpr size_t max_message_size = 65535;  // what TCP's length can say
inline constexpr size_t plain_udp_size = 512;      // without EDNS
inline constexpr size_t max_udp_size = 1232;       // never more over UDP: no fragments anywhere (DNS flag day 2020)

enum Type : uint16_t {
  type_a = 1,
  type_ns = 2,
  type_cname = 5,
  type_soa = 6,
  type_ptr = 12,
  type_hinfo = 13,
  type_mx = 15,
  type_txt = 16,
  type_aaaa = 28,
  type_srv = 33,
  type_naptr = 35,
  type_dname = 39,
  type_opt = 41,
  type_ds = 43,
  type_sshfp = 44,
  type_rrsig = 46,
  type_nsec = 47,
  type_nsec3 = 50,
  type_tlsa = 52,
  type_svcb = 64,
  type_https = 65,
  type_nxname = 128,
  type_ixfr = 251,
  type_axfr = 252,
  type_any = 255,
  type_caa = 257,
};

enum Class : uint16_t { class_in = 1, class_ch = 3 };

enum Rcode : uint16_t {
  noerror = 0,
  formerr = 1,
  servfail = 2,
  nxdomain = 3,
  notimp = 4,
  refused = 5,
  badvers = 16,
  badcookie = 23,
};

enum Flags : uint16_t {
  flag_qr = 0x8000,
  flag_aa = 0x0400,
  flag_tc = 0x0200,
  flag_rd = 0x0100,
  flag_cd = 0x0010,
  mask_opcode = 0x7800,
  mask_rcode = 0x000f,
};

enum Option : uint16_t {
  option_nsid = 3,
  option_client_subnet = 8,
  option_cookie = 10,
  option_keepalive = 11,
  option_padding = 12,
  option_error = 15,
};

// Extended DNS Errors (RFC 8914 §4): what an rcode alone doesn't say.
enum class ExtendedError : uint16_t {
  other = 0,
  not_authoritative = 20,
  not_supported = 21,
  no_reachable_authority = 22,
  none = 0xffff,  // not of the registry: nothing to add
};

inline uint16_t load16(const uint8_t* p) {
  return static_cast<uint16_t>(p[0] << 8 | p[1]);
}
inline uint32_t load32(const uint8_t* p) {
  return static_cast<uint32_t>(load16(p)) << 16 | load16(p + 2);
}
inline void store16(uint8_t* p, unsigned v) {
  p[0] = static_cast<uint8_t>(v >> 8);
  p[1] = static_cast<uint8_t>(v);
}
inline void store32(uint8_t* p, uint32_t v) {
  store16(p, v >> 16);
  store16(p + 2, v & 0xffff);
}

// "A", "AAAA", …; nullptr for a type without a name here.
const char* type_name(uint16_t type);
// The type of that name, or of "TYPE123" (RFC 3597 §5), in either case; 0: none.
uint16_t type_number(std::string_view text);
// "NOERROR", "NXDOMAIN", …; "OTHER" for the rest.
const char* rcode_name(uint16_t rcode);

}  // namespace portolan::dns
