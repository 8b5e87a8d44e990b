#include "geodns/zone_loops.hh"

#include <set>

namespace portolan::geodns {
namespace {

class Walk {
 public:
  Walk(const Ways& ways, const ZoneSet& zones, const Directory& directory)
      : ways_(ways), zones_(zones), directory_(directory) {}

  // All that can be reached in so many links, each once a round.
  bool ends(const Node& first) const {
    std::set<const Node*> here = {&first};
    for (unsigned links = 0; links <= Ways::most_links; links++) {
      std::set<const Node*> next;
      for (const Node* node : here) step(*node, next);
      if (next.empty()) return true;
      here = std::move(next);
    }
    return false;
  }

 private:
  // Only nodes that lead on.
  void step(const Node& node, std::set<const Node*>& next) const {
    if (const RecordSet* cname = node.find(dns::type_cname)) go(cname->data.front(), next);
    if (const auto alias = ways_.aliases.find(&node); alias != ways_.aliases.end()) go(alias->second, next);
    if (!node.service) return;
    const Service& service = directory_.services[node.service->service];
    for (const Site& site : service.sites)
      if (!site.target.empty()) go(site.target, next);
  }

  void go(const std::string& key, std::set<const Node*>& next) const {
    const int zone = zones_.find(key);
    const Node* node = zone == ZoneSet::none ? nullptr : zones_.at(zone).find(key);
    if (node && !node->delegation) next.insert(node);
  }

  const Ways& ways_;
  const ZoneSet& zones_;
  const Directory& directory_;
};

// What leads on from there.
std::string leader(const Node& node, const Directory& directory) {
  if (node.service) return "the targets of service \"" + directory.services[node.service->service].name + "\" from";
  return node.alias ? "the ALIAS from" : "the CNAMEs from";
}

}  // namespace

void Ways::check(const std::vector<const Node*>& nodes, const ZoneSet& zones, const Directory& directory,
                 std::vector<Mistake>& mistakes) const {
  const Walk walk(*this, zones, directory);
  for (const Node* node : nodes)
    if (!walk.ends(*node))
      mistakes.push_back({node->place->where, leader(*node, directory) + " \"" + node->place->name +
                                                  "\" go round in a circle, or on for more than 16"});
}

}  // namespace portolan::geodns
