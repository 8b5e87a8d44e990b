#include "geodns/directory.hh"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/crypto/keyed_hash.hh"
#include "core/dns/name.hh"

namespace portolan::geodns {
namespace {

constexpr crypto::HashKey name_key{0x706f72746f6c616e, 0x67656f646e73};  // one for all servers

void add_unique(Addresses& list, const std::string& address) {
  if (std::find(list.begin(), list.end(), address) == list.end()) list.push_back(address);
}

// False: another site, or this one, has it too.
bool add_address(const IpAddress& ip, Site& site, Service& service) {
  const std::string wire(reinterpret_cast<const char*>(ip.bytes.data()), ip.size());
  add_unique(ip.is_v4() ? site.v4 : site.v6, wire);
  Addresses& all = ip.is_v4() ? service.all_v4 : service.all_v6;
  const size_t before = all.size();
  add_unique(all, wire);
  return all.size() > before;
}

// All sites of a service have addresses, or all have names.
void add_target(const ServiceSite& written, const std::string& datacenter, Site& site, Service& service,
                std::vector<Mistake>& mistakes) {
  const auto complain = [&](const std::string& what) {
    mistakes.push_back({written.where, "service \"" + service.name + "\" " + what});
  };
  const bool named = !written.target.empty();
  if (!named && written.addresses.empty()) complain("has no addresses in \"" + datacenter + "\"");
  if (named && !written.addresses.empty()) complain("has addresses and a target in \"" + datacenter + "\"; keep one");
  if (!service.sites.empty() && service.by_name != named)
    complain("has addresses in one datacentre and a target in another");
  service.by_name = named;
  if (!named) return;
  auto name = dns::Name::parse(written.target);
  if (!name) return complain("has a target that is no name: " + name.error().text);
  site.target = std::string(name->lowered().wire());
}

Service build_service(const ServiceConfig& config, const Directory& directory, std::vector<Mistake>& mistakes) {
  Service service;
  service.name = config.name;
  for (const auto& [name, site] : config.sites)
    if (directory.find_datacenter(name) < 0)
      mistakes.push_back({site.where, "service \"" + config.name + "\" stands in \"" + name +
                                          "\", but there is no [datacenter." + name + "]"});
  for (size_t i = 0; i < directory.datacenters.size(); i++) {
    auto found = config.sites.find(directory.datacenters[i].name);
    if (found == config.sites.end()) continue;
    Site site;
    site.datacenter = static_cast<uint16_t>(i);
    for (const IpAddress& ip : found->second.addresses) service.shares |= !add_address(ip, site, service);
    add_target(found->second, found->first, site, service, mistakes);
    service.sites.push_back(std::move(site));
  }
  if (config.sites.empty())
    mistakes.push_back({config.where, "service \"" + config.name + "\" stands in no datacentre"});
  return service;
}

template <class List>
int find_by_name(const List& list, const std::string& name) {
  for (size_t i = 0; i < list.size(); i++)
    if (list[i].name == name) return static_cast<int>(i);
  return -1;
}

}  // namespace

Point Point::from_degrees(double latitude, double longitude) {
  const double radians = std::numbers::pi / 180;
  const double phi = latitude * radians, lambda = longitude * radians;
  return {std::cos(phi) * std::cos(lambda), std::cos(phi) * std::sin(lambda), std::sin(phi)};
}

double Point::distance_km(const Point& o) const {
  constexpr double earth_radius_km = 6371.0088;
  return 2 * earth_radius_km * std::asin(std::min(1.0, std::sqrt(chord_squared(o)) / 2));
}

int Directory::find_datacenter(const std::string& name) const {
  return find_by_name(datacenters, name);
}
int Directory::find_service(const std::string& name) const {
  return find_by_name(services, name);
}

Directory build_directory(const GeodnsConfig& config, std::vector<Mistake>& mistakes) {
  Directory directory;
  for (const DatacenterConfig& written : config.datacenters) {
    Datacenter datacenter{written.name, written.has_location, {}, written.capacity};
    if (written.has_location) datacenter.location = Point::from_degrees(written.latitude, written.longitude);
    directory.name_hashes.push_back(crypto::keyed_hash(name_key, written.name));
    directory.datacenters.push_back(std::move(datacenter));
  }
  if (directory.datacenters.size() > Directory::max_datacenters)
    mistakes.push_back({config.datacenters.back().where, "more than 256 datacentres"});
  for (const ServiceConfig& written : config.services)
    directory.services.push_back(build_service(written, directory, mistakes));
  return directory;
}

}  // namespace portolan::geodns
