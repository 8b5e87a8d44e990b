#include "core/http/h2_budget.hh"

#include <algorithm>
#include <cstring>
#include <utility>

namespace portolan::http {
namespace {

// RFC 9113 §6.
enum : uint8_t {
  data,
  headers,
  priority,
  rst_stream,
  settings,
  push_promise,
  ping,
  goaway,
  window_update,
  continuation
};
constexpr uint8_t flag_ack = 1, flag_end_stream = 1, flag_padded = 8;
constexpr uint32_t priority_size = 5;

}  // namespace

void H2SharedBudget::begin(int64_t now_ms) {
  if (refilled_ms_ == 0) refilled_ms_ = now_ms;
  int64_t back = (now_ms - refilled_ms_) * a_second / 1000;
  if (back <= 0) return;
  refilled_ms_ = now_ms;
  earn(static_cast<int>(std::min<int64_t>(back, most)));
}

void H2SharedBudget::charge(int units) {
  units_ = std::max(units_ - units, 0);
  if (units_ == 0) exhausted_ = true;
}

void H2SharedBudget::earn(int units) {
  units_ = std::min(units_ + units, most);
  if (units_ >= most / 2) exhausted_ = false;
}

void H2Budget::charge(int units, const char* offence) {
  if (all_) all_->charge(units);
  spend(units, offence);
}

void H2Budget::spend(int units, const char* offence) {
  units_ -= units;
  if (units_ >= 0 || exhausted_) return;
  exhausted_ = true;
  offence_ = offence;
}

void H2Budget::begin(int64_t now_ms) {
  if (all_) all_->begin(now_ms);
  if (refilled_ms_ == 0) refilled_ms_ = now_ms;
  int64_t back = (now_ms - refilled_ms_) * a_second / 1000;
  if (back <= 0) return;
  refilled_ms_ = now_ms;
  if (!all_ || !all_->exhausted()) add(static_cast<int>(std::min<int64_t>(back, most)));
}

bool H2Budget::next(std::string_view& bytes, Frame& frame) {
  size_t skipped = std::min(preface_left_, bytes.size());
  preface_left_ -= skipped;
  bytes.remove_prefix(skipped);
  while (!bytes.empty()) {
    if (payload_left_ > 0) {
      size_t n = std::min<size_t>(payload_left_, bytes.size());
      payload_left_ -= static_cast<uint32_t>(n);
      bytes.remove_prefix(n);
      continue;
    }
    bool with_dependency = header_size_ >= frame_header;
    size_t n = std::min((with_dependency ? sizeof header_ : frame_header) - header_size_, bytes.size());
    std::memcpy(header_ + header_size_, bytes.data(), n);
    header_size_ += n;
    bytes.remove_prefix(n);
    if (header_size_ < frame_header) return false;
    uint32_t length = uint32_t{header_[0]} << 16 | uint32_t{header_[1]} << 8 | header_[2];
    if (header_[3] == priority && length == priority_size && header_size_ < sizeof header_) continue;
    payload_left_ = length - static_cast<uint32_t>(header_size_ - frame_header);
    frame = {header_[3], number(5), header_size_};
    if (header_size_ == sizeof header_) on_priority();
    header_size_ = 0;
    on_frame(length, header_[3], header_[4]);
    return true;
  }
  return false;
}

uint32_t H2Budget::number(size_t at) const {
  return (uint32_t{header_[at]} << 24 | uint32_t{header_[at + 1]} << 16 | uint32_t{header_[at + 2]} << 8 |
          header_[at + 3]) &
         0x7fffffff;
}

void H2Budget::on_priority() {
  if (number(5) == 0) fault_ = "PRIORITY on stream 0";
  if (number(5) == number(9)) fault_ = "a stream that depends on itself";
}

// A request is earned again when it is answered: no waste, but so many may wait. An answer is of use. Trailers come once
// a stream.
void H2Budget::on_head(uint32_t stream) {
  if (!of_client_) return earn(1);
  if (stream <= newest_stream_) return;
  newest_stream_ = stream;
  spend(1, "requests");
}

void H2Budget::on_frame(uint32_t length, uint8_t type, uint8_t flags) {
  switch (type) {
    case data:
      if (length >= useful_data) earn(1);
      // A padded frame may hold nothing either.
      if ((length == 0 || (flags & flag_padded && length < useful_data)) && !(flags & flag_end_stream))
        charge(1, "empty DATA frames");
      return;
    case headers:
      block_bytes_ = length;
      continuations_ = 0;
      return on_head(number(5));
    case continuation:
      block_bytes_ += length;
      if (++continuations_ > most_continuations || block_bytes_ > most_block_bytes) {
        units_ = 0;
        return charge(1, "CONTINUATION frames");
      }
      return charge(1, "CONTINUATION frames");
    case rst_stream:
      return charge(1, "RST_STREAM frames");
    case settings:
      if (flags & flag_ack) return;
      // Every connection begins with one.
      return std::exchange(settings_seen_, true) ? charge(5, "SETTINGS frames") : spend(5, "SETTINGS frames");
    case ping:
      if (!(flags & flag_ack)) charge(1, "PING frames");
      return;
    case window_update:
      return charge(1, "WINDOW_UPDATE frames");
    default:
      return charge(1, "frames without use");
  }
}

}  // namespace portolan::http
