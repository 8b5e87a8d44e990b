#pragma once
// One line a query, or of a share of them: JSON, through the log writer, which drops lines where the disk is slow and
// never makes a worker wait. One worker's; no allocation.
#include "core/base/clock.hh"
#include "core/loop/log_writer.hh"
#include "geodns/answer.hh"

namespace portolan::geodns {

class QueryLog {
 public:
  explicit QueryLog(loop::LogWriter& writer) : writer_(writer), ring_(writer.add_ring()) {}

  // From 0 (none) to 1 (all).
  void set_share(double share);
  // Is this one to be written?
  bool wants(Rng& rng) const { return threshold_ != 0 && (rng.next() >> 32) < threshold_ && writer_.enabled(); }

  struct Line {
    int64_t wall_ms;
    const IpAddress& client;
    const char* transport;  // "udp", "tcp", "tls"
    const Asked& asked;
    const AnswerInfo& info;
    const View& view;
    size_t bytes;  // of the answer; 0: none was sent
  };
  void write(const Line& line);

 private:
  loop::LogWriter& writer_;
  loop::LogRing& ring_;
  uint64_t threshold_ = 0;  // of 2^32
};

}  // namespace portolan::geodns
