#include "geodns/policy_fields.hh"

#include <charconv>

#include "core/geo/country.hh"

namespace portolan::geodns {
namespace {

using conf::Binder;
using conf::row;
using conf::Value;

constexpr uint32_t most_km = 20'000;

std::optional<uint32_t> parse_km(std::string_view text) {
  if (text == "off") return 0;
  if (!text.ends_with("km")) return std::nullopt;
  text.remove_suffix(2);
  while (text.ends_with(' ')) text.remove_suffix(1);
  uint32_t km = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), km);
  if (error != std::errc() || end != text.data() + text.size() || km < 1 || km > most_km) return std::nullopt;
  return km;
}

bool check_rule(Binder& binder, const Value& value, RuleConfig& rule) {
  rule.where = value.where.text();
  if (value.find("order") || value.find("datacenters")) return true;
  binder.error(value.where, "a rule in " + binder.context() + " has neither order nor datacenters");
  return false;
}

conf::Type<RuleConfig> when() {
  return conf::through<RuleConfig, std::string>(conf::one_of({"always", "imprecise"}),
                                                [](Binder&, const Value&, RuleConfig& rule, std::string& word) {
                                                  rule.imprecise = word == "imprecise";
                                                  return true;
                                                });
}

}  // namespace

conf::Type<uint32_t> distance_or_off() {
  conf::Type<uint32_t> t;
  t.name = "distance";
  t.bounds = [] { return std::string("\"1km\" to \"20000km\", or \"off\""); };
  t.example = "\"500km\"";
  t.read = [](Binder& binder, const Value& value, uint32_t& out) {
    const auto km = value.kind == Value::Kind::string ? parse_km(value.string) : std::nullopt;
    if (!km) return binder.must_be(value, "a distance from \"1km\" to \"20000km\", or \"off\"");
    out = *km;
    return true;
  };
  t.show = [](const uint32_t& km) { return km ? '"' + std::to_string(km) + "km\"" : std::string("\"off\""); };
  return t;
}

const conf::Table<RuleConfig>& rule_fields() {
  static const conf::Table<RuleConfig> table{
      {
          row("networks", &RuleConfig::networks, conf::list(conf::network()),
              "Of askers; the longest of all rules counts.")
              .example("[\"198.51.100.0/24\"]"),
          row("asn", &RuleConfig::asns, conf::list(conf::integer<uint32_t>(1, 4'294'967'295)),
              "Numbers of their networks, as a database of kind asn has them.")
              .example("[64500]"),
          row("countries", &RuleConfig::countries, conf::list(geo::country()), "Where they are: ISO 3166-1."),
          row("regions", &RuleConfig::regions, conf::list(conf::string("\"US-CA\"")), "Where they are: ISO 3166-2."),
          row("continents", &RuleConfig::continents, conf::list(conf::string("\"EU\"")),
              "Where they are: AF, AN, AS, EU, NA, OC, SA."),
          conf::row_of<RuleConfig, RuleConfig>(
              "when", std::identity(), when(),
              "imprecise: only for those whose location is not within the record's accuracy, or not known.")
              .otherwise("\"always\""),
          row("order", &RuleConfig::order, conf::list(conf::reference("datacenter"), 1),
              "Datacentres, first choice first; the others come after them.")
              .example("[\"us-east\", \"us-west\"]"),
          row("datacenters", &RuleConfig::datacenters, conf::list(conf::reference("datacenter"), 1),
              "Instead of order: those the policy chooses among; the others come after them.")
              .example("[\"us-east\", \"us-west\"]"),
          row("weights", &RuleConfig::weights,
              conf::by_name<std::vector<std::pair<std::string, uint32_t>>>("datacenter",
                                                                           conf::integer<uint32_t>(0, 1'000'000)),
              "Of the datacenters, instead of the record's.")
              .example("{ us-east = 70, us-west = 30 }"),
          row("only", &RuleConfig::only, conf::boolean(),
              "The other datacentres are not even a last choice: when none of these is usable all of them are "
              "answered, or "
              "with last_resort = \"first\" the first."),
      },
      check_rule};
  return table;
}

}  // namespace portolan::geodns
