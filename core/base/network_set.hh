#pragma once
// Networks to look an address up in, in the logarithm of their number: allow and deny lists, a route's `client`.
// Immutable; any thread.
#include <vector>

#include "core/base/address.hh"

namespace portolan {

class NetworkSet {
 public:
  NetworkSet() = default;
  explicit NetworkSet(std::vector<IpNetwork> networks);
  bool contains(const IpAddress& a) const;  // an unmapped one; no allocation
  bool empty() const { return networks_.empty(); }

 private:
  std::vector<IpNetwork> networks_;  // in the order of their addresses, none within another
};

}  // namespace portolan
