#include "geodns/zone.hh"

namespace portolan::geodns {
namespace {

// Drops labels from the left until `depth` are left.
std::string_view trim(std::string_view key, unsigned depth) {
  for (unsigned labels = dns::label_count(key); labels > depth; labels--) key = dns::parent(key);
  return key;
}

}  // namespace

const RecordSet* Node::find(uint16_t type) const {
  for (const RecordSet& set : sets)
    if (set.type == type) return &set;
  return nullptr;
}

const Node* Zone::find_exact(std::string_view key) const {
  auto found = nodes_.find(key);
  return found == nodes_.end() ? nullptr : &found->second;
}

const Node* Zone::find(std::string_view key) const {
  // Nothing is deeper than depth_: a long name is cut before it costs a look-up a label.
  std::string_view encloser = trim(key, depth_);
  const Node* node = find_exact(encloser);
  while (!node) node = find_exact(encloser = dns::parent(encloser));
  return encloser.size() == key.size() ? node : node->wildcard;
}

int ZoneSet::find(std::string_view key) const {
  for (key = trim(key, depth_);; key = dns::parent(key)) {
    auto found = index_.find(key);
    if (found != index_.end()) return found->second;
    if (key.size() <= 1) return none;
  }
}

}  // namespace portolan::geodns
