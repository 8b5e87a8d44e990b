#include "core/geo/database.hh"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/geo/mmdb_layout.hh"
#include "core/geo/mmdb_tree.hh"
#include "core/geo/network_list.hh"
#include "core/geo/private_file.hh"
#include "core/geo/record_reader.hh"
#include "core/geo/trie.hh"

namespace portolan::geo {
namespace {

std::string looked_for(const FieldKeys& keys, bool coordinates_only) {
  std::vector<std::string> names;
  std::vector<const std::vector<KeyPath>*> fields = {&keys.latitude, &keys.longitude};
  if (!coordinates_only) fields.insert(fields.end(), {&keys.country, &keys.continent});
  for (const auto* field : fields)
    for (const KeyPath& path : *field) names.push_back(path.dotted());
  return fmt::format("{}", fmt::join(names, ", "));
}

Status add(const PrivateFile& file, const Database& database, Table::Builder& builder) {
  const std::string& kind = database.kind;
  if (kind == "networks") return add_network_list(file.bytes(), builder);
  if (kind != "auto" && kind != "city" && kind != "country" && kind != "asn")
    return Error{fmt::format("kind \"{}\" is none of auto, city, country, asn, networks", kind)};
  auto keys = FieldKeys::with(database.keys);
  if (!keys) return keys.error();
  auto layout = read_mmdb_layout(file.bytes());
  if (!layout) return layout.error();
  auto records = RecordReader::open(
      file, *layout, *keys, {kind != "country" && kind != "asn", kind != "asn", kind == "auto" || kind == "asn"});
  if (!records) return records.error();
  builder.trie().reserve(layout->node_count);
  auto roots = MmdbTree(*layout, *records, builder.trie()).walk();
  if (!roots) return roots.error();
  if (kind == "asn" && !records->saw_asn())
    return Error{fmt::format("\"{}\" has no numbers of networks", layout->type)};
  if (kind == "city" && !records->saw_coordinates())
    return Error{fmt::format("\"{}\" has no coordinates: looked for {}", layout->type, looked_for(*keys, true))};
  if (!records->saw_coordinates() && !records->saw_code() && !records->saw_asn())
    return Error{fmt::format("\"{}\" knows no locations: looked for {}", layout->type, looked_for(*keys, false))};
  return builder.lay(roots->v4, roots->v6);
}

Error named(const Database& database, const Error& error) {
  return Error{database.path + ": " + error.text, error.code};
}

}  // namespace

Result<std::shared_ptr<const Table>> load(const std::vector<Database>& databases) {
  Table::Builder builder;
  for (const Database& database : databases) {
    auto file = PrivateFile::copy_of(database.path);
    if (!file) return named(database, file.error());
    if (Status added = add(*file, database, builder); !added) return named(database, added.error());
  }
  return builder.finish();
}

Result<std::shared_ptr<const Table>> load_bytes(std::string_view bytes, const Database& database) {
  Table::Builder builder;
  auto file = PrivateFile::holding(bytes);
  if (!file) return named(database, file.error());
  if (Status added = add(*file, database, builder); !added) return named(database, added.error());
  return builder.finish();
}

}  // namespace portolan::geo
