#include "daemon/config_check.hh"
#include "geodns/zone.hh"

namespace portolan::daemon {

void check_zones(const Config& config, Errors& errors) {
  std::vector<geodns::Mistake> mistakes;
  geodns::Directory directory = geodns::build_directory(config.geodns, mistakes);
  geodns::build_zones(config.geodns.zones, directory, 1, mistakes);
  for (const geodns::Mistake& mistake : mistakes) errors.push_back(mistake.where + ": " + mistake.text);
}

}  // namespace portolan::daemon
