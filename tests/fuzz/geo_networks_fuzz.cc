// An operator's list of networks: whatever it holds, it is taken whole or refused with its line.
#include <cstdlib>

#include "core/geo/network_list.hh"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace portolan::geo;  // NOLINT(google-build-using-namespace)
  Table::Builder builder;
  const auto added = add_network_list({reinterpret_cast<const char*>(data), size}, builder);
  if (!added && added.error().text.rfind("line ", 0) != 0) std::abort();
  const auto table = builder.finish();
  if (!added && table->location_count() > 0) std::abort();
  for (const char* text : {"10.0.0.1", "2001:db8::1", "0.0.0.0", "ffff::"}) {
    const auto address = portolan::IpAddress::parse(text);
    const auto found = table->find(*address);
    if (found.place > table->location_count() || found.prefix_length > address->bits()) std::abort();
  }
  return 0;
}
