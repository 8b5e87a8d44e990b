#pragma once
// From the bytes of a query to the bytes of its answer: RFC 1034 §4.3.2, 2308, 4592, 6891, 7871,
// 8020, 8482. Pure but for the Rng, without the heap, so any number of workers answer from one
// View.
#include <cstdint>
#include <span>
#include <string_view>

#include "core/dns/compose.hh"
#include "geodns/view.hh"

namespace portolan::geodns {

enum class Transport : uint8_t { udp, tcp };

// What was done, for metrics and tests.
struct AnswerInfo {
  static constexpr int several_datacenters = -2;
  int zone = ZoneSet::none;  // index into View::zones
  uint16_t type = 0;         // as asked; 0 where the question could not be read
  uint16_t rcode = 0;
  std::string_view policy;  // of a service record; else empty
  int datacenter = -1;      // index into Directory::datacenters
  bool truncated = false;
  bool authoritative = false;
  int flow = -1;       // index into ZoneSet::flows(), of a service record
  uint32_t order = 0;  // its plan's
};

// A query that was read and whose name was looked up, on its way to its answer.
struct Asked {
  dns::Query query;
  dns::Verdict verdict = dns::Verdict::drop;
  int zone = ZoneSet::none;
  const Node* node = nullptr;  // null: nobody's, or it doesn't exist
  const Plan* plan = nullptr;  // who answers depends on where the question comes from: locate() comes before answer()
  IpAddress asker;             // its address
  Plan::Found found;           // and what the plan has for it
};

class Answerer {
 public:
  explicit Answerer(Rng& rng) : rng_(rng) {}

  // An answer in three steps, so that the memory's delays of a batch of queries pass together: fills `asked` and looks its
  // name up,
  static void read(std::span<const uint8_t> packet, const IpAddress& client, const View& view, Asked& asked);
  // finds the places of those who asked,
  static void locate(std::span<Asked> batch, const View& view);
  // and answers; the arguments are the first's and answer()'s below. `reply`: what OPT says besides; may be null.
  size_t answer(const Asked& asked, std::span<const uint8_t> packet, const IpAddress& client, Transport transport,
                const View& view, std::span<uint8_t> out, AnswerInfo& info, const dns::OptReply* reply = nullptr);

  // Writes the answer to `packet`, asked by `client`, into `out` and returns its size; 0: silence.
  // `out` must hold 1232 bytes for UDP; for TCP 65535, or what it holds is the limit (then
  // truncated).
  size_t answer(std::span<const uint8_t> packet, const IpAddress& client, Transport transport, const View& view,
                std::span<uint8_t> out, AnswerInfo& info);

 private:
  [[gnu::noinline]] size_t answer_otherwise(const Asked& asked, std::span<const uint8_t> packet,
                                            const IpAddress& client, Transport transport, const View& view,
                                            std::span<uint8_t> out, AnswerInfo& info, const dns::OptReply* reply);
  Rng& rng_;
};

}  // namespace portolan::geodns
