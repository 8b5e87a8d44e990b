// Any bytes as an answer to a resolver's question; the first byte picks the type that was asked.
#include "core/dns/response.hh"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace portolan::dns;
  if (size < 3) return 0;
  static const uint16_t types[] = {type_a, type_aaaa, type_srv};
  const std::span<const uint8_t> packet(data + 1, size - 1);
  // Asks what the bytes claim to answer, so that a mutation gets past the question.
  Name asked;
  size_t offset = header_size;
  if (packet.size() > header_size) asked.read(packet, offset, false);
  (void)parse_response(packet, load16(packet.data()), asked, types[data[0] % 3]);
  return 0;
}
