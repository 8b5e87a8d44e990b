#include "proxy/split.hh"

#include <xxhash.h>

#include <cmath>

namespace portolan::proxy {

size_t choose_pool(const std::vector<PoolShare>& pools, const IpAddress& client) {
  IpAddress who = client.is_v6() ? client.masked(64) : client;
  uint64_t seed = XXH3_64bits(who.bytes.data(), who.size());
  size_t best = 0;
  double least = INFINITY;
  for (size_t i = 0; i < pools.size(); ++i) {
    if (pools[i].weight == 0) continue;
    uint64_t hash = XXH3_64bits_withSeed(pools[i].pool.data(), pools[i].pool.size(), seed);
    double unit = (static_cast<double>(hash >> 11) + 0.5) * 0x1p-53;  // in (0, 1)
    double time = -std::log(unit) / pools[i].weight;                  // exponential: the first to ring serves
    if (time >= least) continue;
    least = time;
    best = i;
  }
  return best;
}

}  // namespace portolan::proxy
