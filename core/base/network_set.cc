#include "core/base/network_set.hh"

#include <algorithm>

namespace portolan {

NetworkSet::NetworkSet(std::vector<IpNetwork> networks) {
  std::sort(networks.begin(), networks.end());  // of the same address the wider one first
  for (const IpNetwork& n : networks)
    if (networks_.empty() || !networks_.back().contains(n.address)) networks_.push_back(n);
}

bool NetworkSet::contains(const IpAddress& a) const {
  auto after = std::upper_bound(networks_.begin(), networks_.end(), a,
                                [](const IpAddress& x, const IpNetwork& n) { return x < n.address; });
  return after != networks_.begin() && std::prev(after)->contains(a);
}

}  // namespace portolan
