#pragma once
// The rows of [cache.NAME].ttl.
#include "core/conf/field.hh"
#include "edge/config.hh"

namespace portolan::edge {

const conf::Table<TtlRule>& ttl_rule_fields();

}  // namespace portolan::edge
