#pragma once
// A record's value as the operator wrote it → RDATA in wire form.
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hh"
#include "core/dns/name.hh"

namespace portolan::geodns {

// The record types that may stand in a zone, as their number; 0: not one of them. "TYPE123" is any
// number (RFC 3597) but those that aren't data, or that a server makes itself.
uint16_t record_type(std::string_view text);
// Their names and "ALIAS"; and for people: "A, AAAA, …".
std::vector<std::string> record_type_names();
std::string record_types();

// Names are written in ASCII without blanks; what must be otherwise is an escape.
Status check_name_text(std::string_view text);
// A name in a value: absolute where it has a dot inside or at its end, else below `origin`; "@" is
// `origin`. Lower case.
Result<dns::Name> value_name(std::string_view text, const dns::Name& origin);
// A record's name: below `origin` unless it ends in a dot. Lower case. It must lie within `origin`.
Result<dns::Name> owner_name(std::string_view text, const dns::Name& origin);
// "host.master@example.com" as the SOA's RNAME (RFC 1035 §8), dots of the local part escaped.
Result<dns::Name> contact_name(std::string_view text);

// In the form of a zone file; for every type also "\# LENGTH HEX" (RFC 3597 §5), which is checked
// where the type is known.
Result<std::string> parse_rdata(uint16_t type, std::string_view value, const dns::Name& origin);

// Is this the wire form of the type's RDATA? Its names become lower case. Types it doesn't know may
// hold anything of up to 65535 bytes.
Status check_rdata(uint16_t type, std::string& rdata);

// A of the set's names that resolvers will ask for next: where it begins in NS, MX, SRV, SVCB and
// HTTPS (RFC 1035 §3.3, RFC 2782, RFC 9460 §4.1); npos: the type has none.
inline size_t target_offset(uint16_t type) {
  if (type == dns::type_a || type == dns::type_aaaa) return std::string_view::npos;
  switch (type) {
    case dns::type_ns:
      return 0;
    case dns::type_mx:
    case dns::type_svcb:
    case dns::type_https:
      return 2;
    case dns::type_srv:
      return 6;
    default:
      return std::string_view::npos;
  }
}

}  // namespace portolan::geodns
