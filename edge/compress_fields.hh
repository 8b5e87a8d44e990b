#pragma once
// The row of [cache.NAME].compress.
#include "core/conf/field.hh"
#include "edge/config.hh"

namespace portolan::edge {

conf::Type<CompressConfig> compression();

}  // namespace portolan::edge
