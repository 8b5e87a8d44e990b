#pragma once
// Class CH: what the server says about itself (RFC 4892). Pure.
#include "core/dns/compose.hh"
#include "geodns/view.hh"

namespace portolan::geodns {

// Adds the answer to a question of class CH and returns its rcode: REFUSED where nothing is to be told.
uint16_t answer_chaos(const dns::Query& query, const ServerIdentity* identity, dns::Composer& composer);

}  // namespace portolan::geodns
