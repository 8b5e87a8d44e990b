#pragma once
// What is known of the place of an address, and the distance between two places. Plain values, any
// thread.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace portolan::geo {

// Codes are upper case ASCII (ISO 3166-1 alpha-2; continents AF AN AS EU NA OC SA; regions are what stands behind the
// dash in ISO 3166-2, one to three characters), zero bytes where unknown. Coordinates are degrees, WGS 84. Tables keep each distinct Location once: compare
// by address or by value.
struct Location {
  double latitude = 0;              // [-90, 90]; meaningful with has_coordinates
  double longitude = 0;             // [-180, 180]
  uint16_t accuracy_radius_km = 0;  // 0: the database does not say
  bool has_coordinates = false;
  std::array<char, 2> country{};
  std::array<char, 2> continent{};
  std::array<char, 3> region{};  // of the country
  uint32_t asn = 0;              // of the network; 0: unknown

  std::string_view country_code() const { return code(country); }  // empty where unknown
  std::string_view continent_code() const { return code(continent); }
  std::string_view region_code() const {
    return {region.data(), region[2] ? 3u : region[1] ? 2u : region[0] ? 1u : 0u};
  }
  // False when nothing at all is known.
  bool known() const { return has_coordinates || country[0] || continent[0] || region[0] || asn; }
  bool operator==(const Location&) const = default;

 private:
  static std::string_view code(const std::array<char, 2>& c) {
    return c[0] ? std::string_view(c.data(), 2) : std::string_view();
  }
};

struct LocationHash {
  size_t operator()(const Location& location) const;
};

// `under` with every field `over` knows taken from `over`; the radius goes with the coordinates, and a
// region ends with its country.
Location combine(const Location& under, const Location& over);

// Great-circle distance on a sphere of the Earth's mean radius (haversine), in kilometres. Degrees
// in.
double distance_km(double latitude1, double longitude1, double latitude2, double longitude2);

}  // namespace portolan::geo
