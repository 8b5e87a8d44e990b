// What a connection is worth to those who need its place, or its memory.
#include "proxy/connection.hh"
#include "proxy/exchange.hh"
#include "proxy/h2_connection.hh"

namespace portolan::proxy {
namespace {

constexpr uint64_t worth_cutting = 4 * 1024;  // bytes held; what its server sends waits as well

}  // namespace

Connection::Standing Connection::standing() const {
  switch (phase_) {
    case Phase::greeting:
    case Phase::handshake:
    case Phase::head:
      return Standing::incomplete;
    case Phase::multiplexed:
      return h2_->idles() ? Standing::idle : Standing::working;
    case Phase::exchange:
      return Standing::working;
    default:
      return Standing::idle;
  }
}

void Connection::give_way() {
  if (phase_ == Phase::multiplexed) h2_->say_goodbye();
  close();
}

void Connection::cut_off() {
  stream_.reset_on_close();
  close();
}

bool Connection::reads_slowly() const {
  if (phase_ == Phase::multiplexed) return h2_->unsent() >= worth_cutting;
  if (phase_ != Phase::exchange) return false;
  uint64_t held = 0;
  for (const Segment& s : talk_->out)
    if (!s.file) held += s.length;
  return held >= worth_cutting;
}

int64_t Connection::progress_ms() const {
  return h2_ ? h2_->progress_ms() : talk_ ? talk_->progress_ms : 0;
}

}  // namespace portolan::proxy
