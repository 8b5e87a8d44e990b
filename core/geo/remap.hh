#pragma once
// A table of another's prefixes: what its places are for somebody. Neighbours that are the same for him become one, so
// that a prefix is no longer than his difference.
#include <cstdint>
#include <memory>
#include <vector>

#include "core/geo/table.hh"

namespace portolan::geo {

// `class_of_place` has a class for every place of `table`, each below `classes` (at most 2^24 - 2). The places found in
// the result are classes; it knows no locations.
std::shared_ptr<const Table> remap(const Table& table, const std::vector<uint32_t>& class_of_place, uint32_t classes);

}  // namespace portolan::geo
