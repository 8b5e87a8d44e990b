#pragma once
// The distinct Locations of a table, packed: coordinates are kept once (a city has several accuracy
// radii), and so is what else is known (country, continent, radius: a few hundred combinations).
// Immutable, any thread.
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/geo/location.hh"
#include "core/geo/packed.hh"

namespace portolan::geo {

class Places {
 public:
  explicit Places(const std::vector<Location>& locations);

  Location operator[](uint32_t place) const;
  size_t size() const { return size_; }
  size_t memory_bytes() const;

 private:
  struct Coordinates {
    double latitude = 0;
    double longitude = 0;
  };

  size_t size_;
  unsigned trait_bits_ = 0;
  Packed places_;  // index into coordinates_ over index into traits_
  std::vector<Coordinates> coordinates_;
  std::vector<Location> traits_;  // without coordinates
};

}  // namespace portolan::geo
