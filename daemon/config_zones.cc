#include "daemon/config_check.hh"

namespace portolan::daemon {

std::shared_ptr<geodns::View> check_zones(const Config& config, uint32_t serial, Errors& errors) {
  std::vector<geodns::Mistake> mistakes;
  auto view = geodns::build_view(config.geodns, serial, mistakes);
  for (const geodns::Mistake& mistake : mistakes) errors.push_back(mistake.where + ": " + mistake.text);
  return view;
}

}  // namespace portolan::daemon
