#pragma once
// What stands beside records that name servers, and what is said of names that are others' to answer. Pure, without the
// heap.
#include <string_view>

#include "core/dns/compose.hh"
#include "geodns/zone.hh"

namespace portolan::geodns {

// The servers of a delegation in the authority section (RFC 1034 §4.3.2, 3b) and their addresses behind them. Where an
// address without which nobody would find them doesn't fit, the message is truncated (RFC 9471).
void refer(const Delegation& delegation, dns::Composer& composer);

// A set whose records name others (target_offset), and the addresses of those of the zone's own names, while they fit.
// Never a service's: those depend on the asker.
void add_with_addresses(const RecordSet& set, std::string_view owner, const Zone& zone, dns::Composer& composer);

}  // namespace portolan::geodns
