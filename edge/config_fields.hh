#pragma once
// The rows of [cache.NAME].
#include "core/conf/field.hh"
#include "edge/config.hh"

namespace portolan::edge {

const conf::Table<CacheConfig>& cache_fields();

}  // namespace portolan::edge
