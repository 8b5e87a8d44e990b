#include "core/geo/demo.hh"

#include <fmt/format.h>

#include <cstdio>
#include <fstream>

#include "core/base/address.hh"
#include "core/geo/writer.hh"

namespace portolan::geo {
namespace {

std::vector<DemoCity> make_cities() {
  std::vector<DemoCity> cities = {
      {"New York", "US", "NA", 40.7128, -74.0060, {}, {}},   {"San Francisco", "US", "NA", 37.7749, -122.4194, {}, {}},
      {"Chicago", "US", "NA", 41.8781, -87.6298, {}, {}},    {"Dallas", "US", "NA", 32.7767, -96.7970, {}, {}},
      {"Toronto", "CA", "NA", 43.6532, -79.3832, {}, {}},    {"Mexico City", "MX", "NA", 19.4326, -99.1332, {}, {}},
      {"Bogota", "CO", "SA", 4.7110, -74.0721, {}, {}},      {"Lima", "PE", "SA", -12.0464, -77.0428, {}, {}},
      {"Sao Paulo", "BR", "SA", -23.5505, -46.6333, {}, {}}, {"Buenos Aires", "AR", "SA", -34.6037, -58.3816, {}, {}},
      {"London", "GB", "EU", 51.5074, -0.1278, {}, {}},      {"Paris", "FR", "EU", 48.8566, 2.3522, {}, {}},
      {"Madrid", "ES", "EU", 40.4168, -3.7038, {}, {}},      {"Berlin", "DE", "EU", 52.5200, 13.4050, {}, {}},
      {"Rome", "IT", "EU", 41.9028, 12.4964, {}, {}},        {"Stockholm", "SE", "EU", 59.3293, 18.0686, {}, {}},
      {"Warsaw", "PL", "EU", 52.2297, 21.0122, {}, {}},      {"Istanbul", "TR", "EU", 41.0082, 28.9784, {}, {}},
      {"Cairo", "EG", "AF", 30.0444, 31.2357, {}, {}},       {"Lagos", "NG", "AF", 6.5244, 3.3792, {}, {}},
      {"Nairobi", "KE", "AF", -1.2921, 36.8219, {}, {}},     {"Johannesburg", "ZA", "AF", -26.2041, 28.0473, {}, {}},
      {"Dubai", "AE", "AS", 25.2048, 55.2708, {}, {}},       {"Mumbai", "IN", "AS", 19.0760, 72.8777, {}, {}},
      {"Singapore", "SG", "AS", 1.3521, 103.8198, {}, {}},   {"Hong Kong", "HK", "AS", 22.3193, 114.1694, {}, {}},
      {"Seoul", "KR", "AS", 37.5665, 126.9780, {}, {}},      {"Tokyo", "JP", "AS", 35.6762, 139.6503, {}, {}},
      {"Sydney", "AU", "OC", -33.8688, 151.2093, {}, {}},    {"Auckland", "NZ", "OC", -36.8509, 174.7645, {}, {}},
  };
  for (unsigned i = 0; i < cities.size(); ++i) {
    DemoCity& city = cities[i];
    city.network = fmt::format("127.{}.0.0/16", i);
    city.networks = {
        city.network,
        i < 16 ? fmt::format("192.0.2.{}/28", i * 16) : fmt::format("198.51.100.{}/28", (i - 16) * 16),
        fmt::format("198.18.{}.0/21", i * 8),
        fmt::format("203.0.113.{}/29", i * 8),
        i == 0 ? "2001:db8::/48" : fmt::format("2001:db8:{:x}::/48", i),
    };
  }
  return cities;
}

}  // namespace

const std::vector<DemoCity>& demo_cities() {
  static const std::vector<DemoCity> cities = make_cities();
  return cities;
}

Result<std::string> demo_database() {
  DatabaseWriter::Options options;
  options.type = "Portolan-Demo-City";
  DatabaseWriter writer(options);
  for (const DemoCity& city : demo_cities()) {
    Place place;
    place.latitude = city.latitude;
    place.longitude = city.longitude;
    place.accuracy_radius_km = 20;
    place.country = city.country;
    place.continent = city.continent;
    place.city = city.name;
    for (const std::string& text : city.networks) {
      auto network = IpNetwork::parse(text);
      if (!network) return network.error();
      if (Status inserted = writer.insert(*network, place); !inserted) return inserted.error();
    }
  }
  return writer.finish();
}

Status write_demo_database(const std::string& path) {
  auto bytes = demo_database();
  if (!bytes) return bytes.error();
  std::string fresh = path + ".new";
  std::ofstream out(fresh, std::ios::binary | std::ios::trunc);
  out.write(bytes->data(), static_cast<std::streamsize>(bytes->size()));
  out.close();
  if (!out) return system_error("cannot write " + fresh);
  if (std::rename(fresh.c_str(), path.c_str()) != 0) return system_error("cannot write " + path);
  return {};
}

}  // namespace portolan::geo
