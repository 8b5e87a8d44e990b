#include "proxy/admit/access.hh"

#include <algorithm>

namespace portolan::proxy {

AccessList::AccessList(const std::vector<AccessEntry>& entries) {
  std::vector<IpNetwork> networks;
  for (const AccessEntry& e : entries) {
    if (e.country.size() == 2) {
      countries_.push_back({e.country[0], e.country[1]});
    } else {
      networks.push_back(e.network);
    }
  }
  networks_ = NetworkSet(std::move(networks));
  std::sort(countries_.begin(), countries_.end());
}

bool AccessList::holds(const IpAddress& client, ClientCountry& country, const geo::Table* geo) const {
  if (networks_.contains(client)) return true;
  if (countries_.empty()) return false;
  std::string_view code = country.of(client, geo);
  return code.size() == 2 && std::binary_search(countries_.begin(), countries_.end(), std::array{code[0], code[1]});
}

}  // namespace portolan::proxy
