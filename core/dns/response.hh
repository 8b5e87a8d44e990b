#pragma once
// Reading an answer as a stub resolver does (RFC 1035 §7.3): the addresses or SRV records of the
// name that was asked, behind any CNAMEs, with how long they may be kept. For resolver code; not
// for hot paths.
#include <cstdint>
#include <span>
#include <vector>

#include "core/base/address.hh"
#include "core/base/result.hh"
#include "core/dns/name.hh"

namespace portolan::dns {

struct ServiceTarget {  // RFC 2782
  uint16_t priority = 0;
  uint16_t weight = 0;
  uint16_t port = 0;
  Name target;
};

struct Response {
  uint16_t rcode = 0;
  bool truncated = false;               // ask again over TCP; the lists may be short
  uint32_t ttl_s = 0;                   // the least along the way; of a negative answer RFC 2308 §5's, or 0
  std::vector<IpAddress> addresses;     // A and AAAA
  std::vector<ServiceTarget> services;  // SRV
};

// `name` and `type` (A, AAAA, SRV) are what was asked under `id`; an answer to anything else is an
// error, and so are records out of bounds, compression pointers that don't lead backwards, and
// CNAME chains over 16.
Result<Response> parse_response(std::span<const uint8_t> packet, uint16_t id, const Name& name, uint16_t type);

}  // namespace portolan::dns
