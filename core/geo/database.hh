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
  std::string where = {};  // its place in the configuration, "file:line:col"; no part of what it is
  bool operator==(const Database& o) const { return path == o.path && kind == o.kind && keys == o.keys; }
};

// Why one of several can't be used: its index, and an error that begins with the path of its file.
struct Flaw {
  size_t database = 0;
  Error error;
};

// Later databases take precedence, field by field. No table where one of them can't be used: each that can't is appended
// to `flaws`.
struct Loaded {
  std::shared_ptr<const Table> table;
  std::vector<int64_t> built_s;  // by database, seconds since 1970; 0: it doesn't say
};
Loaded load(const std::vector<Database>& databases, std::vector<Flaw>& flaws);

// The same for one database held in memory; `database.path` only names it in errors.
Result<std::shared_ptr<const Table>> load_bytes(std::string_view bytes, const Database& database);

}  // namespace portolan::geo
