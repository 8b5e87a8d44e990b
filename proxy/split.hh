#pragma once
// Which pool of a weighted split serves a client. Pure: any node with the same weights decides alike, in any order of the
// pools. A client keeps its pool as long as the weights stay; when they change only as many move as must (weighted
// rendezvous hashing), and a pool whose share grows loses nobody.
#include <cstddef>

#include "core/base/address.hh"
#include "proxy/config.hh"

namespace portolan::proxy {

// An index into `pools`, of which one has a weight. Clients of one IPv6 /64 stay together: privacy addresses change
// within it.
size_t choose_pool(const std::vector<PoolShare>& pools, const IpAddress& client);

}  // namespace portolan::proxy
