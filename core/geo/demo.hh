#pragma once
// The database of the demo: loopback, documentation and benchmark networks given to thirty cities,
// so that `dig +subnet=` and `curl --interface` can play any of them. No real address is located by
// it.
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hh"

namespace portolan::geo {

struct DemoCity {
  std::string_view name;
  std::string_view country;
  std::string_view continent;
  double latitude = 0;
  double longitude = 0;
  std::string network;                // the first of `networks`: "127.N.0.0/16", N the city's place in the list
  std::vector<std::string> networks;  // then one of the documentation /28s, a 198.18.0.0/16 /21, a
                                      // 203.0.113.0/24 /29 and a 2001:db8::/32 /48
};

// In a fixed order, always the same thirty.
const std::vector<DemoCity>& demo_cities();

// A database of them (nested keys, accuracy radius 20 km, IPv6 with IPv4 inside), byte for byte the
// same at each call.
Result<std::string> demo_database();

// Writes it to a file (replaced atomically).
Status write_demo_database(const std::string& path);

}  // namespace portolan::geo
