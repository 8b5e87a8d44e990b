#pragma once
// Databases of the MaxMind DB format, from any publisher -> one immutable Table. Loading reads the
// files privately, walks each whole search tree and every record in it, and refuses the file at the
// first inconsistency; afterwards nothing refers to the files. Takes about a second for a worldwide
// city database: run it off the workers.
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hh"
#include "core/geo/table.hh"

namespace portolan::geo {

struct Database {
  std::string path;
  // auto: whatever it knows. city: an error if it has no coordinates. country: nothing but its codes count. asn: nothing
  // but the networks' numbers. networks: an operator's list, see network_list.hh.
  std::string kind = "auto";
  // Field -> path of keys in a record ("location.latitude"). Fields: latitude, longitude,
  // accuracy_radius, country, region, continent, asn. Those left out are looked for under MaxMind's nested keys,
  // then under the flat keys of others.
  std::map<std::string, std::string> keys;
  bool operator==(const Database&) const = default;
};

// Later databases take precedence, field by field. Errors begin with the path of the file.
Result<std::shared_ptr<const Table>> load(const std::vector<Database>& databases);

// The same for one database held in memory; `database.path` only names it in errors.
Result<std::shared_ptr<const Table>> load_bytes(std::string_view bytes, const Database& database);

}  // namespace portolan::geo
