#pragma once
// The rows of a pool's `health` and `eject`.
#include "core/conf/field.hh"
#include "core/health/config.hh"

namespace portolan::health {

const conf::Table<CheckConfig>& check_fields();
const conf::Table<EjectConfig>& eject_fields();

}  // namespace portolan::health
