#include "core/geo/writer.hh"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>

namespace portolan::geo {
namespace {

enum Type : unsigned { text = 2, float64 = 3, uint16 = 5, uint32 = 6, map = 7, uint64 = 9, array = 11, float32 = 15 };

std::string big_endian(uint64_t value, unsigned bytes) {
  std::string out;
  for (unsigned i = bytes; i-- > 0;) out += static_cast<char>(value >> (8 * i) & 0xff);
  return out;
}

std::string head(unsigned type, size_t size) {
  unsigned small = size < 29 ? static_cast<unsigned>(size) : size < 285 ? 29u : 30u;
  std::string out(1, static_cast<char>((type < 8 ? type << 5 : 0) | small));
  if (type >= 8) out += static_cast<char>(type - 7);
  if (small == 29) out += big_endian(size - 29, 1);
  if (small == 30) out += big_endian(size - 285, 2);
  return out;
}

std::string encoded(std::string_view value) {
  value = value.substr(0, 65000);
  return head(text, value.size()) + std::string(value);
}

std::string encoded(unsigned type, uint64_t value) {
  unsigned bytes = (64 - static_cast<unsigned>(std::countl_zero(value)) + 7) / 8;
  return head(type, bytes) + big_endian(value, bytes);
}

class Map {
 public:
  Map& add(std::string_view key, const std::string& value) {
    body_ += encoded(key) + value;
    ++count_;
    return *this;
  }
  bool empty() const { return count_ == 0; }
  std::string str() const { return head(map, count_) + body_; }

 private:
  std::string body_;
  size_t count_ = 0;
};

std::string coordinate(double value, DatabaseWriter::Numbers numbers) {
  switch (numbers) {
    case DatabaseWriter::Numbers::float32:
      return head(float32, 4) + big_endian(std::bit_cast<uint32_t>(static_cast<float>(value)), 4);
    case DatabaseWriter::Numbers::text:
      return encoded(fmt::format("{}", value));
    default:
      return head(float64, 8) + big_endian(std::bit_cast<uint64_t>(value), 8);
  }
}

// The search tree while it is built. A side is empty, a node (index) or a datum (index over
// data_bit).
class Tree {
 public:
  static constexpr uint32_t empty = UINT32_MAX;
  static constexpr uint32_t data_bit = 0x80000000;
  static constexpr bool is_node(uint32_t side) { return side < data_bit; }

  Tree() { nodes_.push_back({empty, empty}); }

  void put(const IpAddress& address, unsigned skip, unsigned length, uint32_t side) {
    if (length == 0) {
      nodes_[0] = {side, side};
      return;
    }
    uint32_t at = 0;
    for (unsigned i = 0; i + 1 < length; ++i) at = open(at, bit(address, skip, i));
    nodes_[at][bit(address, skip, length - 1)] = side;
  }

  // The side the first `length` bits lead to; empty also where they lead past a datum.
  uint32_t get(const IpAddress& address, unsigned length) const {
    uint32_t side = 0;
    for (unsigned i = 0; i < length; ++i) {
      if (!is_node(side)) return side;
      side = nodes_[side][address.bit(i)];
    }
    return side;
  }

  const std::vector<std::array<uint32_t, 2>>& nodes() const { return nodes_; }

 private:
  static bool bit(const IpAddress& address, unsigned skip, unsigned i) { return i >= skip && address.bit(i - skip); }

  uint32_t open(uint32_t at, bool right) {
    uint32_t side = nodes_[at][right];
    if (is_node(side)) return side;
    nodes_.push_back({side, side});
    return nodes_[at][right] = static_cast<uint32_t>(nodes_.size() - 1);
  }

  std::vector<std::array<uint32_t, 2>> nodes_;
};

void add_alias(Tree& tree, std::string_view network) {
  IpAddress zero;
  zero.family = IpAddress::Family::v6;
  uint32_t v4 = tree.get(zero, 96);
  auto where = IpNetwork::parse(network);
  if (v4 == 0 || !Tree::is_node(v4) || !where) return;
  if (tree.get(where->address, where->length) == Tree::empty) tree.put(where->address, 0, where->length, v4);
}

std::string packed(uint32_t left, uint32_t right, unsigned record_size) {
  if (record_size != 28) return big_endian(left, record_size / 8) + big_endian(right, record_size / 8);
  std::string out = big_endian(left & 0xffffff, 3);
  out += static_cast<char>((left >> 24) << 4 | right >> 24);
  return out + big_endian(right & 0xffffff, 3);
}

std::string metadata(const DatabaseWriter::Options& options, size_t nodes) {
  Map description;
  description.add("en", encoded("Made by Portolan for its demo and tests"));
  Map root;
  root.add("binary_format_major_version", encoded(uint16, 2))
      .add("binary_format_minor_version", encoded(uint16, 0))
      .add("build_epoch", encoded(uint64, options.build_epoch))
      .add("database_type", encoded(options.type))
      .add("description", description.str())
      .add("ip_version", encoded(uint16, options.ip_version))
      .add("languages", head(array, 1) + encoded("en"))
      .add("node_count", encoded(uint32, nodes))
      .add("record_size", encoded(uint16, options.record_size));
  return "\xab\xcd\xefMaxMind.com" + root.str();
}

}  // namespace

Status DatabaseWriter::insert(const IpNetwork& network, const Place& place) {
  if (options_.ip_version == 4 && !network.address.is_v4())
    return Error{network.to_string() + " does not fit a database of IPv4 addresses"};
  places_[{network.length + (network.address.is_v4() ? 96 : 0), network.address}] = place;
  return {};
}

std::string DatabaseWriter::encode(const Place& place) const {
  Map latitude_longitude;
  if (place.accuracy_radius_km) latitude_longitude.add("accuracy_radius", encoded(uint16, *place.accuracy_radius_km));
  if (place.latitude) latitude_longitude.add("latitude", coordinate(*place.latitude, options_.numbers));
  if (place.longitude) latitude_longitude.add("longitude", coordinate(*place.longitude, options_.numbers));
  Map root;
  if (options_.style == Style::flat) {
    if (!place.city.empty()) root.add("city", encoded(place.city));
    if (!place.country.empty()) root.add("country_code", encoded(place.country));
    if (!place.continent.empty()) root.add("continent_code", encoded(place.continent));
    if (place.latitude) root.add("latitude", coordinate(*place.latitude, options_.numbers));
    if (place.longitude) root.add("longitude", coordinate(*place.longitude, options_.numbers));
    if (place.accuracy_radius_km) root.add("accuracy_radius", encoded(uint16, *place.accuracy_radius_km));
    return root.str();
  }
  auto inside = [](std::string_view key, const std::string& value) { return Map().add(key, value).str(); };
  if (!place.city.empty()) root.add("city", inside("names", inside("en", encoded(place.city))));
  if (!place.continent.empty()) root.add("continent", inside("code", encoded(place.continent)));
  if (!place.country.empty()) root.add("country", inside("iso_code", encoded(place.country)));
  if (!latitude_longitude.empty()) root.add("location", latitude_longitude.str());
  if (!place.registered_country.empty())
    root.add("registered_country", inside("iso_code", encoded(place.registered_country)));
  return root.str();
}

Result<std::string> DatabaseWriter::finish() const {
  std::string data;
  std::map<std::string, uint32_t> offsets;
  Tree tree;
  for (const auto& [key, place] : places_) {
    auto [at, fresh] = offsets.try_emplace(encode(place), static_cast<uint32_t>(data.size()));
    if (fresh) data += at->first;
    bool v4 = key.second.is_v4();
    bool embedded = v4 && options_.ip_version == 6;
    tree.put(key.second, embedded ? 96 : 0, key.first - (v4 && !embedded ? 96 : 0), Tree::data_bit | at->second);
  }
  if (options_.ip_version == 6 && options_.aliases)
    for (const char* network : {"::ffff:0:0/96", "2002::/16"}) add_alias(tree, network);

  size_t count = tree.nodes().size();
  uint64_t largest = count + 16 + data.size();
  if (largest >> options_.record_size)
    return Error{fmt::format("{} values do not fit records of {} bits", largest, options_.record_size)};
  auto record = [count](uint32_t side) {
    if (side == Tree::empty) return static_cast<uint32_t>(count);
    if (Tree::is_node(side)) return side;
    return static_cast<uint32_t>(count) + 16 + (side & ~Tree::data_bit);
  };
  std::string file;
  for (const auto& node : tree.nodes()) file += packed(record(node[0]), record(node[1]), options_.record_size);
  return file + std::string(16, '\0') + data + metadata(options_, count);
}

}  // namespace portolan::geo
