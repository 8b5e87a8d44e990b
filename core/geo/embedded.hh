#pragma once
// IPv4 addresses that stand inside IPv6 ones. Where a question comes from is what the IPv4 address says.
#include "core/base/address.hh"

namespace portolan::geo {

struct Embedded {
  IpAddress address;    // the IPv4 address, or the given one where none is inside
  unsigned offset = 0;  // bits of the IPv6 address that come before those of the IPv4 address; 0: none is inside
  // Of an IPv6 address with none inside: a prefix of at least so many bits holds no address with one inside.
  unsigned apart = 0;
};

// IPv4-mapped ::ffff:0:0/96 and -translated ::ffff:0:0:0/96 (RFC 2765), NAT64's 64:ff9b::/96 (RFC 6052), 6to4's 2002::/16
// (RFC 3056), and Teredo's 2001::/32 (RFC 4380), whose last 32 bits are those of the client, inverted: as many leading bits
// of it fix as many of the IPv4 address.
Embedded find_embedded(const IpAddress& address);
// Of IPv6: every address of the network has one inside.
bool is_embedded(const IpNetwork& network);

}  // namespace portolan::geo
