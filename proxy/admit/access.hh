#pragma once
// Allow and deny lists of networks and countries. Immutable; any thread; no allocation.
#include <array>
#include <string_view>
#include <vector>

#include "core/base/network_set.hh"
#include "proxy/admit/config.hh"
#include "proxy/country.hh"

namespace portolan::proxy {

class AccessList {
 public:
  AccessList() = default;
  explicit AccessList(const std::vector<AccessEntry>& entries);
  bool empty() const { return networks_.empty() && countries_.empty(); }
  // Looks for the country only where the networks don't decide.
  bool holds(const IpAddress& client, ClientCountry& country, const geo::Table* geo) const;

 private:
  NetworkSet networks_;
  std::vector<std::array<char, 2>> countries_;  // sorted
};

// Deny wins; with an allow list only who is on it passes. A client whose country is unknown is in none.
struct AccessRules {
  AccessList allow, deny;
  bool empty() const { return allow.empty() && deny.empty(); }
  bool pass(const IpAddress& client, ClientCountry& country, const geo::Table* geo) const {
    if (!deny.empty() && deny.holds(client, country, geo)) return false;
    return allow.empty() || allow.holds(client, country, geo);
  }
};

}  // namespace portolan::proxy
