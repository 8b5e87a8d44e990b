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

// `built_s`: seconds since 1970, where the file says it.
Status add(const PrivateFile& file, const Database& database, Table::Builder& builder, int64_t& built_s) {
  const std::string& kind = database.kind;
  if (kind == "networks") return add_network_list(file.bytes(), builder);
  if (kind != "auto" && kind != "city" && kind != "country" && kind != "asn")
    return Error{fmt::format("kind \"{}\" is none of auto, city, country, asn, networks", kind)};
  auto keys = FieldKeys::with(database.keys);
  if (!keys) return keys.error();
  auto layout = read_mmdb_layout(file.bytes());
  if (!layout) return layout.error();
  built_s = static_cast<int64_t>(layout->build_epoch);
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

Loaded load(const std::vector<Database>& databases, std::vector<Flaw>& flaws) {
  Loaded loaded;
  auto builder = std::make_unique<Table::Builder>();
  bool good = true;
  for (size_t i = 0; i < databases.size(); i++) {
    auto file = PrivateFile::copy_of(databases[i].path);
    Status added = file ? add(*file, databases[i], *builder, loaded.built_s.emplace_back(0)) : Status(file.error());
    if (added) continue;
    flaws.push_back({i, named(databases[i], added.error())});
    good = false;
    builder = std::make_unique<Table::Builder>();  // the rest is looked at alone
  }
  if (good) loaded.table = builder->finish();
  return loaded;
}

Result<std::shared_ptr<const Table>> load_bytes(std::string_view bytes, const Database& database) {
  Table::Builder builder;
  auto file = PrivateFile::holding(bytes);
  if (!file) return named(database, file.error());
  int64_t built_s = 0;
  if (Status added = add(*file, database, builder, built_s); !added) return named(database, added.error());
  return builder.finish();
}

}  // namespace portolan::geo
