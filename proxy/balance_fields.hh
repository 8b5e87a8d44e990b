#pragma once
// Rows of what steers requests to servers: [pool].hash and [pool].sticky.
#include "core/conf/field.hh"
#include "proxy/config.hh"

namespace portolan::proxy {

const conf::Table<HashConfig>& hash_fields();
const conf::Table<StickyConfig>& sticky_fields();
// False, and told: `hash` is set, and the pool's policy doesn't ask for it.
bool hash_is_used(conf::Binder& binder, const conf::Value& value, const PoolConfig& pool);

}  // namespace portolan::proxy
