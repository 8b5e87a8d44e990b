#include "core/geo/places.hh"

#include <bit>

#include "core/geo/interner.hh"

namespace portolan::geo {
namespace {

template <class Thing, class Same>
uint32_t intern(Interner& interner, std::vector<Thing>& things, const Thing& thing, uint64_t hash, Same same) {
  const uint32_t fresh = static_cast<uint32_t>(things.size());
  const uint32_t number = interner.number_of(hash, fresh, [&](uint32_t n) { return same(things[n], thing); });
  if (number == fresh) things.push_back(thing);
  return number;
}

}  // namespace

Places::Places(const std::vector<Location>& locations) : size_(locations.size()) {
  Interner by_coordinates, by_traits;
  std::vector<std::array<uint32_t, 2>> pairs;
  pairs.reserve(size_);
  for (const Location& location : locations) {
    const uint64_t hash =
        stir(stir(size_, std::bit_cast<uint64_t>(location.latitude)), std::bit_cast<uint64_t>(location.longitude));
    const uint32_t coordinates =
        intern(by_coordinates, coordinates_, Coordinates{location.latitude, location.longitude}, hash,
               [](const Coordinates& a, const Coordinates& b) {
                 return a.latitude == b.latitude && a.longitude == b.longitude;
               });
    Location traits = location;
    traits.latitude = traits.longitude = 0;
    pairs.push_back(
        {coordinates, intern(by_traits, traits_, traits, LocationHash{}(traits), std::equal_to<Location>{})});
  }
  trait_bits_ = static_cast<unsigned>(std::bit_width(traits_.size()));
  std::vector<uint64_t> numbers;
  numbers.reserve(size_);
  for (const auto& [coordinates, traits] : pairs) numbers.push_back(uint64_t{coordinates} << trait_bits_ | traits);
  places_ = Packed(numbers);
  coordinates_.shrink_to_fit();
  traits_.shrink_to_fit();
}

Location Places::operator[](uint32_t place) const {
  const uint64_t both = places_[place];
  Location location = traits_[both & ((uint64_t{1} << trait_bits_) - 1)];
  const Coordinates& at = coordinates_[both >> trait_bits_];
  location.latitude = at.latitude;
  location.longitude = at.longitude;
  return location;
}

size_t Places::memory_bytes() const {
  return places_.memory_bytes() + coordinates_.capacity() * sizeof(Coordinates) + traits_.capacity() * sizeof(Location);
}

}  // namespace portolan::geo
