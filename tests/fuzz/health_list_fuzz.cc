// Any bytes as a list of servers: what is accepted says the same when it is written out and read again.
#include <cstdlib>
#include <string>

#include "core/health/server_list.hh"

using portolan::health::parse_server_list;
using portolan::health::Place;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto list = parse_server_list({reinterpret_cast<const char*>(data), size}, "/l");
  if (!list) {
    if (list.error().text.rfind("/l:", 0) != 0) std::abort();
    for (char c : list.error().text)
      if (static_cast<unsigned char>(c) < 0x20) std::abort();
    return 0;
  }
  std::string text;
  for (const Place& p : *list) {
    text += p.at.to_string();
    if (p.weight) text += " weight=" + std::to_string(*p.weight);
    if (p.max_connections) text += " max_connections=" + std::to_string(*p.max_connections);
    if (p.backup) text += " backup";
    text += "\n";
  }
  auto again = parse_server_list(text, "/l");
  if (!again || *again != *list) std::abort();
  return 0;
}
