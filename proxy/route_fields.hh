#pragma once
// What the rows of a route share with those of listeners and pools.
#include "core/conf/field.hh"
#include "proxy/config.hh"

namespace portolan::proxy {

const conf::Table<TimeoutOverrides>& timeout_override_fields();

}  // namespace portolan::proxy
