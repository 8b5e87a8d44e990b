#pragma once
// The rows of the whole file.
#include "core/conf/field.hh"
#include "daemon/config.hh"

namespace portolan::daemon {

const conf::Table<Config>& config_fields();

}  // namespace portolan::daemon
