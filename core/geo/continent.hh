#pragma once
// On which continent a country is, for databases that know countries alone.
#include <string_view>

#include "core/geo/location.hh"

namespace portolan::geo {

// "EU" for "DE": as GeoNames has it, each country on one. Empty for what is no country's code (ISO 3166-1 alpha-2, upper
// case).
std::string_view continent_of(std::string_view country);
// What is known there, or that of the country; empty: neither.
std::string_view continent_of(const Location& at);

}  // namespace portolan::geo
