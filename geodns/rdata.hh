#pragma once
// A record's value as the operator wrote it → RDATA in wire form.
#include <string>
#include <string_view>

#include "core/base/result.hh"
#include "core/dns/name.hh"

namespace portolan::geodns {

// The record types that may stand in a zone, as their number; 0: not one of them.
uint16_t record_type(std::string_view text);

// A name in a value: absolute where it has a dot inside or at its end, else below `origin`; "@" is
// `origin`. Lower case.
Result<dns::Name> value_name(std::string_view text, const dns::Name& origin);
// A record's name: below `origin` unless it ends in a dot. Lower case. It must lie within `origin`.
Result<dns::Name> owner_name(std::string_view text, const dns::Name& origin);
// "host.master@example.com" as the SOA's RNAME (RFC 1035 §8), dots of the local part escaped.
Result<dns::Name> contact_name(std::string_view text);

Result<std::string> parse_rdata(uint16_t type, std::string_view value, const dns::Name& origin);

}  // namespace portolan::geodns
