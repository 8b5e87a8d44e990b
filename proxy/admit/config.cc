#include "proxy/admit/config.hh"

#include <algorithm>

namespace portolan::proxy {

std::string LimitKey::to_string() const {
  if (kind == Kind::client_address) return "client-address";
  return (kind == Kind::header ? "header:" : "cookie:") + name;
}

std::string Rate::to_string() const {
  const char* unit = period_us == 1'000'000 ? "/s" : period_us == 60'000'000 ? "/m" : "/h";
  return std::to_string(requests) + unit;
}

int64_t LimitConfig::depth() const {
  return burst.value_or(std::max<int64_t>(1, rate.requests * 1'000'000 / rate.period_us));
}

bool LimitConfig::same_counts(const LimitConfig& other) const {
  return rate == other.rate && depth() == other.depth() && by == other.by && ipv6_prefix == other.ipv6_prefix &&
         entries == other.entries;
}

}  // namespace portolan::proxy
