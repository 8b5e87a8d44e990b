#pragma once
// Keys of a service record's rules, and the types they need.
#include "core/conf/types.hh"
#include "geodns/config.hh"

namespace portolan::geodns {

const conf::Table<RuleConfig>& rule_fields();
// "500km", or "off" for 0.
conf::Type<uint32_t> distance_or_off();

}  // namespace portolan::geodns
