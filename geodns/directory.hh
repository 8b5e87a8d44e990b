#pragma once
// Datacentres and the services in them as the answer path reads them: indices instead of names,
// addresses already in wire form. Immutable once built; shared by all workers.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "geodns/config.hh"

namespace portolan::geodns {

// A mistake in what the operator wrote, at its place ("file:line:col").
struct Mistake {
  std::string where;
  std::string text;
};

// A place on the unit sphere. Great-circle distance grows with the chord, so nearest needs no arc.
struct Point {
  double x = 0, y = 0, z = 0;
  static Point from_degrees(double latitude, double longitude);
  double chord_squared(const Point& o) const {
    const double dx = x - o.x, dy = y - o.y, dz = z - o.z;
    return dx * dx + dy * dy + dz * dz;
  }
  double distance_km(const Point& o) const;  // great circle, on a sphere of the Earth's mean radius
  bool operator==(const Point&) const = default;
};

struct Datacenter {
  std::string name;
  bool has_location = false;
  Point location;
  double capacity = 0;  // the share of all queries it can bear, 0.4; 0: no limit
};

// Addresses of one family in wire form, without duplicates.
using Addresses = std::vector<std::string>;

struct Site {
  uint16_t datacenter = 0;
  Addresses v4, v6;
  std::string target;  // a name, in wire form: answered as a CNAME; such a site has no addresses
  const Addresses& of(bool v6_asked) const { return v6_asked ? v6 : v4; }
};

struct Service {
  std::string name;
  std::vector<Site> sites;   // in the order of Directory::datacenters
  bool by_name = false;      // its sites have targets
  bool shares = false;       // an address stands in several of its sites
  Addresses all_v4, all_v6;  // of every site: what is answered when all are down
  const Addresses& all(bool v6_asked) const { return v6_asked ? all_v6 : all_v4; }
};

struct Directory {
  static constexpr size_t max_datacenters = 256;
  std::vector<Datacenter> datacenters;
  std::vector<Service> services;
  std::vector<uint64_t> name_hashes;  // of the datacentres: the same on every server, wherever they stand in its file
  int find_datacenter(const std::string& name) const;  // -1: none
  int find_service(const std::string& name) const;
};

// Indices follow the order of `config`. Whatever is wrong is appended to `mistakes`, and what is
// right is still built.
Directory build_directory(const GeodnsConfig& config, std::vector<Mistake>& mistakes);

// Of a service in a datacentre. Unknown is not down: it is answered until a check has said
// otherwise.
enum class State : uint8_t { unknown, up, down, draining };
inline bool usable(State state) {
  return state == State::unknown || state == State::up;
}

// What is known of a service in a datacentre at a moment.
struct Condition {
  static constexpr uint16_t full_room = UINT16_MAX;
  static constexpr uint32_t ever = UINT32_MAX;
  State state = State::unknown;
  // How many in 65535 of those whose first choice it is it takes; the others go on to their next (capacity.hh).
  uint16_t room = full_room;
  uint32_t horizon_s = ever;  // whole seconds it stays as it is, at least
  constexpr Condition() = default;
  constexpr Condition(State s) : state(s) {}  // NOLINT(google-explicit-constructor)
  bool operator==(const Condition&) const = default;
};

// [service][datacenter], by Directory's indices; what is missing counts as unknown.
struct ServiceStates {
  std::vector<std::vector<Condition>> states;
  std::span<const Condition> of(size_t service) const {
    return service < states.size() ? std::span<const Condition>(states.data()[service]) : std::span<const Condition>();
  }
  const Condition& at(size_t service, size_t datacenter) const {
    const auto known = of(service);
    return datacenter < known.size() ? known.data()[datacenter] : unknown;
  }
  Condition of(size_t service, size_t datacenter) const { return at(service, datacenter); }
  static constexpr Condition unknown{};
  bool operator==(const ServiceStates&) const = default;
};

}  // namespace portolan::geodns
