#pragma once
// The rows of a pool's `health`.
#include "core/conf/field.hh"
#include "core/health/config.hh"

namespace portolan::health {

const conf::Table<CheckConfig>& check_fields();

}  // namespace portolan::health
