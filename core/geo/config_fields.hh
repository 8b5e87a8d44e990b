#pragma once
// The rows of one entry of `databases` in [geo].
#include "core/conf/field.hh"
#include "core/geo/database.hh"

namespace portolan::geo {

const conf::Table<Database>& database_fields();

}  // namespace portolan::geo
