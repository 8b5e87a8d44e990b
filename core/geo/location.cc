#include "core/geo/location.hh"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "core/geo/interner.hh"

namespace portolan::geo {

size_t LocationHash::operator()(const Location& location) const {
  uint64_t h = 0x9e3779b97f4a7c15;
  h = stir(h, std::bit_cast<uint64_t>(location.latitude));
  h = stir(h, std::bit_cast<uint64_t>(location.longitude));
  h = stir(h, uint64_t{location.accuracy_radius_km} << 1 | location.has_coordinates);
  for (const auto& code : {location.country, location.continent})
    h = stir(h, uint64_t{static_cast<uint8_t>(code[0])} << 8 | static_cast<uint8_t>(code[1]));
  for (char c : location.region) h = h << 8 ^ h >> 56 ^ static_cast<uint8_t>(c);
  return stir(h, location.asn);
}

Location combine(const Location& under, const Location& over) {
  Location r = under;
  if (over.has_coordinates) {
    r.has_coordinates = true;
    r.latitude = over.latitude;
    r.longitude = over.longitude;
    r.accuracy_radius_km = over.accuracy_radius_km;
  }
  if (over.country[0] && over.country != under.country) {
    r.country = over.country;
    r.region = {};  // it was the other country's
  }
  if (over.region[0]) r.region = over.region;
  if (over.asn) r.asn = over.asn;
  if (over.continent[0]) r.continent = over.continent;
  return r;
}

double distance_km(double latitude1, double longitude1, double latitude2, double longitude2) {
  constexpr double earth_radius_km = 6371.0088;
  constexpr double radian = std::numbers::pi / 180;
  double half_latitude = std::sin((latitude2 - latitude1) * radian / 2);
  double half_longitude = std::sin((longitude2 - longitude1) * radian / 2);
  double a = half_latitude * half_latitude +
             std::cos(latitude1 * radian) * std::cos(latitude2 * radian) * half_longitude * half_longitude;
  return 2 * earth_radius_km * std::asin(std::sqrt(std::clamp(a, 0.0, 1.0)));
}

}  // namespace portolan::geo
