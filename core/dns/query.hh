#pragma once
// Reading a query (RFC 1035, RFC 6891, RFC 7871, RFC 7873), strictly: what is malformed is answered FORMERR,
// never guessed.
#include <cstdint>
#include <span>

#include "core/base/address.hh"
#include "core/dns/name.hh"

namespace portolan::dns {

// EDNS Client Subnet as it was asked. Family 0 comes only with source 0: "do not tell anybody where
// I am".
struct ClientSubnet {
  uint16_t family = 0;  // 1 IPv4, 2 IPv6, 0 none
  uint8_t source = 0;   // prefix length
  IpAddress address;    // bits past `source` are zero; Family::none for family 0
  size_t address_size() const { return (source + 7u) / 8u; }
};

// A cookie as it was sent (RFC 7873 §4): the client's half, and what it has of ours.
struct Cookie {
  static constexpr size_t client_size = 8;
  static constexpr size_t most_server_size = 32;
  uint8_t client[client_size];
  uint8_t server[most_server_size];
  uint8_t server_size = 0;  // 0: it has none yet; else 8 to 32
};

struct Query {
  uint16_t id = 0;
  uint16_t flags = 0;         // the header's second word
  bool has_question = false;  // key, key_labels, type, qclass and question_end hold
  unsigned key_labels = 0;    // without the root
  uint16_t type = 0;
  uint16_t qclass = 0;
  size_t question_end = header_size;  // bytes [12, question_end) of the packet: echoed as they are (0x20)
  bool has_edns = false;
  uint8_t version = 0;
  uint16_t udp_size = plain_udp_size;  // what the client takes, at least 512
  bool dnssec_ok = false;
  bool has_subnet = false;  // subnet holds
  ClientSubnet subnet;
  bool has_cookie = false;  // cookie holds
  bool wants_nsid = false;
  bool wants_keepalive = false;  // RFC 7828: how long an idle TCP connection stays
  bool wants_padding = false;    // RFC 7830: it padded, so that sizes tell nothing
  bool says_more = false;        // any of these four
  bool passes_cookies = false;   // while it is parsed: cookies are an option like any that isn't known
  Cookie cookie;
  Name key;  // the name in lower case: compared and looked up
};

// What a packet deserves before any zone is looked at.
enum class Verdict : uint8_t {
  drop,  // shorter than a header, or itself an answer: silence, or two servers would talk forever
  formerr,
  notimp,   // another opcode, or a meta type this server has no use for
  badvers,  // EDNS version above 0
  refused,  // zone transfers, and classes other than IN and CH
  ping,     // no question, only a cookie: to be told ours (RFC 7873 §5.4)
  chaos,    // class CH: about the server, not about names
  answer,
};

// Of a question of class IN: answer, or why there is none. Types 128 to 254 ask for something done, not for data (RFC 6895
// §3.1); NXNAME is never asked for (RFC 9824 §3.5).
Verdict judge_type(uint16_t type);
// Fills `query` as far as the packet could be read; OPT also of what is not answered otherwise, where that can be walked
// (RFC 6891 §6.1.1). Options it doesn't know are ignored. The counted records of all sections must fill the packet exactly.
Verdict parse_query(std::span<const uint8_t> packet, Query& query);
// The same where there are no cookies.
Verdict parse_query_without_cookies(std::span<const uint8_t> packet, Query& query);

}  // namespace portolan::dns
