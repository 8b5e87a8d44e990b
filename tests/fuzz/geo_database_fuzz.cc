// Any bytes as a geographic database: refused, or a table whose answers keep their scope.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/geo/database.hh"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace portolan;
  auto table = geo::load_bytes({reinterpret_cast<const char*>(data), size}, {"fuzz", "auto", {}});
  if (!table) return 0;
  IpAddress address;
  for (size_t at = 0; at + 16 <= size && at < 4096; at += 5) {
    address.family = at % 2 ? IpAddress::Family::v6 : IpAddress::Family::v4;
    for (size_t i = 0; i < address.size(); ++i) address.bytes[i] = data[at + i];
    geo::Found found = (*table)->find(address);
    if (found.prefix_length > address.bits()) std::abort();
    if ((*table)->find(address.masked(found.prefix_length)).place != found.place) std::abort();
  }
  return 0;
}
