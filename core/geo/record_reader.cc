#include "core/geo/record_reader.hh"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <maxminddb.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

namespace portolan::geo {
namespace {

constexpr uint64_t record_limit = 16'384;

Error bad(uint32_t offset, const KeyPath& path, std::string_view what) {
  return Error{fmt::format("data offset {}: {} {}", offset, path.dotted(), what)};
}

enum class Reading { absent, present, wrong };

Reading parse_number(std::string_view text, double& out) {
  if (text.empty() || text == "-") return Reading::absent;
  if (text.starts_with("AS")) text.remove_prefix(2);  // a network's number, as some write it
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() ? Reading::present : Reading::wrong;
}

Reading to_number(const MMDB_entry_data_s& value, double& out) {
  switch (value.type) {
    case MMDB_DATA_TYPE_DOUBLE:
      out = value.double_value;
      return Reading::present;
    case MMDB_DATA_TYPE_FLOAT:
      out = static_cast<double>(value.float_value);
      return Reading::present;
    case MMDB_DATA_TYPE_UINT16:
      out = value.uint16;
      return Reading::present;
    case MMDB_DATA_TYPE_UINT32:
      out = value.uint32;
      return Reading::present;
    case MMDB_DATA_TYPE_INT32:
      out = value.int32;
      return Reading::present;
    case MMDB_DATA_TYPE_UINT64:
      out = static_cast<double>(value.uint64);
      return Reading::present;
    case MMDB_DATA_TYPE_UTF8_STRING:
      return parse_number({value.utf8_string, value.data_size}, out);
    default:
      return Reading::wrong;
  }
}

Reading to_code(const MMDB_entry_data_s& value, size_t shortest, std::span<char> out) {
  if (value.type != MMDB_DATA_TYPE_UTF8_STRING) return Reading::wrong;
  std::string_view text(value.utf8_string, value.data_size);
  if (text.empty() || text == "-") return Reading::absent;
  if (text.size() < shortest || text.size() > out.size()) return Reading::wrong;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))) return Reading::wrong;
    out[i] = c;
  }
  return Reading::present;
}

// False where the record has nothing there.
Result<bool> look_up(const MMDB_s& mmdb, uint32_t offset, const KeyPath& path, MMDB_entry_data_s& value) {
  MMDB_entry_s record{&mmdb, offset};
  int code = MMDB_aget_value(&record, &value, path.pointers.data());
  if (code == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR || code == MMDB_INVALID_LOOKUP_PATH_ERROR) return false;
  if (code != MMDB_SUCCESS) return bad(offset, path, MMDB_strerror(code));
  return value.has_data;
}

std::vector<KeyPath> paths_of(std::initializer_list<std::string_view> strict,
                              std::initializer_list<std::string_view> lenient = {}) {
  std::vector<KeyPath> paths;
  for (std::string_view dotted : strict) paths.emplace_back(dotted);
  for (std::string_view dotted : lenient) paths.emplace_back(dotted, true);
  return paths;
}

}  // namespace

KeyPath::KeyPath(std::string_view dotted, bool lenient_) : lenient(lenient_) {
  for (size_t start = 0; start <= dotted.size();) {
    size_t end = std::min(dotted.find('.', start), dotted.size());
    parts.emplace_back(dotted.substr(start, end - start));
    start = end + 1;
  }
  for (const std::string& part : parts) pointers.push_back(part.c_str());
  pointers.push_back(nullptr);
}

std::string KeyPath::dotted() const {
  return fmt::format("{}", fmt::join(parts, "."));
}

Result<FieldKeys> FieldKeys::with(const std::map<std::string, std::string>& keys) {
  FieldKeys fields;
  fields.latitude = paths_of({"location.latitude", "latitude", "lat"});
  fields.longitude = paths_of({"location.longitude", "longitude", "lng", "lon"});
  fields.accuracy_radius = paths_of({"location.accuracy_radius", "accuracy_radius"});
  fields.country = paths_of({"country.iso_code", "registered_country.iso_code", "country_code"}, {"country"});
  fields.region = paths_of({}, {"subdivisions.0.iso_code", "region_code", "region", "state1"});
  fields.asn = paths_of({"autonomous_system_number", "asn"}, {"as_number"});
  fields.continent = paths_of({"continent.code", "continent_code"}, {"continent"});
  const std::map<std::string_view, std::vector<KeyPath>*> names = {
      {"latitude", &fields.latitude},
      {"longitude", &fields.longitude},
      {"country", &fields.country},
      {"accuracy_radius", &fields.accuracy_radius},
      {"continent", &fields.continent},
      {"region", &fields.region},
      {"asn", &fields.asn},
  };
  for (const auto& [field, path] : keys) {
    auto known = names.find(field);
    if (known == names.end())
      return Error{
          fmt::format("unknown field \"{}\": it is one of latitude, longitude, "
                      "accuracy_radius, country, region, continent, asn",
                      field)};
    if (path.empty() || path.find("..") != path.npos || path.front() == '.' || path.back() == '.')
      return Error{fmt::format("\"{}\" is not a path of keys for {}", path, field)};
    known->second->clear();
    known->second->emplace_back(path);
  }
  return fields;
}

void RecordReader::Close::operator()(MMDB_s* mmdb) const {
  MMDB_close(mmdb);
  delete mmdb;
}

RecordReader::RecordReader(const MmdbLayout& layout, const FieldKeys& keys, const Wanted& wanted)
    : checker_(layout.data, uint64_t{layout.data.size} * 32 + 1'000'000), keys_(&keys), wanted_(wanted) {}
RecordReader::RecordReader(RecordReader&&) noexcept = default;
RecordReader::~RecordReader() = default;

Result<RecordReader> RecordReader::open(const PrivateFile& file, const MmdbLayout& layout, const FieldKeys& keys,
                                        const Wanted& wanted) {
  RecordReader reader(layout, keys, wanted);
  auto mmdb = std::make_unique<MMDB_s>();
  int code = MMDB_open(file.path().c_str(), MMDB_MODE_MMAP, mmdb.get());
  if (code == MMDB_IO_ERROR) return system_error("cannot open the copy " + file.path());
  if (code != MMDB_SUCCESS) return Error{MMDB_strerror(code)};
  reader.mmdb_.reset(mmdb.release());
  const MMDB_metadata_s& metadata = reader.mmdb_->metadata;
  if (metadata.node_count != layout.node_count || metadata.record_size != layout.record_size ||
      metadata.ip_version != layout.ip_version)
    return Error{"metadata: ambiguous (two readers disagree)"};
  return reader;
}

Result<Location> RecordReader::read(uint32_t offset) {
  if (Status checked = checker_.check(offset, record_limit); !checked) return checked.error();
  Location location;
  if (wanted_.coordinates)
    if (Status read = coordinates(offset, location); !read) return read.error();
  if (wanted_.codes)
    if (Status read = codes(offset, location); !read) return read.error();
  double asn = 0;
  if (wanted_.asn)
    if (auto read = number(keys_->asn, offset, 0, 4294967295, asn); !read) return read.error();
  location.asn = static_cast<uint32_t>(asn);
  saw_asn_ |= location.asn != 0;
  saw_coordinates_ |= location.has_coordinates;
  saw_code_ |= location.country[0] || location.continent[0];
  return location;
}

Status RecordReader::coordinates(uint32_t offset, Location& location) {
  auto latitude = number(keys_->latitude, offset, -90, 90, location.latitude);
  if (!latitude) return latitude.error();
  auto longitude = number(keys_->longitude, offset, -180, 180, location.longitude);
  if (!longitude) return longitude.error();
  double radius = 0;
  auto accuracy = number(keys_->accuracy_radius, offset, 0, 65535, radius);
  if (!accuracy) return accuracy.error();
  location.has_coordinates = *latitude && *longitude;
  if (!location.has_coordinates)
    location.latitude = location.longitude = 0;
  else
    location.accuracy_radius_km = static_cast<uint16_t>(std::ceil(radius));
  return {};
}

Result<bool> RecordReader::number(const std::vector<KeyPath>& paths, uint32_t offset, double low, double high,
                                  double& out) {
  for (const KeyPath& path : paths) {
    MMDB_entry_data_s value;
    auto there = look_up(*mmdb_, offset, path, value);
    if (!there) return there.error();
    if (!*there) continue;
    double read = 0;
    Reading reading = to_number(value, read);
    if (reading == Reading::absent) continue;
    if (reading == Reading::wrong) return bad(offset, path, "is not a number");
    if (!(read >= low && read <= high))
      return bad(offset, path, fmt::format("is {}, outside [{}, {}]", read, low, high));
    out = read == 0 ? 0 : read;  // no negative zero: equal places intern to one
    return true;
  }
  return false;
}

Status RecordReader::codes(uint32_t offset, Location& location) {
  if (Status read = code(keys_->country, offset, 2, location.country); !read) return read.error();
  if (Status read = code(keys_->region, offset, 1, location.region); !read) return read.error();
  return code(keys_->continent, offset, 2, location.continent);
}

Status RecordReader::code(const std::vector<KeyPath>& paths, uint32_t offset, size_t shortest, std::span<char> out) {
  for (const KeyPath& path : paths) {
    MMDB_entry_data_s value;
    auto there = look_up(*mmdb_, offset, path, value);
    if (!there) return there.error();
    if (!*there) continue;
    std::array<char, 3> read{};
    Reading reading = to_code(value, shortest, std::span(read).first(out.size()));
    if (reading == Reading::wrong && !path.lenient) return bad(offset, path, "is not a code of two letters");
    if (reading != Reading::present) continue;
    std::copy_n(read.begin(), out.size(), out.begin());
    return {};
  }
  return {};
}

}  // namespace portolan::geo
