#pragma once
// What steers requests to servers, as keys: [pool].hash, [pool].sticky and [pool].shards.
#include "core/conf/field.hh"
#include "proxy/config.hh"

namespace portolan::proxy {

conf::Type<HashConfig> hash();
conf::Type<StickyConfig> sticky();
conf::Type<ShardsConfig> shards();
// What one of them alone can't say; false, and told: the pool can't be as it is written.
bool steering_is_sound(conf::Binder& binder, const conf::Value& value, const PoolConfig& pool);

}  // namespace portolan::proxy
