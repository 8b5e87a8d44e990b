#include "daemon/config_check.hh"

namespace portolan::daemon {
namespace {

// Rules for places that nobody's place is known for.
void check_places(const Config& config, Errors& errors) {
  if (!config.geo_databases.empty()) return;
  for (const geodns::ZoneConfig& zone : config.geodns.zones)
    for (const geodns::RecordConfig& record : zone.records)
      for (const geodns::RuleConfig& rule : record.rules)
        for (const auto& [key, used] :
             {std::pair("asn", !rule.asns.empty()), std::pair("countries", !rule.countries.empty()),
              std::pair("regions", !rule.regions.empty()), std::pair("continents", !rule.continents.empty())})
          if (used)
            errors.push_back(rule.where + ": a rule names " + key +
                             ", but there are no databases in [geo]; it never counts");
}

}  // namespace

std::shared_ptr<geodns::View> check_zones(const Config& config, uint32_t serial, Errors& errors) {
  std::vector<geodns::Mistake> mistakes;
  auto view = geodns::build_view(config.geodns, serial, mistakes);
  for (const geodns::Mistake& mistake : mistakes) errors.push_back(mistake.where + ": " + mistake.text);
  check_places(config, errors);
  return view;
}

}  // namespace portolan::daemon
