// Any bytes as a query: parsed, judged, and where it passes answered through the composer.
#include <cstdlib>

#include "core/dns/compose.hh"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace portolan::dns;
  const std::span<const uint8_t> packet(data, size);
  Query query;
  const Verdict verdict = parse_query(packet, query);
  if (verdict == Verdict::drop) return 0;
  uint8_t out[max_udp_size];
  size_t written = 0;
  if (verdict == Verdict::answer) {
    Composer composer(out, packet, query, answer_limit(query, false));
    composer.add(Section::answer, query.key.wire(), type_a, 30, "\1\2\3\4");
    composer.add(Section::answer, query.key.wire(), type_cname, 30, parent(query.key.wire()));
    composer.add(Section::additional, parent(query.key.wire()), type_ns, 30, query.key.wire());
    composer.set_scope(24);
    written = composer.finish(noerror, true);
  } else {
    written = compose_error(out, packet, query, verdict);
  }
  if (written < header_size || written > sizeof out) std::abort();
  return 0;
}
