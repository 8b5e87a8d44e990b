#include "core/dns/packed_set.hh"

#include "core/dns/name.hh"

namespace portolan::dns {
namespace {

// Behind whatever stands before the set, still within a pointer's reach.
constexpr size_t max_target = 8192;

}  // namespace

RdataNames names_in(uint16_t type) {
  switch (type) {
    case type_ns:
    case type_cname:
    case type_ptr:
      return {0, 1};
    case type_mx:
      return {2, 1};
    case type_soa:
      return {0, 2};
    default:
      return {};
  }
}

size_t name_size(std::string_view wire) {
  size_t i = 0;
  while (wire[i] != 0) i += 1 + static_cast<uint8_t>(wire[i]);
  return i + 1;
}

PackedSet::PackedSet(std::string_view zone, uint16_t type, uint32_t ttl_s, std::span<const std::string> data) {
  const RdataNames names = names_in(type);
  std::vector<Suffix> earlier;
  for (std::string_view rest : data) {
    uint8_t fixed[12] = {0xc0, header_size};
    store16(fixed + 2, type);
    store16(fixed + 4, class_in);
    store32(fixed + 6, ttl_s);
    bytes_.append(reinterpret_cast<const char*>(fixed), sizeof fixed);
    const size_t begin = bytes_.size();
    bytes_ += rest.substr(0, names.before);
    rest.remove_prefix(names.before);
    for (unsigned i = 0; i < names.names; i++) {
      const size_t size = name_size(rest);
      put_name(rest.substr(0, size), zone, earlier);
      rest.remove_prefix(size);
    }
    bytes_ += rest;
    store16(reinterpret_cast<uint8_t*>(&bytes_[begin - 2]), static_cast<unsigned>(bytes_.size() - begin));
    count_++;
  }
}

void PackedSet::put_name(std::string_view name, std::string_view zone, std::vector<Suffix>& earlier) {
  const auto point = [&](size_t target, bool in_zone) {
    pointers_.push_back({static_cast<uint16_t>(bytes_.size()), static_cast<uint16_t>(target), in_zone});
    bytes_.append(2, '\0');
  };
  for (; name.size() > 1; name = parent(name)) {
    if (is_within(zone, name)) return point(zone.size() - name.size(), true);
    for (const Suffix& suffix : earlier)
      if (suffix.name == name) return point(suffix.at, false);
    if (bytes_.size() < max_target) earlier.push_back({std::string(name), static_cast<uint16_t>(bytes_.size())});
    bytes_ += name.substr(0, 1 + static_cast<uint8_t>(name[0]));
  }
  bytes_ += '\0';
}

}  // namespace portolan::dns
