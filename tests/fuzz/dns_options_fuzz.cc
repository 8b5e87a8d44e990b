// Any bytes as the options of an OPT record: read, and what is asked for answered in an OPT that reads back.
#include <cstdlib>
#include <vector>

#include "core/dns/compose.hh"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace portolan::dns;
  if (size > 4096) return 0;
  std::vector<uint8_t> packet = {0,
                                 1,
                                 0,
                                 0,
                                 0,
                                 1,
                                 0,
                                 0,
                                 0,
                                 0,
                                 0,
                                 1,
                                 1,
                                 'a',
                                 0,
                                 0,
                                 1,
                                 0,
                                 1,
                                 0,
                                 0,
                                 41,
                                 4,
                                 0,
                                 0,
                                 0,
                                 0,
                                 0,
                                 static_cast<uint8_t>(size >> 8),
                                 static_cast<uint8_t>(size)};
  packet.insert(packet.end(), data, data + size);
  Query query;
  const Verdict verdict = parse_query(packet, query);
  if (verdict != Verdict::answer && verdict != Verdict::formerr) std::abort();
  OptReply reply;
  reply.has_cookie = true;
  for (size_t i = 0; i < OptReply::cookie_size; i++) reply.cookie[i] = static_cast<uint8_t>(i);
  reply.nsid = "edge";
  reply.keepalive_100ms = 100;
  uint8_t out[max_udp_size];
  size_t written = 0;
  if (verdict == Verdict::answer) {
    Composer composer(out, packet, query, answer_limit(query, false), &reply);
    composer.set_error(ExtendedError::not_authoritative);
    composer.set_scope(16);
    written = composer.finish(refused, false);
  } else {
    written = compose_error(out, packet, query, verdict, &reply);
  }
  // The answer is a query but for QR, and its options are of the same form but for Client Subnet's scope.
  size_t at = query.question_end + 11;
  if (written < at || load16(out + query.question_end + 9) != written - at) std::abort();
  while (at < written) {
    if (written - at < 4 || written - at - 4 < load16(out + at + 2)) std::abort();
    at += 4u + load16(out + at + 2);
  }
  return 0;
}
