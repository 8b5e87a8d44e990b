#pragma once
// The rows of [timeouts], [listener.NAME], [pool.NAME] and [[route]].
#include "core/conf/field.hh"
#include "proxy/config.hh"

namespace portolan::proxy {

const conf::Table<Timeouts>& timeout_fields();
const conf::Table<ListenerConfig>& listener_fields();
const conf::Table<PoolConfig>& pool_fields();
const conf::Table<RouteConfig>& route_fields();

}  // namespace portolan::proxy
