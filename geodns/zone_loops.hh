#pragma once
// Names that lead to names: a CNAME to its target, an ALIAS to the name it follows, a service whose sites have names to
// each of them. While zones are built.
#include <map>
#include <string>
#include <vector>

#include "geodns/zone.hh"

namespace portolan::geodns {

struct Ways {
  static constexpr unsigned most_links = 16;
  std::map<const Node*, std::string> aliases;  // the keys that ALIAS records lead to

  // Complains of each of `nodes`, which have their places, from where the way goes round or on for more links, in all
  // zones of the set.
  void check(const std::vector<const Node*>& nodes, const ZoneSet& zones, const Directory& directory,
             std::vector<Mistake>& mistakes) const;
};

}  // namespace portolan::geodns
