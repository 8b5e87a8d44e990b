#include "core/geo/config_fields.hh"

#include "core/conf/types.hh"

namespace portolan::geo {
namespace {

using Keys = std::map<std::string, std::string>;

conf::Row<Keys> field(const char* name, const char* example) {
  auto get = [name](Keys& keys) -> std::string& { return keys[name]; };
  return conf::row_of<Keys, std::string>(name, get, conf::string(example),
                                         std::string("The path of keys that leads to the ") + name + " in a record.")
      .otherwise("looked for");
}

const conf::Table<Keys>& key_fields() {
  static const conf::Table<Keys> table{
      field("latitude", "\"location.latitude\""),
      field("longitude", "\"location.longitude\""),
      field("accuracy_radius", "\"location.accuracy_radius\""),
      field("country", "\"country.iso_code\""),
      field("region", "\"subdivisions.0.iso_code\""),
      field("continent", "\"continent.code\""),
      field("asn", "\"autonomous_system_number\""),
  };
  return table;
}

}  // namespace

const conf::Table<Database>& database_fields() {
  static const conf::Table<Database> table{
      conf::row("path", &Database::path, conf::path("\"/var/lib/portolan/GeoLite2-City.mmdb\""),
                "A file of the MaxMind DB format, or with kind = \"networks\" a list of networks.")
          .require(),
      conf::row(
          "kind", &Database::kind, conf::one_of({"auto", "city", "country", "asn", "networks"}),
          "What is read from it; auto: whatever it knows. networks: a text of a network and what is known of it a "
          "line."),
      conf::row("keys", &Database::keys, conf::table(key_fields()),
                "Where its records hold what, if not under the keys of MaxMind or the flat ones of "
                "others."),
  };
  return table;
}

}  // namespace portolan::geo
