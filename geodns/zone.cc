#include "geodns/zone.hh"

namespace portolan::geodns {
namespace {

// Drops labels from the left until `depth` are left.
std::string_view trim(std::string_view key, unsigned labels, unsigned depth) {
  for (; labels > depth; labels--) key = dns::parent(key);
  return key;
}

}  // namespace

const RecordSet* Node::find(uint16_t type) const {
  for (const RecordSet& set : sets)
    if (set.type == type) return &set;
  return nullptr;
}

const Node* Zone::find(std::string_view key, unsigned labels) const {
  // Nothing is deeper than depth_: a long name is cut before it costs a look-up a label.
  std::string_view encloser = trim(key, labels, depth_);
  const Node* node = find_exact(encloser);
  while (!node) node = find_exact(encloser = dns::parent(encloser));
  if (node->delegation) return node->delegation->node;
  return encloser.size() == key.size() ? node : node->wildcard;
}

uint32_t Zone::serial() const {
  constexpr size_t numbers = 20;  // behind the two names
  const std::string& data = soa().data.front();
  return dns::load32(reinterpret_cast<const uint8_t*>(data.data()) + data.size() - numbers);
}

const Node* Zone::find_addresses(std::string_view key) const {
  const Node* node = find(key);
  return node && node->delegation ? find_exact(key) : node;
}

int ZoneSet::find_parent(std::string_view key, unsigned labels) const {
  const int zone = find(key, labels);
  if (zone == none || labels == 0 || at(zone).name().wire() != key) return zone;
  const int above = find(dns::parent(key), labels - 1);
  return above == none ? zone : above;
}

int ZoneSet::find(std::string_view key, unsigned labels) const {
  for (key = trim(key, labels, depth_);; key = dns::parent(key)) {
    if (const int* found = index_.find(key)) return *found;
    if (key.size() <= 1) return none;
  }
}

}  // namespace portolan::geodns
